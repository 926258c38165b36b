#include "routers/expert_offsets.h"

#include "tests/support/catch.h"

namespace moe {

TEST_CASE("offsets made on the host are copied to a device, and back") {
  const ExpertOffsets made_on_host = std::vector<std::int64_t>{0, 2, 2, 5};
  CHECK(made_on_host.experts() == 3);
  const torch::Tensor& offset_E1 = made_on_host.on(torch::kCPU);
  CHECK(offset_E1.scalar_type() == torch::kInt32);
  CHECK(offset_E1.equal(torch::tensor({0, 2, 2, 5}, torch::kInt32)));
  CHECK(made_on_host.on(torch::kCPU).is_same(offset_E1));

  const ExpertOffsets made_on_device(offset_E1);
  CHECK(made_on_device.experts() == 3);
  CHECK(made_on_device.host() == made_on_host.host());
}

TEST_CASE("offsets of nothing are those of no expert") {
  CHECK(ExpertOffsets().experts() == 0);
  CHECK(ExpertOffsets().host() == std::vector<std::int64_t>{0});
}

}  // namespace moe
