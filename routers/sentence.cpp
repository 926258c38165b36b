// Sentence routing (Kudugunta et al. 2021): one choice for all tokens of a sentence, by a gate that sees the mean of
// their states. The decoder's layers see the mean of the final encoder states instead: the mean of their own would show
// the future.
#include "routers/token_choice.h"

#include <torch/types.h>

// Legend: T tokens, R rows (sentences), D width.

namespace moe {
namespace {

/// Mean of the states of each row's valid tokens, [R, D]; 0 for a row of padding.
torch::Tensor mean_of_rows(const torch::Tensor& x_TD, const Tokens& tokens) {
  const torch::Tensor valid_T1 = tokens.valid_T.to(x_TD.device()).unsqueeze(1);
  const torch::Tensor row_T = tokens.row_T.to(x_TD.device());
  const auto zeros = [&](std::int64_t columns) { return torch::zeros({tokens.rows, columns}, x_TD.options()); };
  const torch::Tensor sum_RD = zeros(x_TD.size(1)).index_add(0, row_T, x_TD.masked_fill(valid_T1.logical_not(), 0));
  const torch::Tensor count_R1 = zeros(1).index_add(0, row_T, valid_T1.to(x_TD.scalar_type()));
  return sum_RD / count_R1.clamp_min(1);
}

class SentenceRouter : public SoftmaxGateRouter {
 public:
  SentenceRouter(const TopKOptions& options, const RouterContext& context)
      : SoftmaxGateRouter(options.choice, options.k, context) {}

  SublayerContract contract() const override { return {.reads_memory = true}; }

 protected:
  GateScores score(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const bool in_decoder = tokens.memory_RD.defined();
    const torch::Tensor precise_TD = x_TD.scalar_type() == torch::kFloat64 ? x_TD : x_TD.to(torch::kFloat32);
    const torch::Tensor mean_RD = in_decoder ? tokens.memory_RD : mean_of_rows(precise_TD, tokens);
    return SoftmaxGateRouter::score(mean_RD.index_select(0, tokens.row_T.to(mean_RD.device())), one_place(tokens));
  }
};

}  // namespace

RouterEntry sentence_router() {
  return make_router_entry<SentenceRouter, TopKOptions>(
      "sentence", "experts chosen by the mean state of the sentence; in the decoder, of the source sentence",
      "Kudugunta et al. 2021, Beyond Distillation (arXiv 2110.03742)", {{"balance_loss", 0.01}});
}

}  // namespace moe
