#include "harness/commands/interop/objective_command.h"

#include "core/error.h"
#include "harness/commands/interop/interop_input.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/symmetric_kl.h"
#include "training/training_settings.h"

#include <torch/types.h>

namespace moe {
namespace {

struct ObjectiveDoorSettings {
  ObjectiveSettings objective;
  std::int64_t padding_id = 0;

  void visit(FieldVisitor& visitor) {
    visitor.section({.key = "objective", .help = "as in a strategy"}, objective);
    visitor.field({.key = "padding_id", .help = "target id of the rows that do not count"}, padding_id);
  }
};

void check_targets(const torch::Tensor& target_N, std::int64_t vocabulary, const std::filesystem::path& file) {
  if (target_N.numel() == 0) return;
  const auto smallest = target_N.min().item<std::int64_t>(), largest = target_N.max().item<std::int64_t>();
  MOE_CHECK(smallest >= 0 && largest < vocabulary, "{}: target: found {}, but the logits have {} ids.", file.string(),
            smallest < 0 ? smallest : largest, vocabulary);
}

}  // namespace

void run_objective(const InteropRequest& request) {
  const auto settings = read_interop_config<ObjectiveDoorSettings>(request.config);
  ConfigErrors errors;
  check_settings(settings.objective, "objective", errors);
  errors.throw_if_any(request.config.string());

  const InteropInput input(request.input);
  const torch::Tensor target_N = input.get("target", torch::kInt64, {-1});
  const torch::Tensor counted_N = target_N != settings.padding_id;
  const torch::Tensor counted_target = target_N.masked_select(counted_N);
  TensorFile out;
  const auto write = [&](const std::string& name, const torch::Tensor& loss) {
    out.tensors[name] = loss.detach().reshape({1});
  };

  std::vector<torch::Tensor> logits, counted;
  torch::Tensor total = torch::zeros({});
  for (std::int64_t pass = 1; pass <= settings.objective.passes; ++pass) {
    const std::string number = std::to_string(pass);
    logits.push_back(input.get("logits" + number, torch::kFloat32, {target_N.size(0), -1}).requires_grad_(true));
    check_targets(counted_target, logits.back().size(1), request.input);
    counted.push_back(logits.back().index_select(0, counted_N.nonzero().flatten()));
    const torch::Tensor loss =
        cross_entropy(counted.back(), counted_target, settings.objective.label_smoothing).smoothed;
    write("cross_entropy" + number, loss);
    total = total + loss;
  }
  if (settings.objective.passes == 2) {
    MOE_CHECK(logits[0].sizes() == logits[1].sizes(), "{}: logits1 and logits2 have different shapes.",
              request.input.string());
    const torch::Tensor divergence = symmetric_kl(counted[0], counted[1]);
    write("consistency", divergence);
    total = total + settings.objective.consistency * divergence;
  }
  write("total", total);
  total.backward();
  for (std::size_t i = 0; i < logits.size(); ++i) out.tensors[fmt::format("grad.logits{}", i + 1)] = logits[i].grad();
  write_safetensors(request.output, out);
}

}  // namespace moe
