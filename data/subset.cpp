#include "data/subset.h"

#include "core/random.h"
#include "data/shuffle.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace moe {
namespace {

/// The first `count` of the lines in an order drawn for texts of this length.
std::vector<std::size_t> drawn_lines(std::size_t lines, std::size_t count) {
  std::vector<std::size_t> order(lines);
  std::iota(order.begin(), order.end(), std::size_t{0});
  order = shuffled(std::move(order), RandomStream(0).at(StreamTag::sampling).at("train_share"));
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

template <class Item>
void keep(std::vector<Item>& all, const std::vector<std::size_t>& lines) {
  if (all.empty()) return;  // labels, which only worlds have
  std::vector<Item> kept;
  for (const std::size_t line : lines) kept.push_back(std::move(all[line]));
  all = std::move(kept);
}

}  // namespace

void keep_share(TextSet& set, double share) {
  for (ParallelText& text : set.directions) {
    const std::size_t lines = text.source.size();
    const auto count = static_cast<std::size_t>(std::ceil(share * static_cast<double>(lines)));
    if (count >= lines) continue;
    const std::vector<std::size_t> kept = drawn_lines(lines, count);
    keep(text.source, kept);
    keep(text.target, kept);
    keep(text.label, kept);
  }
}

}  // namespace moe
