#include "training/weight_mean.h"

#include "core/error.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

namespace moe {
namespace {

void fill(Transformer& model, double value) {
  const torch::NoGradGuard no_gradient;
  for (auto& item : model.named_parameters()) item.value().fill_(value);
}

bool all_are(const Transformer& model, double value) {
  for (const auto& item : model.named_parameters()) {
    if (!(item.value() == value).all().item<bool>()) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("the mean of weights is that of all that were added") {
  const auto model = tiny_transformer("dense");
  WeightMean mean;
  for (const double value : {1.0, 2.0, 6.0}) {
    fill(*model, value);
    mean.add(*model);
  }
  fill(*model, -1);
  CHECK(mean.count() == 3);
  mean.load_into(*model);
  CHECK(all_are(*model, 3));
}

TEST_CASE("the mean of nothing leaves the model as it is") {
  const auto model = tiny_transformer("dense");
  fill(*model, 5);
  WeightMean().load_into(*model);
  CHECK(all_are(*model, 5));
}

TEST_CASE("a mean goes on from a file") {
  const auto model = tiny_transformer("switch", {{"experts", 2}});
  WeightMean mean;
  fill(*model, 1);
  mean.add(*model);
  LazyTensors sources;
  mean.save(*model, sources);
  const TensorFile file{make_tensors(sources), {}};
  WeightMean other;
  other.load(*model, file);
  fill(*model, 2);
  other.add(*model);
  other.load_into(*model);
  CHECK(other.count() == 2);
  CHECK(all_are(*model, 1.5));

  TensorFile without_sums;
  without_sums.tensors["mean_count"] = file.tensors.at("mean_count");
  CHECK_THROWS_AS(WeightMean().load(*model, without_sums), Error);
}

}  // namespace moe
