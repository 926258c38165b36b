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

/// Sums one bucket after the other. Its elements are those of its ranges, one after the other.
class Reduction {
 public:
  Reduction(Communicator& ranks, std::vector<TreeSum<Gradients>::Partial>& partials)
      : ranks_(ranks), partials_(partials) {
    for (auto& partial : partials_) {
      NodeShape shape{partial.node.first, partial.node.level, {}};
      for (torch::Tensor& gradient : partial.value) {
        shape.defined.push_back(gradient.defined());
        if (gradient.defined()) gradient = gradient.to(torch::kCPU, torch::kFloat32).contiguous();
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
    const Share share = share_of(elements, ranks_.rank(), ranks_.size());
    std::vector<float> own = add_up(bucket, share, collect(bucket, elements, share));
    std::vector<float> all(static_cast<std::size_t>(elements));
    std::vector<Bytes> parts;
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const Share part = share_of(elements, rank, ranks_.size());
      parts.push_back(
          std::as_writable_bytes(std::span(all.data() + part.first, static_cast<std::size_t>(part.count()))));
    }
    ranks_.all_gather("sums of gradients", std::as_bytes(std::span(own)), parts);
    const float* next = all.data();
    for (const GradientRange& range : bucket) {
      std::copy_n(next, range.count, sum[range.parameter].mutable_data_ptr<float>() + range.offset);
      next += range.count;
    }
  }

 private:
  /// This rank's share of the bucket's elements, of every rank's nodes: one node after the other, in the tree's order.
  std::vector<float> collect(const Ranges& bucket, std::int64_t elements, const Share& share) {
    std::vector<float> outgoing(static_cast<std::size_t>(elements) * mine_.size(), 0.0F);
    // By receiver, then by node: the place of element i of a node moves with the share that i falls into.
    for (std::size_t node = 0; node < mine_.size(); ++node) {
      std::int64_t element = 0;
      int rank = 0;
      for (const GradientRange& range : bucket) {
        const torch::Tensor& gradient = partials_[node].value[range.parameter];
        const float* values = gradient.defined() ? gradient.const_data_ptr<float>() + range.offset : nullptr;
        for (std::int64_t done = 0; done < range.count;) {
          Share part = share_of(elements, rank, ranks_.size());
          while (element >= part.last) part = share_of(elements, ++rank, ranks_.size());
          const std::int64_t length = std::min(range.count - done, part.last - element);
          const std::int64_t place =
              part.first * std::ssize(mine_) + static_cast<std::int64_t>(node) * part.count() + element - part.first;
          if (values != nullptr) std::copy_n(values + done, length, outgoing.data() + place);
          done += length;
          element += length;
        }
      }
    }
    std::size_t nodes = 0;
    for (const auto& shapes : shapes_) nodes += shapes.size();
    std::vector<float> incoming(static_cast<std::size_t>(share.count()) * nodes);
    std::vector<ConstBytes> send;
    std::vector<Bytes> receive;
    float* next = incoming.data();
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const Share part = share_of(elements, rank, ranks_.size());
      const std::size_t sent = static_cast<std::size_t>(part.count()) * mine_.size();
      send.push_back(std::as_bytes(std::span(outgoing.data() + part.first * std::ssize(mine_), sent)));
      const std::size_t received =
          static_cast<std::size_t>(share.count()) * shapes_[static_cast<std::size_t>(rank)].size();
      receive.push_back(std::as_writable_bytes(std::span(next, received)));
      next += received;
    }
    ranks_.all_to_all("partial sums of gradients", send, receive);
    return incoming;
  }

  /// The sum of the nodes' shares along the tree. What no node has stays 0.
  std::vector<float> add_up(const Ranges& bucket, const Share& share, std::vector<float> incoming) const {
    struct Node {
      float* values;
      std::vector<bool> defined;
    };
    const auto add = [&](Node& earlier, Node&& later) {
      std::int64_t start = 0;  // of the range among the bucket's elements
      for (const GradientRange& range : bucket) {
        const std::int64_t first = std::max(start, share.first) - share.first;
        const std::int64_t last = std::min(start + range.count, share.last) - share.first;
        start += range.count;
        if (first >= last || !later.defined[range.parameter]) continue;
        if (earlier.defined[range.parameter]) {
          for (std::int64_t i = first; i < last; ++i) earlier.values[i] += later.values[i];
        } else {
          std::copy(later.values + first, later.values + last, earlier.values + first);
        }
      }
      for (std::size_t p = 0; p < earlier.defined.size(); ++p) {
        earlier.defined[p] = earlier.defined[p] || later.defined[p];
      }
    };
    TreeSum<Node> sum;
    float* next = incoming.data();
    bool any = false;
    for (const auto& nodes : shapes_) {
      for (const NodeShape& node : nodes) {
        sum.push({node.first, node.level}, {next, node.defined}, add);
        next += share.count();
        any = true;
      }
    }
    if (!any) return std::vector<float>(static_cast<std::size_t>(share.count()), 0.0F);
    const Node whole = sum.finish(add);
    return {whole.values, whole.values + share.count()};
  }

  Communicator& ranks_;
  std::vector<TreeSum<Gradients>::Partial>& partials_;
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
  Reduction reduction(ranks, partials);
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
    if (!gradient.defined()) gradient = torch::zeros(parameters[range.parameter].sizes(), torch::kFloat32);
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
    if (!sum[i].defined() && reduction.defined(i)) sum[i] = torch::zeros(parameters[i].sizes(), torch::kFloat32);
    if (sum[i].defined()) sum[i] = sum[i].to(parameters[i].device());
  }
  return sum;
}

}  // namespace moe
