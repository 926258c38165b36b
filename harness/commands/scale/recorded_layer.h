#pragma once
// What a result says about the MoE layers of its run.

#include "harness/commands/scale/layer_cost.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct RecordedLayers {
  std::string run_id;
  std::vector<std::vector<double>> loads;  ///< of each MoE layer with several experts: share of each expert
  LayerShape shape;                        ///< tokens: a full batch of the run
  std::int64_t experts = 0;                ///< of the layer with most
  std::int64_t parameters = 0;
  std::int64_t dense_parameters = 0;  ///< all but those experts
};

/// Reads a result.json. Throws Error (request_wrong) where the run has no layer with several experts that took tokens.
RecordedLayers read_recorded_layers(const std::filesystem::path& result);

/// imbalance_on, mean over the layers: a step passes through all of them, and its time is linear in the imbalance.
double mean_imbalance_on(const RecordedLayers& layers, std::int64_t ranks);

}  // namespace moe
