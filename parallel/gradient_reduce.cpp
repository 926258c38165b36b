#include "parallel/gradient_reduce.h"

#include "parallel/share_out.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace moe {
namespace {

constexpr std::int64_t bucket_elements = std::int64_t{1} << 22;  ///< 16 MiB at a time

/// A partial sum as the other ranks need to know it.
struct NodeShape {
  std::int64_t first = 0;
  int level = 0;
  std::vector<bool> defined;  ///< by parameter
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(NodeShape, first, level, defined)

using Ranges = std::vector<GradientRange>;

/// visit(range, its elements [offset, offset + count) in the parameter, place of the first in the part) for each range
/// with elements among the bucket's that are the part.
template <class Visit>
void visit_overlaps(const Ranges& bucket, const Share& part, Visit visit) {
  std::int64_t start = 0;  // of the range among the bucket's elements
  for (const GradientRange& range : bucket) {
    const std::int64_t first = std::max(start, part.first), last = std::min(start + range.count, part.last);
    if (first < last)
      visit(GradientRange{range.parameter, range.offset + first - start, last - first}, first - part.first);
    start += range.count;
  }
}

torch::Tensor elements_of(const torch::Tensor& tensor, std::int64_t first, std::int64_t count) {
  return tensor.view(-1).narrow(0, first, count);
}

/// Sums one bucket after the other. Its elements are those of its ranges, one after the other.
class Reduction {
 public:
  Reduction(Communicator& ranks, std::vector<TreeSum<Gradients>::Partial>& partials, c10::Device device)
      : ranks_(ranks), partials_(partials), options_(torch::TensorOptions(torch::kFloat32).device(device)) {
    for (auto& partial : partials_) {
      NodeShape shape{partial.node.first, partial.node.level, {}};
      for (torch::Tensor& gradient : partial.value) {
        shape.defined.push_back(gradient.defined());
        if (gradient.defined()) gradient = gradient.to(options_).contiguous();
      }
      mine_.push_back(std::move(shape));
    }
    const std::string text = nlohmann::json(mine_).dump();
    for (const std::string& one : ranks_.all_gather("shapes of gradients", text)) {
      shapes_.push_back(nlohmann::json::parse(one).get<std::vector<NodeShape>>());
    }
  }

  /// True when some micro-batch has a gradient of the parameter.
  bool defined(std::size_t parameter) const {
    return std::any_of(shapes_.begin(), shapes_.end(), [&](const auto& nodes) {
      return std::any_of(nodes.begin(), nodes.end(), [&](const NodeShape& node) { return node.defined[parameter]; });
    });
  }

  void reduce(const Ranges& bucket, std::int64_t elements, Gradients& sum) {
    const torch::Tensor all = torch::empty({elements}, options_);
    std::vector<torch::Tensor> parts;
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const Share part = share_of(elements, rank, ranks_.size());
      parts.push_back(all.narrow(0, part.first, part.count()));
    }
    const Share own = share_of(elements, ranks_.rank(), ranks_.size());
    ranks_.all_gather("sums of gradients", add_up(bucket, own, collect(bucket, elements, own)), parts);
    visit_overlaps(bucket, {0, elements}, [&](const GradientRange& range, std::int64_t place) {
      elements_of(sum[range.parameter], range.offset, range.count).copy_(all.narrow(0, place, range.count));
    });
  }

 private:
  /// This rank's share of the bucket's elements, of every rank's nodes in the tree's order: [nodes, elements].
  torch::Tensor collect(const Ranges& bucket, std::int64_t elements, const Share& own) {
    std::vector<torch::Tensor> send, receive;
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const Share part = share_of(elements, rank, ranks_.size());
      send.push_back(torch::zeros({std::ssize(mine_), part.count()}, options_));
      visit_overlaps(bucket, part, [&](const GradientRange& range, std::int64_t place) {
        for (std::int64_t node = 0; node < std::ssize(mine_); ++node) {
          const torch::Tensor& gradient = partials_[static_cast<std::size_t>(node)].value[range.parameter];
          if (!gradient.defined()) continue;
          send.back()[node].narrow(0, place, range.count).copy_(elements_of(gradient, range.offset, range.count));
        }
      });
    }
    std::int64_t nodes = 0;
    for (const auto& shapes : shapes_) nodes += std::ssize(shapes);
    const torch::Tensor incoming = torch::empty({nodes, own.count()}, options_);
    std::int64_t next = 0;
    for (const auto& shapes : shapes_) {
      receive.push_back(incoming.narrow(0, next, std::ssize(shapes)));
      next += std::ssize(shapes);
    }
    ranks_.all_to_all("partial sums of gradients", send, receive);
    return incoming;
  }

  /// The sum of the nodes' shares [nodes, elements] along the tree. What no node has stays 0.
  torch::Tensor add_up(const Ranges& bucket, const Share& own, const torch::Tensor& incoming) const {
    struct Node {
      torch::Tensor values;
      std::vector<bool> defined;
    };
    const auto add = [&](Node& earlier, Node&& later) {
      visit_overlaps(bucket, own, [&](const GradientRange& range, std::int64_t place) {
        if (!later.defined[range.parameter]) return;
        const torch::Tensor into = earlier.values.narrow(0, place, range.count);
        const torch::Tensor from = later.values.narrow(0, place, range.count);
        if (earlier.defined[range.parameter]) {
          into.add_(from);
        } else {
          into.copy_(from);
        }
      });
      for (std::size_t p = 0; p < earlier.defined.size(); ++p) {
        earlier.defined[p] = earlier.defined[p] || later.defined[p];
      }
    };
    if (incoming.size(0) == 0) return torch::zeros({own.count()}, options_);
    TreeSum<Node> sum;
    std::int64_t next = 0;
    for (const auto& nodes : shapes_) {
      for (const NodeShape& node : nodes) sum.push({node.first, node.level}, {incoming[next++], node.defined}, add);
    }
    return sum.finish(add).values;
  }

  Communicator& ranks_;
  std::vector<TreeSum<Gradients>::Partial>& partials_;
  torch::TensorOptions options_;
  std::vector<NodeShape> mine_;
  std::vector<std::vector<NodeShape>> shapes_;  ///< [rank][node]
};

}  // namespace

void add_gradients(Gradients& earlier, Gradients&& later) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (!later[i].defined()) continue;
    if (earlier[i].defined() && earlier[i].storage().use_count() > 1) {
      earlier[i] = earlier[i] + later[i];  // a store (kernels/experts/gradient_store.h) holds the memory too
    } else if (earlier[i].defined()) {
      earlier[i].add_(later[i]);
    } else {
      earlier[i] = later[i];
    }
  }
}

Gradients reduce_gradients(Communicator& ranks, std::vector<TreeSum<Gradients>::Partial> partials,
                           const std::vector<torch::Tensor>& parameters, const std::vector<GradientRange>& ranges) {
  const torch::NoGradGuard no_grad;
  Reduction reduction(ranks, partials, parameters.front().device());
  const auto zeros_like = [&](std::size_t parameter) {
    return torch::zeros(parameters[parameter].sizes(),
                        parameters[parameter].options().dtype(torch::kFloat32).requires_grad(false));
  };
  Gradients sum(parameters.size());
  Ranges bucket;
  std::int64_t elements = 0;
  const auto reduce_bucket = [&] {
    if (elements > 0) reduction.reduce(bucket, elements, sum);
    bucket.clear();
    elements = 0;
  };
  for (const GradientRange& range : ranges) {
    if (!reduction.defined(range.parameter)) continue;
    torch::Tensor& gradient = sum[range.parameter];
    if (!gradient.defined()) gradient = zeros_like(range.parameter);
    for (std::int64_t done = 0; done < range.count;) {
      const std::int64_t length = std::min(range.count - done, bucket_elements - elements);
      bucket.push_back({range.parameter, range.offset + done, length});
      elements += length;
      done += length;
      if (elements == bucket_elements) reduce_bucket();
    }
  }
  reduce_bucket();
  for (std::size_t i = 0; i < sum.size(); ++i) {
    // A stacked parameter whose experts were all idle still has a gradient, of zeros.
    if (!sum[i].defined() && reduction.defined(i)) sum[i] = zeros_like(i);
  }
  return sum;
}

}  // namespace moe
