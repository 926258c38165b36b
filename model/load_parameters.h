#pragma once
// A model's parameters and buffers from a checkpoint.

#include "model/safetensors.h"
#include "model/transformer.h"

namespace moe {

/// Copies the tensors "model.NAME" of a checkpoint into the model's parameters and buffers. Throws Error for one that
/// is missing or has another shape.
void load_parameters(Transformer& model, const TensorFile& file);

}  // namespace moe
