#include "harness/commands/list_command.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/data_settings.h"
#include "harness/commands/catalogue.h"
#include "model/model_settings.h"
#include "routers/registry.h"
#include "tests/support/catch.h"
#include "training/training_settings.h"

#include <filesystem>
#include <set>
#include <sstream>

namespace moe {
namespace {

std::string text_of(const std::string& what) {
  std::ostringstream out;
  list_things(what, false, out);
  return out.str();
}

Json json_of(const std::string& what) {
  std::ostringstream out;
  list_things(what, true, out);
  return parse_json(out.str(), what);
}

/// The lines from the one that is `name` to the next blank one.
std::string item_of(const std::string& text, const std::string& name) {
  const std::size_t start = ("\n" + text).find("\n" + name + "\n");
  REQUIRE(start != std::string::npos);
  return text.substr(start, text.find("\n\n", start) - start);
}

TEST_CASE("no line is longer than a page, and none ends in spaces") {
  for (const std::string& what : catalogue_names()) {
    for (const std::string& line : split(text_of(what), '\n')) {
      CHECK(line.size() <= 110);
      CHECK_FALSE(line.ends_with(' '));
    }
  }
}

TEST_CASE("a router is listed with summary, source and options") {
  CHECK(
      item_of(text_of("routers"), "random") ==
      "random\n"
      "    a uniform draw for each token, nothing learned\n"
      "    control of this suite; see Zuo et al. 2021 (arXiv 2110.04260)\n"
      "    option                      type             default     meaning\n"
      "    experts                     integer          4           number of experts of a layer (at least 1)\n"
      "    granularity                 string           token       what shares a draw: nothing, a sentence, or all\n"
      "                                                             tokens of a forward pass (one of token, sentence,\n"
      "                                                             batch)\n"
      "    inference                   string           resample    evaluation: fresh draws with the granularity of\n"
      "                                                             training (resample), or token, sentence,\n"
      "                                                             position_shared, mean, merged, fixed:E");
}

TEST_CASE("a paper's own setting shows what it changes") {
  CHECK(item_of(text_of("routers"), "bias_balanced").find("tensors: router.weight, router.bias\n") !=
        std::string::npos);
  const std::string paper = item_of(text_of("routers"), "switch-paper");
  CHECK(paper.find("options of switch, with other defaults:") != std::string::npos);
  CHECK(paper.find("1.25") != std::string::npos);
  CHECK(paper.find("minimum_capacity") == std::string::npos);
}

TEST_CASE("the JSON has every item with all its options") {
  const Json routers = json_of("routers");
  REQUIRE(routers.size() == router_names().size());
  for (std::size_t i = 0; i < routers.size(); ++i) {
    CHECK(routers[i]["name"] == router_names()[i]);
    CHECK_FALSE(routers[i]["summary"].get<std::string>().empty());
    CHECK_FALSE(routers[i]["source"].get<std::string>().empty());
  }
  const Json& thor =
      *std::find_if(routers.begin(), routers.end(), [](const Json& item) { return item["name"] == "thor"; });
  const Json& last = thor["options"].back();
  CHECK(last["key"] == "objective.consistency");
  CHECK(last["default"] == 5.0);
  CHECK(last["type"] == "number");
  CHECK(last["allowed"] == "at least 0");
}

TEST_CASE("the other catalogues") {
  const Json models = json_of("models");
  REQUIRE(models.size() == model_presets().size() + 1);
  CHECK(models[0]["name"] == "tiny");
  CHECK(models[0]["summary"] == "4 encoder and 4 decoder blocks, width 128, feed-forward width 256, 4 heads");
  CHECK(text_of("objectives").find("consistency") != std::string::npos);
  CHECK(text_of("data").find("synthetic.train_sentences") != std::string::npos);
  CHECK(item_of(text_of("metrics"), "flip_rate") ==
        "flip_rate\n    share of the tokens whose first choice changed since the last validation");
}

/// The keys of all items of a catalogue, as often as they are listed.
std::multiset<std::string> keys_of(const std::string& what) {
  std::multiset<std::string> keys;
  for (const CatalogueItem& item : catalogue(what)) {
    for (const FieldListing& option : item.options) keys.insert(option.path);
  }
  return keys;
}

template <class Settings>
std::multiset<std::string> keys_of_settings() {
  std::multiset<std::string> keys;
  for (const FieldListing& listing : list_fields(Settings{})) keys.insert(listing.path);
  return keys;
}

TEST_CASE("every key of the settings is listed once") {
  CHECK(keys_of("objectives") == keys_of_settings<ObjectiveSettings>());
  CHECK(keys_of("models") == keys_of_settings<ModelSettings>());
  std::multiset<std::string> data = keys_of_settings<DataSettings>();
  data.insert("test");   // both sources have test sets
  data.erase("source");  // the names of the items are its values
  CHECK(keys_of("data") == data);
}

TEST_CASE("every number that a result has of a test set or a layer is explained") {
  std::set<std::string> listed;
  for (const CatalogueItem& item : catalogue("metrics")) listed.insert(item.name);
  const Json schema = read_json(std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "schemas" / "result.schema.json");
  const std::set<std::string> of_what = {
      "set",   "direction", "sentences", "hypotheses",       "last_model", "layer", "stack", "block", "sentence_scores",
      "extra", "experts",   "tokens",    "load_by_direction"};
  for (const char* part : {"scores", "routing"}) {
    for (const auto& [key, value] : schema.at("properties").at(part).at("items").at("properties").items()) {
      CAPTURE(part, key);
      if (!of_what.contains(key)) CHECK(listed.contains(key));
    }
  }
}

TEST_CASE("another catalogue is refused") {
  std::ostringstream out;
  CHECK_THROWS_WITH(
      list_things("router", false, out),
      "list: found \"router\", allowed is one of routers, objectives, models, data, metrics (did you mean "
      "\"routers\"?).");
}

}  // namespace
}  // namespace moe
