#pragma once
// The list of routers: one visible line each, in the order of charts and tables.

#include "routers/entry.h"

#include <memory>
#include <string>
#include <vector>

namespace moe {

/// All routers, in display order. Two with one name is an Error at first use.
const std::vector<RouterEntry>& all_routers();

/// The router of that name. Throws Error naming the known ones and the nearest.
const RouterEntry& find_router(const std::string& name);

/// A router from options as a sweep gives them, defaults filled in. Throws Error with all that is wrong in `document`.
std::shared_ptr<Router> make_router(const std::string& name, const Json& options, const RouterContext& context,
                                    const std::string& document = "router options");

/// Names in display order.
std::vector<std::string> router_names();

}  // namespace moe
