#include "routers/option_files.h"

#include "routers/registry.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

struct NestedOptions {
  std::string plain = "x";
  std::string file;
  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "plain", .help = "no file"}, plain);
    visitor.field({.key = "file", .help = "a file", .schema = file_schema()}, file);
  }
};

struct TwoFiles {
  std::string first;
  NestedOptions below;
  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "first", .help = "a file", .schema = file_schema()}, first);
    visitor.section({.key = "below", .help = "options"}, below);
  }
};

using Named = std::vector<std::pair<std::string, std::string>>;

Named named(const RouterEntry& router, const Json& options) {
  Named found;
  for (const OptionFile& file : option_files(router, options)) found.emplace_back(file.option, file.file);
  return found;
}

TEST_CASE("the table of hash is a file, and no other router's default names one") {
  CHECK(named(find_router("hash"), {{"table", "file"}, {"table_file", "a/b.txt"}}) == Named{{"table_file", "a/b.txt"}});
  for (const RouterEntry& router : all_routers()) {
    ConfigErrors errors;
    CHECK(named(router, router.resolve(Json::object(), "", errors)).empty());
  }
}

TEST_CASE("options at any depth that say so are files") {
  RouterEntry router;
  router.options_schema = [] { return schema_of(TwoFiles{}); };
  TwoFiles options;
  CHECK(named(router, write_settings(options)).empty());
  options.first = "one";
  options.below.file = "two";
  CHECK(named(router, write_settings(options)) == Named{{"first", "one"}, {"below.file", "two"}});
}

}  // namespace
}  // namespace moe
