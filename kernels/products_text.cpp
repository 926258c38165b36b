#include "kernels/products_text.h"

#include <fmt/format.h>

namespace moe {
namespace {

const char* name_of(Product product) {
  switch (product) {
    case Product::float32:
      return "ours";
    case Product::pairs:
      return "ours, in bfloat16 pairs";
    default:
      return "LibTorch's";
  }
}

}  // namespace

std::string describe(const Products& products) {
  std::string text = fmt::format("linear maps {}", name_of(products.linear));
  if (products.fewest_rows > 0) text += fmt::format(", on fewer than {} rows LibTorch's", products.fewest_rows);
  return text + fmt::format("; experts and attention {}", name_of(products.one_thread));
}

}  // namespace moe
