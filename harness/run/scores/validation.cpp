#include "harness/run/scores/validation.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/results/record.h"
#include "metrics/routing.h"
#include "metrics/statistics.h"

#include <torch/types.h>

#include <cmath>
#include <utility>

namespace moe {
namespace {

CurvePoint curve_point(const SetScores& scores, const RunData& data, const Trainer& trainer, const CurveSums& sums) {
  CurvePoint point;
  point.update = trainer.update();
  point.flops = trainer.flops();
  if (sums.updates > 0) {
    const auto updates = static_cast<double>(sums.updates);
    point.cross_entropy = sums.cross_entropy / updates;
    point.consistency = sums.consistency / updates;
    point.balance_loss = sums.balance / updates;
    point.learning_rate = trainer.learning_rate();
  }
  point.valid_loss = scores.mean_loss();
  for (const SetLoss& loss : scores.losses) point.valid_loss_draws.emplace_back(loss.per_token());
  point.valid_perplexity = std::exp(scores.mean_loss());
  point.valid_bleu = scores.mean_bleu();
  for (std::size_t draw = 0; draw < scores.losses.size(); ++draw) {
    double sum = 0;
    for (const auto& draws : scores.bleu) sum += draws[draw];
    point.valid_bleu_draws.emplace_back(sum / static_cast<double>(scores.bleu.size()));
  }
  for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
    point.valid_by_direction.push_back({data.corpus.directions[d].name, scores.mean_loss(d), mean(scores.bleu[d])});
  }
  return point;
}

LayerRouting layer_routing(std::size_t layer, const MoePlace& place, RoutingFigures figures, const RunData& data) {
  LayerRouting routing;
  routing.layer = static_cast<std::int64_t>(layer);
  routing.stack = place.stack == Stack::encoder ? "encoder" : "decoder";
  routing.block = place.block;
  routing.extra = place.extra;
  for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
    routing.load_by_direction.push_back({data.corpus.directions[d].name, std::move(figures.direction_load[d])});
  }
  figures.direction_load.clear();
  routing.figures = std::move(figures);
  return routing;
}

void update_routing(const std::vector<RoutingCounts>& layers, const Transformer& model, const RunData& data,
                    RunState& state) {
  state.choices.resize(layers.size());
  state.routing = Json::array();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    RoutingFigures figures = routing_metrics(layers[layer], state.choices[layer]);
    state.routing.push_back(write_record(layer_routing(layer, model.moe_places()[layer], std::move(figures), data)));
    state.choices[layer].push_back(layers[layer].choice);
  }
}

std::vector<std::string> dead_expert_notes(const std::vector<RoutingCounts>& layers, const Transformer& model) {
  std::vector<std::string> notes;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<std::string> dead;
    for (std::size_t e = 0; e < layers[layer].load.size(); ++e) {
      if (layers[layer].load[e] == 0) dead.push_back(std::to_string(e));
    }
    if (dead.empty()) continue;
    notes.push_back(fmt::format("{}: no token of the validation set reached expert{} {}",
                                place_text(model.moe_places()[layer]), dead.size() > 1 ? "s" : "", join(dead, ", ")));
  }
  return notes;
}

}  // namespace

std::string place_text(const MoePlace& place) {
  return fmt::format("{}{} block {}", place.extra ? "the layer before " : "",
                     place.stack == Stack::encoder ? "encoder" : "decoder", place.block);
}

std::vector<std::string> record_validation(Transformer& model, const RunSpec& spec, const RunData& data,
                                           const Trainer& trainer, ExecutionContext where, RunState& state) {
  const SetScores scores =
      score_set(model, spec, data, data.valid, data.corpus.valid, spec.evaluation.valid_beam, where);
  state.decoded_sentences += scores.sentences;
  state.decoding_seconds += scores.translation_seconds;
  state.curve.push_back(write_record(curve_point(scores, data, trainer, state.sums)));
  state.curve_seconds.push_back(state.seconds.training);
  state.sums = {};
  update_routing(scores.losses.front().routing, model, data, state);
  return dead_expert_notes(scores.losses.front().routing, model);
}

}  // namespace moe
