#pragma once
// `moe-bench list`: what can be named in a sweep.

#include <iosfwd>
#include <string>

namespace moe {

/// Writes the catalogue `what` (routers, objectives, models, data or metrics): for each item its name, what it is,
/// where it comes from, and its options with type, default and meaning, at most 110 columns wide; with `json` a list of
/// objects. Throws Error (request_wrong) for another name.
void list_things(const std::string& what, bool json, std::ostream& out);

}  // namespace moe
