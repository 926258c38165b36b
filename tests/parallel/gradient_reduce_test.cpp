#include "parallel/gradient_reduce.h"

#include "parallel/nccl_transport.h"
#include "parallel/share_out.h"
#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/recording_nccl.h"

#include <torch/types.h>

#include <mutex>
#include <stdexcept>

namespace moe {
namespace {

using Partials = std::vector<TreeSum<Gradients>::Partial>;

/// Three parameters; the second has a gradient in every other micro-batch, the third never, and the first is a stack of
/// four experts of which the second is never used.
const std::vector<torch::Tensor>& parameters() {
  static const std::vector<torch::Tensor> all = {torch::zeros({4, 3, 5}), torch::zeros({7}), torch::zeros({2})};
  return all;
}

Gradients gradients_of(std::int64_t micro_batch) {
  torch::Tensor stacked = noise({4, 3, 5}, static_cast<int>(micro_batch)) * 1e3;
  stacked[1].zero_();
  return {stacked, micro_batch % 2 == 1 ? noise({7}, 100 + static_cast<int>(micro_batch)) : torch::Tensor(), {}};
}

Partials partials_of(const Share& share) {
  TreeSum<Gradients> sum;
  for (std::int64_t i = share.first; i < share.last; ++i) sum.push({i, 0}, gradients_of(i), add_gradients);
  return sum.partials();
}

const std::vector<GradientRange> ranges = {{0, 0, 15}, {0, 30, 15}, {0, 45, 15}, {1, 0, 7}, {2, 0, 2}};

}  // namespace

TEST_CASE("ranks add up the bits of one process, however they share the micro-batches") {
  const bool by_nccl = GENERATE(false, true);
  for (const std::int64_t micro_batches : {1, 2, 3, 5, 8}) {
    TreeSum<Gradients> alone;
    for (std::int64_t i = 0; i < micro_batches; ++i) alone.push({i, 0}, gradients_of(i), add_gradients);
    const Gradients expected = alone.finish(add_gradients);
    for (const int size : {1, 2, 3, 4, 7}) {
      RecordingNccl nccl(size);
      std::mutex mutex;
      int equal = 0;
      run_on_threads(size, 60, [&](Communicator& ranks) {
        if (by_nccl) use_nccl(ranks, torch::kCPU, RecordingNccl::api);
        const Gradients sum =
            reduce_gradients(ranks, partials_of(share_of(micro_batches, ranks.rank(), size)), parameters(), ranges);
        const std::scoped_lock lock(mutex);
        bool same = sum[0].equal(expected[0]) && !sum[2].defined() && sum[1].defined() == expected[1].defined();
        if (same && sum[1].defined()) same = sum[1].equal(expected[1]);
        equal += same ? 1 : 0;
      });
      INFO(micro_batches << " micro-batches, " << size << " ranks, " << (by_nccl ? "NCCL" : "the host's memory"));
      CHECK(equal == size);
      CHECK(nccl.mismatch().empty());
    }
  }
}

TEST_CASE("a sum leaves memory alone that others hold") {
  const torch::Tensor stored = noise({2, 3}, 1), before = stored.clone();
  // As kernels/experts/gradient_store.h, which keeps zeros there.
  std::vector<torch::Storage> stores;
  stores.push_back(stored.storage());
  Gradients earlier = {stored};
  add_gradients(earlier, {noise({2, 3}, 2)});
  CHECK(torch::equal(earlier[0], before + noise({2, 3}, 2)));
  CHECK(torch::equal(stored, before));

  const torch::Tensor own = earlier[0];
  add_gradients(earlier, {before});
  CHECK(own.const_data_ptr() == earlier[0].const_data_ptr());
}

TEST_CASE("a parameter that is larger than a bucket is summed in pieces") {
  const std::int64_t elements = (std::int64_t{1} << 22) + 12345;
  const torch::Tensor one = torch::arange(elements, torch::kFloat32);
  run_on_threads(2, 60, [&](Communicator& ranks) {
    TreeSum<Gradients> mine;
    mine.push({ranks.rank(), 0}, {one.clone()}, add_gradients);
    const Gradients sum = reduce_gradients(ranks, mine.partials(), {one}, {{0, 0, elements}});
    if (!sum[0].equal(one + one)) throw std::runtime_error("a wrong sum");
  });
}

}  // namespace moe
