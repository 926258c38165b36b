#include "routers/decoder_router.h"

#include "routers/registry.h"

#include <torch/types.h>

#include <utility>

namespace moe {
namespace {

class DecoderRouter : public Router {
 public:
  explicit DecoderRouter(std::shared_ptr<Router> router) : router_(register_module("decoder", std::move(router))) {}

  ExpertLayout layout() const override { return router_->layout(); }
  SublayerContract contract() const override { return router_->contract(); }
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override { return router_->route(x_TD, tokens); }
  std::optional<RoutingPlan> next_round(const torch::Tensor& state_TD, const torch::Tensor& y_TD, const Tokens& tokens,
                                        const RoutingPlan& last) override {
    return router_->next_round(state_TD, y_TD, tokens, last);
  }
  torch::Tensor after_round(const torch::Tensor& state_TD, const torch::Tensor& y_TD, const Tokens& tokens,
                            const RoutingPlan& last) override {
    return router_->after_round(state_TD, y_TD, tokens, last);
  }
  std::int64_t weights_per_token() const override { return router_->weights_per_token(); }
  void after_step(const std::vector<std::int64_t>& load) override { router_->after_step(load); }

 private:
  std::shared_ptr<Router> router_;
};

}  // namespace

RouterEntry with_decoder_router(RouterEntry entry, DecoderChoice choice) {
  entry.resolve = [resolve = entry.resolve, choice](const Json& given, const std::string& path, ConfigErrors& errors) {
    Json options = resolve(given, path, errors);
    const std::string decoder = choice(options);
    if (!decoder.empty()) find_router(decoder).resolve({{"experts", options["experts"]}}, path, errors);
    return options;
  };
  entry.make = [make = entry.make, choice](const Json& options,
                                           const RouterContext& context) -> std::shared_ptr<Router> {
    const std::string decoder = context.stack == Stack::decoder ? choice(options) : "";
    if (decoder.empty()) return make(options, context);
    return std::make_shared<DecoderRouter>(make_router(decoder, {{"experts", options["experts"]}}, context));
  };
  return entry;
}

}  // namespace moe
