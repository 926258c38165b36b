#include "harness/run/validation.h"

#include "core/error.h"
#include "core/text.h"
#include "metrics/routing.h"
#include "metrics/statistics.h"

#include <torch/types.h>

#include <cmath>

namespace moe {
namespace {

Json curve_point(const SetScores& scores, const RunData& data, const Trainer& trainer, const CurveSums& sums) {
  Json loss_draws = Json::array(), bleu_draws = Json::array(), by_direction = Json::array();
  for (const SetLoss& loss : scores.losses) loss_draws.push_back(loss.per_token());
  for (std::size_t draw = 0; draw < scores.losses.size(); ++draw) {
    double sum = 0;
    for (const auto& draws : scores.bleu) sum += draws[draw];
    bleu_draws.push_back(sum / static_cast<double>(scores.bleu.size()));
  }
  for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
    by_direction.push_back(
        {{"direction", data.corpus.directions[d].name}, {"loss", scores.mean_loss(d)}, {"bleu", mean(scores.bleu[d])}});
  }
  const bool trained = sums.updates > 0;
  const auto mean_of = [&](double sum) { return trained ? Json(sum / static_cast<double>(sums.updates)) : Json(); };
  return {{"update", trainer.update()},
          {"flops", trainer.flops()},
          {"cross_entropy", mean_of(sums.cross_entropy)},
          {"consistency", mean_of(sums.consistency)},
          {"balance_loss", mean_of(sums.balance)},
          {"learning_rate", trained ? Json(trainer.learning_rate()) : Json()},
          {"valid_loss", scores.mean_loss()},
          {"valid_loss_draws", loss_draws},
          {"valid_perplexity", std::exp(scores.mean_loss())},
          {"valid_bleu", scores.mean_bleu()},
          {"valid_bleu_draws", bleu_draws},
          {"valid_by_direction", by_direction}};
}

void update_routing(const std::vector<RoutingCounts>& layers, const Transformer& model, const RunData& data,
                    RunState& state) {
  state.choices.resize(layers.size());
  state.routing = Json::array();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const MoePlace& place = model.moe_places()[layer];
    Json figures = {
        {"layer", layer}, {"stack", place.stack == Stack::encoder ? "encoder" : "decoder"}, {"block", place.block}};
    if (place.extra) figures["extra"] = true;
    figures.update(routing_figures(layers[layer], state.choices[layer]));
    for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
      Json& entry = figures["load_by_direction"][d];
      entry = {{"direction", data.corpus.directions[d].name}, {"load", std::move(entry)}};
    }
    state.routing.push_back(std::move(figures));
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
                                           const Trainer& trainer, torch::Device device, RunState& state) {
  const SetScores scores =
      score_set(model, spec, data, data.valid, data.corpus.valid, spec.evaluation.valid_beam, device);
  state.decoded_sentences += scores.sentences;
  state.decoding_seconds += scores.translation_seconds;
  state.curve.push_back(curve_point(scores, data, trainer, state.sums));
  state.curve_seconds.push_back(state.seconds.training);
  state.sums = {};
  update_routing(scores.losses.front().routing, model, data, state);
  return dead_expert_notes(scores.losses.front().routing, model);
}

}  // namespace moe
