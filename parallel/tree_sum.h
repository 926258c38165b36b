#pragma once
// A sum as a fixed binary tree over its terms, whoever adds which part of it.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace moe {

/// The sum of the terms [first, first + 2^level); `first` is a multiple of 2^level.
struct TreeNode {
  std::int64_t first = 0;
  int level = 0;
};

/// Adds values pairwise, like carries of a binary counter: ((v0 + v1) + (v2 + v3)) + v4. The shape of the sum depends
/// on the number of terms alone. Terms, or whole nodes of the tree, come in the order of the terms; a part that starts
/// elsewhere than at term 0 is added up as far as the tree allows, and its nodes are pushed into the whole.
template <class Value>
class TreeSum {
 public:
  struct Partial {
    TreeNode node;
    Value value;
  };

  /// add(earlier, later) adds the later value to the earlier one.
  template <class Add>
  void push(TreeNode node, Value value, Add add) {
    partials_.push_back({node, std::move(value)});
    while (are_siblings()) merge_last_two(add);
  }

  /// Adds up what is left, from the end. Needs at least one term.
  template <class Add>
  Value finish(Add add) {
    while (partials_.size() > 1) merge_last_two(add);
    Value sum = std::move(partials_.front().value);
    partials_.clear();
    return sum;
  }

  std::vector<Partial>& partials() { return partials_; }

 private:
  bool are_siblings() const {
    if (partials_.size() < 2) return false;
    const TreeNode &earlier = partials_[partials_.size() - 2].node, &later = partials_.back().node;
    return earlier.level == later.level && earlier.first % (std::int64_t{2} << earlier.level) == 0;
  }

  template <class Add>
  void merge_last_two(Add add) {
    Partial later = std::move(partials_.back());
    partials_.pop_back();
    add(partials_.back().value, std::move(later.value));
    ++partials_.back().node.level;
  }

  std::vector<Partial> partials_;
};

}  // namespace moe
