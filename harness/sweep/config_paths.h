#pragma once
// Which dotted paths name something in a configuration: for the axes of a grid, for exclude, for claims, for --set.

#include "core/config.h"

#include <string>
#include <vector>

namespace moe {

/// The router of a configuration that names none.
inline constexpr const char* default_router = "dense";

/// The five sections of a configuration, in their order.
const std::vector<std::string>& section_names();

class ConfigPaths {
 public:
  /// Every key of the sections, with the options of these routers in `strategy`. Unknown names are passed over.
  explicit ConfigPaths(const std::vector<std::string>& routers);

  /// True when `path` names a key or a section. Otherwise adds an error at `place`, naming the nearest key.
  bool check(const std::string& path, const std::string& place, ConfigErrors& errors) const;

  /// Adds an error at `place` unless the key at `path` can have this value: right type, a known router.
  void check_value(const std::string& path, const Json& value, const std::string& place, ConfigErrors& errors) const;

  /// True when `value`, given for `path`, is one value; false when it is a list of values, an axis.
  bool is_single_value(const std::string& path, const Json& value) const;

  /// Every key, dotted below its section: path, type, default, help. A key of several routers stands once.
  const std::vector<FieldListing>& keys() const { return keys_; }

  /// Every object that holds keys: "data", "data.synthetic", ...
  std::vector<std::string> sections() const;

 private:
  const FieldListing* find(const std::string& path) const;
  std::vector<std::string> children(const std::string& path) const;
  void add(const std::string& section, std::vector<FieldListing> listings);

  std::vector<FieldListing> keys_;
};

/// The paths of all registered routers together.
const ConfigPaths& all_config_paths();

}  // namespace moe
