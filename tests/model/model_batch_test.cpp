#include "model/model_batch.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace moe {
namespace {

torch::Tensor ids(const std::vector<std::int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

}  // namespace

TEST_CASE("a batch of two sentences, field by field") {
  const EncodedSet set = {{{5, 6, end_id}, {7, end_id}, {}, 1, 40}, {{8, end_id}, {9, 4, end_id}, {}, 0, 41}};
  const ModelBatch batch = make_model_batch(make_batch(set, {0, 1}), torch::kCPU);

  CHECK(batch.source.id_BL.equal(ids({5, 6, 3, 8, 3, 0}).view({2, 3})));
  CHECK(batch.target.id_BL.equal(ids({2, 7, 0, 2, 9, 4}).view({2, 3})));
  CHECK(batch.target_row_N.equal(ids({0, 1, 3, 4, 5})));
  CHECK(batch.target_id_N.equal(ids({7, 3, 9, 4, 3})));

  const Tokens& source = batch.source.routing;
  CHECK(source.id_T.equal(ids({5, 6, 3, 8, 3, 0})));
  CHECK(source.previous_id_T.equal(ids({begin_id, 5, 6, begin_id, 8, 3})));
  CHECK(source.valid_T.equal(ids({1, 1, 1, 1, 1, 0}).to(torch::kBool)));
  CHECK(source.position_T.equal(ids({0, 1, 2, 0, 1, 2})));
  CHECK(source.sentence_T.equal(ids({40, 40, 40, 41, 41, 41})));
  CHECK(source.direction_T.equal(ids({1, 1, 1, 0, 0, 0})));
  CHECK(source.row_T.equal(ids({0, 0, 0, 1, 1, 1})));
  CHECK(source.rows == 2);
  CHECK(source.valid == 5);
  CHECK(batch.target.routing.valid_T.equal(ids({1, 1, 0, 1, 1, 1}).to(torch::kBool)));
}

TEST_CASE("the mask is minus infinity on padding and 0 elsewhere, and undefined without padding") {
  const ModelTokens padded = make_model_tokens({5, 6, 7, 0}, 2, {0, 1}, {0, 0}, torch::kCPU);
  REQUIRE(padded.mask.defined());
  CHECK(padded.mask.sizes() == torch::IntArrayRef({2, 1, 1, 2}));
  CHECK(padded.mask.view({2, 2}).isinf().equal(ids({0, 0, 0, 1}).to(torch::kBool).view({2, 2})));
  CHECK(padded.mask.min().item<double>() < 0);
  CHECK(padded.mask[0].eq(0).all().item<bool>());
  CHECK_FALSE(make_model_tokens({5, 6, 7, 8}, 2, {0, 1}, {0, 0}, torch::kCPU).mask.defined());
}

}  // namespace moe
