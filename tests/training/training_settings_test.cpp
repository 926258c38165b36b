#include "training/training_settings.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

template <class Settings>
std::vector<std::string> errors_of(const Json& json) {
  Settings settings;
  ConfigErrors errors;
  read_settings(settings, json, "section", errors);
  if constexpr (requires { check_settings(settings, "section", errors); }) check_settings(settings, "section", errors);
  return errors.sentences();
}

}  // namespace

TEST_CASE("an objective is one pass of cross entropy by default") {
  const Json objective = write_settings(ObjectiveSettings());
  CHECK(objective == Json({{"passes", 1},
                           {"consistency", 0.0},
                           {"label_smoothing", 0.1},
                           {"balance_loss", 0.0},
                           {"balance_layers", "mean"},
                           {"z_loss", 0.0}}));
}

TEST_CASE("a consistency weight needs two passes to compare") {
  CHECK(errors_of<ObjectiveSettings>({{"passes", 2}, {"consistency", 5.0}}).empty());
  CHECK(errors_of<ObjectiveSettings>({{"consistency", 5.0}}) ==
        std::vector<std::string>{
            "section.consistency: a consistency weight compares two passes, so `passes` must be 2."});
}

TEST_CASE("settings out of range are errors at their own path") {
  const std::vector<std::pair<Json, std::string>> wrong = {
      {{{"updates", -1}}, "section.updates"},
      {{{"tokens_per_batch", 0}}, "section.tokens_per_batch"},
      {{{"accumulate", 0}}, "section.accumulate"},
      {{{"warmup", 0}}, "section.warmup"},
      {{{"learning_rate", 0}}, "section.learning_rate"},
      {{{"precision", "fp16"}}, "section.precision"},
      {{{"unused_expert_grad", "some"}}, "section.unused_expert_grad"},
      {{{"flops", 0}}, "section.flops"},
      {{{"learning_rat", 1}}, "section.learning_rat"},
      {{{"clip_norm", "1"}}, "section.clip_norm"}};
  for (const auto& [json, path] : wrong) {
    const std::vector<std::string> errors = errors_of<TrainingSettings>(json);
    INFO(json.dump());
    REQUIRE(errors.size() == 1);
    CHECK(errors.front().rfind(path + ": ", 0) == 0);
  }
  CHECK(errors_of<ObjectiveSettings>({{"passes", 3}}).size() == 1);
  CHECK(errors_of<ObjectiveSettings>({{"label_smoothing", 1}}).size() == 1);
}

TEST_CASE("zero updates, no clipping and null budgets are allowed") {
  CHECK(errors_of<TrainingSettings>({{"updates", 0}, {"clip_norm", 0}, {"flops", nullptr}, {"seconds", nullptr}})
            .empty());
}

}  // namespace moe
