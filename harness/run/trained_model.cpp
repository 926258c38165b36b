#include "harness/run/trained_model.h"

#include "core/error.h"
#include "harness/run/build_model.h"
#include "harness/run/run_inputs.h"
#include "training/checkpoint.h"

#include <vector>

namespace moe {

void require_checkpoint(const RunFolder& folder) {
  MOE_CHECK(std::filesystem::exists(folder.checkpoint()),
            "{}: has no checkpoint.safetensors; run its sweep here to make one.", folder.path.string());
}

std::shared_ptr<Transformer> load_trained_model(const RunFolder& folder, const RunSpec& spec, std::int64_t vocabulary,
                                                const c10::Device& device) {
  // Routers read frequencies only at construction, for tables that the checkpoint brings back.
  const std::vector<std::int64_t> once(static_cast<std::size_t>(vocabulary), 1);
  std::shared_ptr<Transformer> model = build_model(spec, TokenCounts{once, once});
  load_scored_weights(*model, folder.checkpoint(), run_fingerprint(folder, spec));
  model->to(device);
  return model;
}

}  // namespace moe
