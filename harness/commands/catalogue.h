#pragma once
// What can be named in a sweep: the content of `moe-bench list`.

#include "core/config.h"

#include <string>
#include <vector>

namespace moe {

struct CatalogueItem {
  std::string name;
  std::string summary;
  std::string source;                     ///< paper or program; may be empty
  std::vector<FieldListing> options;      ///< keys that come with it, with the values of this item as defaults
  std::vector<std::string> tensors = {};  ///< of a router: names of its parameters and buffers inside an MoE layer
};

/// "routers", "objectives", "models", "data", "metrics".
const std::vector<std::string>& catalogue_names();

/// The items of one catalogue, in the order of charts and tables. Throws Error for an unknown name. The options of a
/// router end with those keys of `objective` whose default it changes.
std::vector<CatalogueItem> catalogue(const std::string& name);

}  // namespace moe
