#pragma once
// What is known of a router before it is built: its line of the registry. Sees nothing of LibTorch.

#include "core/config.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

class Router;

enum class Stack { encoder, decoder };

/// What a router is told at construction.
struct RouterContext {
  std::int64_t width = 0;  ///< D, of the token states
  std::int64_t layer = 0;  ///< ordinal of the MoE layer in the model, encoder first
  Stack stack = Stack::encoder;
  std::vector<std::int64_t> token_counts =
      {};  ///< [vocabulary]: training frequency of each id on the side of this stack
  std::int64_t directions = 1;
  std::uint64_t seed = 1;  ///< of the run

  std::int64_t vocabulary_size() const { return static_cast<std::int64_t>(token_counts.size()); }
};

/// One line of the registry: everything about a router that can be known without building it.
struct RouterEntry {
  std::string name;
  std::string summary;                 ///< one line
  std::string source;                  ///< paper, with its number where it has one
  Json objective = Json::object();     ///< what this router changes in the default objective, {"passes": 2, ...}
  bool stochastic_evaluation = false;  ///< its evaluation may be a random variable, so it is scored over several draws
  bool batch_dependent = false;  ///< at evaluation too, what a token gets depends on the other tokens of its group
  bool needs_labels = false;     ///< works in known-answer worlds alone

  std::function<std::vector<FieldListing>()> list_options;
  std::function<Json()> options_schema;
  /// Adds what is wrong with the options to the errors, and returns them all, defaults filled in.
  std::function<Json(const Json& options, const std::string& path, ConfigErrors& errors)> resolve;
  /// Builds the router of one layer from resolved options.
  std::function<std::shared_ptr<Router>(const Json& options, const RouterContext& context)> make;

  /// Raised when a fault in what the router computes was mended: results of an earlier revision are other runs.
  std::int64_t revision = 1;
};

}  // namespace moe
