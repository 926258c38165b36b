#pragma once
// Options that name a file which the router reads: what stands there belongs to the run as its configuration does.

#include "routers/entry.h"

#include <string>
#include <vector>

namespace moe {

/// The `schema` of a Field that names such a file. An empty name is none.
Json file_schema();

struct OptionFile {
  std::string option;  ///< dotted below the router's options
  std::string file;
};

/// The files that resolved options of this router name.
std::vector<OptionFile> option_files(const RouterEntry& router, const Json& options);

}  // namespace moe
