#include "metrics/table.h"

#include "core/error.h"
#include "metrics/bleu.h"
#include "tests/support/catch.h"

#include <set>

namespace moe {

TEST_CASE("every metric has a name of its own, a title and a summary") {
  std::set<std::string> names;
  for (const MetricEntry& metric : all_metrics()) {
    INFO(metric.name);
    CHECK(names.insert(metric.name).second);
    CHECK_FALSE(metric.title.empty());
    CHECK_FALSE(metric.summary.empty());
    CHECK(find_metric(metric.name).title == metric.title);
    if (metric.in_claims || metric.in_tuning) CHECK(metric.better != Better::neither);
    CHECK(metric.in_claims == (metric.equal_within > 0));
  }
  CHECK_THROWS_WITH(find_metric("ter"), "There is no metric \"ter\".");
}

TEST_CASE("metrics say which way is better, in what unit, and what defines them") {
  CHECK(find_metric("bleu").signature == bleu_signature({}, 1));
  CHECK(described(find_metric("bleu")) == "BLEU on a test set, 0 to 100; higher is better");
  CHECK(described(find_metric("perplexity")) == "exp(loss); lower is better");
  CHECK(described(find_metric("entropy")) == "of the load, nats; log of the number of experts is even");
  CHECK(axis_title(find_metric("bleu")) == "BLEU");
  CHECK(axis_title(find_metric("loss")) == "loss (nats per token)");
  CHECK(metrics_in_claims() == std::vector<std::string>{"bleu", "chrf", "loss", "calibrated_loss"});
  CHECK(metrics_in_tuning() == std::vector<std::string>{"bleu", "loss"});
}

}  // namespace moe
