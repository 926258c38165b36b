#include "routers/registry.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>

// One line per router, in the order of charts and tables: NAME_router() is defined in routers/*.cpp. A line without its
// definition does not link; a second router of one name is refused at first use.
#define MOE_ROUTERS(ROUTER) \
  ROUTER(dense)             \
  ROUTER(dense_2x)          \
  ROUTER(dense_wide)        \
  ROUTER(switch)            \
  ROUTER(switch_paper)      \
  ROUTER(frozen)            \
  ROUTER(gshard)            \
  ROUTER(gshard_paper)      \
  ROUTER(top_k)             \
  ROUTER(noisy_top_k)       \
  ROUTER(bias_balanced)     \
  ROUTER(shared_expert)     \
  ROUTER(cmr)               \
  ROUTER(expert_choice)     \
  ROUTER(base)              \
  ROUTER(soft)              \
  ROUTER(smoe)              \
  ROUTER(stable)            \
  ROUTER(cosine)            \
  ROUTER(task_static)       \
  ROUTER(task_learned)      \
  ROUTER(task_aware_token)  \
  ROUTER(sentence)          \
  ROUTER(hash)              \
  ROUTER(random)            \
  ROUTER(thor)              \
  ROUTER(oracle)

namespace moe {

#define DECLARE_ROUTER(name) RouterEntry name##_router();
MOE_ROUTERS(DECLARE_ROUTER)
#undef DECLARE_ROUTER

// Written by CMake from MOE_BENCH_EXTRA_ROUTERS: DECLARE lines and a MOE_EXTRA_ROUTERS list, both empty by default.
#include "routers/extra_routers.inc"

const std::vector<RouterEntry>& all_routers() {
  static const std::vector<RouterEntry> routers = [] {
#define LIST_ROUTER(name) name##_router(),
    std::vector<RouterEntry> list = {MOE_ROUTERS(LIST_ROUTER) MOE_EXTRA_ROUTERS(LIST_ROUTER)};
#undef LIST_ROUTER
    for (auto router = list.begin(); router != list.end(); ++router) {
      const bool twice =
          std::any_of(list.begin(), router, [&](const auto& other) { return other.name == router->name; });
      MOE_CHECK(!twice, "Two routers are named \"{}\".", router->name);
    }
    return list;
  }();
  return routers;
}

std::shared_ptr<Router> make_router(const std::string& name, const Json& options, const RouterContext& context,
                                    const std::string& document) {
  const RouterEntry& entry = find_router(name);
  ConfigErrors errors;
  const Json resolved = entry.resolve(options, "strategy", errors);
  errors.throw_if_any(document);
  return entry.make(resolved, context);
}

std::vector<std::string> router_names() {
  std::vector<std::string> names;
  for (const RouterEntry& router : all_routers()) names.push_back(router.name);
  return names;
}

const RouterEntry& find_router(const std::string& name) {
  for (const RouterEntry& router : all_routers()) {
    if (router.name == name) return router;
  }
  const std::optional<std::string> meant = nearest(name, router_names());
  throw Error(fmt::format("unknown router \"{}\"{}; known are {}.", name,
                          meant ? fmt::format("; did you mean \"{}\"?", *meant) : "", join(router_names(), ", ")));
}

}  // namespace moe
