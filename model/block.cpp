#include "model/block.h"

#include "kernels/dropout.h"
#include "kernels/experts/expert_ffn.h"
#include "model/initialisation.h"

#include <torch/types.h>

// Legend: B sentences, S source and T target positions, R rows of a decoding step, D width, F hidden width.

namespace moe {
namespace {

/// The rows of each pass.
std::vector<torch::Tensor> by_pass(const torch::Tensor& x, std::size_t passes) {
  const torch::Tensor rows = x.reshape({-1, x.size(-1)});
  return passes == 1 ? std::vector{rows} : rows.chunk(static_cast<std::int64_t>(passes));
}

}  // namespace

std::vector<std::uint64_t> DropoutSites::keys() {
  std::vector<std::uint64_t> keys;
  for (const RandomStream& stream : streams) keys.push_back(stream.at(next).bits());
  ++next;
  return keys;
}

Block::Block(const std::string& name, const ModelSettings& settings, Stack stack, std::shared_ptr<MoeLayer> moe,
             std::shared_ptr<MoeLayer> extra, std::uint64_t seed)
    : pre_norm_(settings.norm == "pre") {
  const std::int64_t width = settings.width;
  const auto layer_norm = [&] { return std::make_shared<LayerNorm>(width); };
  const auto attention = [&](const char* part) {
    return std::make_shared<Attention>(name + "." + part, width, settings.heads, seed);
  };
  self_attention_ = register_module("self_attention", attention("self_attention"));
  self_norm_ = register_module("self_norm", layer_norm());
  if (stack == Stack::decoder) {
    cross_attention_ = register_module("cross_attention", attention("cross_attention"));
    cross_norm_ = register_module("cross_norm", layer_norm());
  }
  if (extra) {
    extra_ = register_module("extra", std::move(extra));
    if (extra_->contract().normed) extra_norm_ = register_module("extra_norm", layer_norm());
  }
  if (stack == Stack::decoder && !settings.decoder_ffn) return;
  if (!moe || moe->contract().normed) ffn_norm_ = register_module("ffn_norm", layer_norm());
  if (moe) {
    moe_ = register_module("ffn", std::move(moe));
    return;
  }
  // The first expert of an MoE layer in this place would start with the same values.
  w1_FD_ = register_parameter("ffn_w1", expert_parameter(1, settings.ffn, width, false, seed, name + ".ffn.w1")[0]);
  b1_F_ = register_parameter("ffn_b1", torch::zeros({settings.ffn}));
  w2_DF_ = register_parameter("ffn_w2", expert_parameter(1, width, settings.ffn, false, seed, name + ".ffn.w2")[0]);
  b2_D_ = register_parameter("ffn_b2", torch::zeros({width}));
}

template <class Work>
torch::Tensor Block::sublayer(const torch::Tensor& x, const LayerNorm& norm, torch::Dtype dtype, double dropout,
                              StackPass& pass, Work work) {
  const std::vector<std::uint64_t> keys = pass.sites.keys();
  if (!pre_norm_) return norm.forward(residual_dropout(x, work(x), dropout, keys));
  const NormedBranch branch = norm.branch(x, dtype);
  return residual_dropout(branch.residual, work(branch.normed), dropout, keys);
}

torch::Tensor Block::plain_net(const torch::Tensor& x) const {
  const torch::Dtype dtype = compute_type(x);
  const auto only = [&](const torch::Tensor& parameter) { return parameter.to(dtype).unsqueeze(0); };
  const torch::Tensor x_TD = x.reshape({-1, x.size(-1)}).to(dtype);
  const ExpertWeights weights{only(w1_FD_), only(b1_F_), only(w2_DF_), only(b2_D_)};
  return expert_ffn(x_TD, {}, {}, {0, x_TD.size(0)}, weights).view(x.sizes());
}

torch::Tensor Block::moe_sublayer(const torch::Tensor& x, MoeLayer& moe, const LayerNorm* norm, StackPass& pass) {
  const auto work = [&](const torch::Tensor& input) {
    const auto inputs = by_pass(input, pass.tokens.size()), states = by_pass(x, pass.tokens.size());
    std::vector<torch::Tensor> outputs;
    for (std::size_t p = 0; p < inputs.size(); ++p) {
      MoeOutput output = moe.forward(inputs[p], pass.tokens[p], states[p]);
      outputs.push_back(output.y_TD);
      pass.plans[p].push_back(std::move(output.plan));
    }
    return (outputs.size() == 1 ? outputs[0] : torch::cat(outputs)).view(x.sizes());
  };
  if (!moe.contract().normed) {
    pass.sites.keys();  // not used, so that the sites after it drop the same elements whatever the router
    return x + work(x);
  }
  // Routers read states in full precision.
  return sublayer(x, *norm, x.scalar_type(), moe.contract().dropout ? pass.sites.rate : 0, pass, work);
}

torch::Tensor Block::extra_sublayer(const torch::Tensor& x, StackPass& pass) {
  return extra_ ? moe_sublayer(x, *extra_, extra_norm_.get(), pass) : x;
}

torch::Tensor Block::feed_forward_sublayer(const torch::Tensor& x, StackPass& pass) {
  if (moe_) return moe_sublayer(x, *moe_, ffn_norm_.get(), pass);
  if (!ffn_norm_) return x;
  return sublayer(x, *ffn_norm_, pass, [&](const torch::Tensor& normed) { return plain_net(normed); });
}

torch::Tensor Block::encode(const torch::Tensor& x_BSD, const torch::Tensor& mask, StackPass& pass) {
  const torch::Tensor attended = sublayer(x_BSD, *self_norm_, pass, [&](const torch::Tensor& x) {
    return self_attention_->self_attention(x, mask, /*causal=*/false);
  });
  return feed_forward_sublayer(attended, pass);
}

torch::Tensor Block::decode(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD,
                            const torch::Tensor& memory_mask, StackPass& pass) {
  // Padding stands at the end of a target, where causality keeps it from every real position: no mask is needed.
  const torch::Tensor input = extra_sublayer(x_BTD, pass);
  const torch::Tensor attended = sublayer(input, *self_norm_, pass, [&](const torch::Tensor& x) {
    return self_attention_->self_attention(x, {}, /*causal=*/true);
  });
  const torch::Tensor crossed = sublayer(attended, *cross_norm_, pass, [&](const torch::Tensor& x) {
    return cross_attention_->attend_memory(x, memory_BSD, memory_mask);
  });
  return feed_forward_sublayer(crossed, pass);
}

torch::Tensor Block::decode_step(const torch::Tensor& x_RD, KvCache& cache, const torch::Tensor& origin_RP,
                                 std::int64_t position, const torch::Tensor& memory_BS2D,
                                 const torch::Tensor& memory_mask, StackPass& pass) {
  const torch::Tensor input = extra_sublayer(x_RD, pass);
  const torch::Tensor attended = sublayer(input, *self_norm_, pass, [&](const torch::Tensor& x) {
    return self_attention_->self_attention_step(x, cache, origin_RP, position);
  });
  const torch::Tensor crossed = sublayer(attended, *cross_norm_, pass, [&](const torch::Tensor& x) {
    // The beams of a sentence are so many queries over one memory.
    const torch::Tensor queries = x.view({memory_BS2D.size(0), -1, x.size(1)});
    return cross_attention_->cross_attention(queries, memory_BS2D, memory_mask).reshape(x.sizes());
  });
  return feed_forward_sublayer(crossed, pass);
}

}  // namespace moe
