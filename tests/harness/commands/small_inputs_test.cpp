// The smallest inputs of `layer` and `objective`: no sentence, sentences of no token, one sentence, one token, padding
// alone.
#include "harness/commands/interop/layer_command.h"
#include "harness/commands/interop/objective_command.h"
#include "model/moe_layer.h"
#include "tests/harness/commands/interop_fixture.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"

// Legend: B sentences, S positions, D width, N rows, V ids.

namespace moe {
namespace {

constexpr std::int64_t width = 8, hidden = 12;

/// Parameters of a layer with this router, as the command names them.
Tensors layer_parameters(const RouterEntry& entry, const Json& options, const torch::Tensor& count_V) {
  RouterContext context{.width = width};
  context.token_counts.assign(count_V.const_data_ptr<std::int64_t>(),
                              count_V.const_data_ptr<std::int64_t>() + count_V.numel());
  const MoeLayer layer("layer", {width, hidden, false}, entry.make(options, context), 1);
  Tensors parameters;
  for (const auto& item : layer.named_parameters()) parameters[interop_name(item.key())] = item.value().detach();
  return parameters;
}

Tensors input_of(std::int64_t B, std::int64_t S, bool all_padding) {
  const torch::Tensor id_BS = torch::arange(B * S).view({B, S}).remainder(5);
  Tensors input = {{"x", torch::arange(B * S * width).to(torch::kFloat32).sin().view({B, S, width})},
                   {"grad_output", torch::ones({B, S, width})},
                   {"token_ids", id_BS},
                   {"label", id_BS},
                   {"token_counts", torch::tensor({5, 4, 3, 2, 1}, torch::kInt64)}};
  if (all_padding) input["padding"] = torch::ones({B, S}, torch::kUInt8);
  return input;
}

struct Shape {
  std::int64_t sentences, positions;
  bool all_padding = false;
};

void check_answer(const RouterEntry& entry, const Json& options, const Shape& shape, const Json& conditions) {
  CAPTURE(entry.name, options.dump(), shape.sentences, shape.positions, shape.all_padding, conditions.dump());
  Tensors input = input_of(shape.sentences, shape.positions, shape.all_padding);
  const Tensors parameters = layer_parameters(entry, options, input.at("token_counts"));
  input.insert(parameters.begin(), parameters.end());
  Json config = conditions;
  config["auxiliary_weight"] = 0.5;
  config["strategy"] = options;
  config["strategy"]["router"] = entry.name;
  const Tensors out = ask(run_layer, config, input);
  CHECK(out.at("output").sizes() == input.at("x").sizes());
  CHECK(out.at("grad.x").sizes() == input.at("x").sizes());
  CHECK(out.at("dropped").size(0) == shape.sentences * shape.positions);
  for (const auto& [name, tensor] : parameters) CHECK(out.at("grad." + name).sizes() == tensor.sizes());
  for (const auto& [name, tensor] : out) {
    CAPTURE(name);
    const bool has_to_be_finite = name != "router_logits";  // gates of later strata do not see the first experts
    if (has_to_be_finite) CHECK(tensor.isfinite().all().item<bool>());
  }
  const bool is_empty = shape.sentences * shape.positions == 0 || shape.all_padding;
  CHECK((out.at("pair_token").size(0) == 0) == is_empty);
  if (is_empty) CHECK(out.at("balance_loss").item<double>() == 0);
}

/// Options of layers that take another way through the tensors; a router that does not have them refuses them.
const std::vector<Json> requests = {Json::object(),
                                    {{"group", "sentence"}},
                                    {{"experts", 1}},
                                    {{"experts", 1}, {"group", "sentence"}},
                                    {{"experts", 1}, {"k", 1}},
                                    {{"experts", 1}, {"k", 1}, {"strata", 1}},
                                    {{"capacity", 1}, {"group", "sentence"}},
                                    {{"norm", "states"}},
                                    {{"dropped", "input"}, {"capacity", 1}},
                                    {{"expert_output_masking", 0.2}, {"masked_outputs", "elements"}},
                                    {{"expert_groups", 2}, {"groups_per_token", 1}},
                                    {{"residual", true}, {"sublayers", 2}},
                                    {{"hashes", 2}},
                                    {{"inference", "merged"}},
                                    {{"inference", "mean"}}};

}  // namespace

TEST_CASE("every router takes the smallest inputs through the layer command") {
  const std::vector<Shape> shapes = {{0, 3}, {2, 0}, {0, 0}, {1, 1}, {1, 3}, {2, 2, true}};
  const std::vector<Json> conditions = {{{"phase", "train"}},
                                        {{"phase", "evaluate"}},
                                        {{"phase", "train"}, {"precision", "bf16"}},
                                        {{"phase", "evaluate"}, {"precision", "bf16"}}};
  for (const RouterEntry& entry : all_routers()) {
    for (const Json& request : requests) {
      ConfigErrors errors;
      const Json options = entry.resolve(request, "strategy", errors);
      if (!errors.empty()) continue;
      for (const Shape& shape : shapes) {
        for (const Json& condition : conditions) check_answer(entry, options, shape, condition);
      }
    }
  }
}

TEST_CASE("the objective command takes no rows, one row, one id and padding alone") {
  const std::vector<Json> objectives = {{{"passes", 1}, {"label_smoothing", 0.1}},
                                        {{"passes", 2}, {"consistency", 5.0}, {"label_smoothing", 0.1}}};
  for (const Json& objective : objectives) {
    for (const std::int64_t rows : {0, 1, 3}) {
      for (const std::int64_t ids : {1, 5}) {
        for (const bool all_padding : {false, true}) {
          CAPTURE(objective.dump(), rows, ids, all_padding);
          const torch::Tensor logit_NV = torch::linspace(-1, 1, rows * ids).view({rows, ids});
          const Json config = {{"objective", objective}, {"padding_id", all_padding ? 0 : 9}};
          const Tensors out =
              ask(run_objective, config,
                  {{"logits1", logit_NV}, {"logits2", -logit_NV}, {"target", torch::zeros({rows}, torch::kInt64)}});
          for (const auto& [name, tensor] : out) {
            CAPTURE(name);
            CHECK(tensor.isfinite().all().item<bool>());
          }
          CHECK(out.at("grad.logits1").sizes() == logit_NV.sizes());
          if (all_padding || rows == 0) CHECK(out.at("total").item<double>() == 0);
        }
      }
    }
  }
}

}  // namespace moe
