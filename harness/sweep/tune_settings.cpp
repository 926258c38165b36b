#include "harness/sweep/tune_settings.h"

#include "core/error.h"
#include "harness/sweep/grid.h"
#include "metrics/table.h"

#include <algorithm>

namespace moe {

void TuneSettings::visit(FieldVisitor& visitor) {
  const Json keys = {{"type", "object"}};
  visitor.field({.key = "grid",
                 .help = "what every strategy tries: keys with lists of values, crossed",
                 .schema = {{"type", "object"}, {"minProperties", 1}}},
                grid);
  visitor.field(
      {.key = "at", .help = "conditions on the runs of the sweep that stand for their strategy", .schema = keys}, at);
  visitor.field({.key = "seeds",
                 .help = "seeds of the trials, none of which a run of the sweep has",
                 .schema = {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 0}}}, {"minItems", 1}}},
                seeds);
  visitor.field({.key = "metric", .help = "what is compared on the validation set", .choices = metrics_in_tuning()},
                metric);
}

void check_tune(const Json& tune, const std::vector<RunSpec>& runs, const ConfigPaths& paths, ConfigErrors& errors) {
  TuneSettings settings;
  read_settings(settings, tune, "tune", errors);
  if (!tune.is_object()) return;
  errors.check(settings.grid.is_object() && !settings.grid.empty(), "tune.grid",
               "missing; it says what is tried, such as {\"training.learning_rate\": [1e-3, 2e-3]}.");
  if (settings.grid.is_object()) {
    for (const auto& [path, values] : settings.grid.items()) {
      const std::string place = "tune.grid." + path;
      if (!paths.check(path, place, errors)) continue;
      // A trial starts from a resolved run, whose options are all given and would win over a profile.
      errors.check(path != "strategy.compat", place, "a profile cannot be tuned; name the options that it stands for.");
      errors.check(values.is_array() && !values.empty() && !paths.is_single_value(path, values), place,
                   fmt::format("found {}, expected a list of at least one value.", short_json(values)));
      if (!values.is_array()) continue;
      for (std::size_t i = 0; i < values.size(); ++i) {
        paths.check_value(path, values[i], fmt::format("{}[{}]", place, i), errors);
      }
    }
  }
  if (settings.at.is_object() && !settings.at.empty()) {
    check_conditions(read_entry(settings.at, "tune.at", paths, errors), paths, errors);
  }
  const bool seeds_are_numbers = settings.seeds.is_array() && !settings.seeds.empty() &&
                                 std::all_of(settings.seeds.begin(), settings.seeds.end(), [](const Json& seed) {
                                   return seed.is_number_integer() && seed.get<std::int64_t>() >= 0;
                                 });
  errors.check(seeds_are_numbers, "tune.seeds",
               fmt::format("found {}, expected a list of whole numbers from 0.", short_json(settings.seeds)));
  if (!seeds_are_numbers) return;
  for (const RunSpec& run : runs) {
    const bool shared =
        std::find(settings.seeds.begin(), settings.seeds.end(), Json(run.training.seed)) != settings.seeds.end();
    errors.check(
        !shared, "tune.seeds",
        fmt::format("{} is a seed of the sweep's runs, which must not choose their own settings.", run.training.seed));
  }
}

}  // namespace moe
