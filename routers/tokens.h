#pragma once
// What a router may know about the tokens of one call, besides their states.

#include <torch/types.h>

#include <cstdint>
#include <optional>

namespace moe {

enum class Phase { train, evaluate };

/// What is done to the choices of a trained router at evaluation, to see what they are worth (routers/routing_swap.h).
enum class RoutingSwap { none, shuffled, second_best, random };

/// A way to evaluate a router that draws its experts in training (routers/inference.h).
struct Inference {
  enum class Mode { token, sentence, position_shared, mean, merged, fixed };
  Mode mode = Mode::token;
  std::int64_t expert = 0;  ///< of `fixed`
};

/// What is true of a call, whatever its tokens.
struct CallContext {
  Phase phase = Phase::train;
  std::int64_t step = 0;          ///< optimiser step, in training
  std::int64_t forward_pass = 0;  ///< which of the forward passes of the step; always a group of its own
  std::int64_t sample = 0;        ///< number of the stochastic evaluation: stands for the step in random streams
  RoutingSwap swap = RoutingSwap::none;
  std::optional<Inference> inference = {};  ///< at evaluation, in place of the way that the router's options name
};

/// T rows, batch-major: row = sentence in the batch * length + position, padding included. Shared by all layers of a
/// stack. All tensors are on the CPU, whatever the device of the states: they come from there, and routing decisions
/// are made there.
struct Tokens {
  torch::Tensor valid_T;        ///< bool; false is padding: never routed, never counted
  torch::Tensor id_T;           ///< int64; in the decoder the input id, so the previous target token
  torch::Tensor previous_id_T;  ///< int64; the id one position before, begin_id at the start
  torch::Tensor position_T;     ///< int64, from 0
  torch::Tensor sentence_T;     ///< int64; index in the data set, shared by the beams of a sentence
  torch::Tensor label_T;        ///< int64; the right answer of a known-answer world, for `oracle` alone; else undefined
  torch::Tensor direction_T;    ///< int64; index in the list of directions
  torch::Tensor row_T;          ///< int64; row of the batch: which tokens form a sentence group
  std::int64_t rows = 0;        ///< number of rows of the batch
  torch::Tensor memory_RD;  ///< of a decoder whose routers read it, on its device: mean of each row's encoder states
  std::int64_t valid = 0;   ///< number of true entries of valid_T

  CallContext call;

  std::int64_t count() const { return valid_T.size(0); }
};

}  // namespace moe
