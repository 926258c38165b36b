#pragma once
// Experts that are spread over ranks: the rows of a layer go to the ranks that own their experts, and come back.

#include "parallel/gradient_reduce.h"
#include "parallel/share_out.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The experts of one MoE layer that this rank owns.
struct OwnedExperts {
  std::string layer;                      ///< its name, for what is said of a rank that waits in vain
  std::int64_t count = 0;                 ///< E, of all ranks together
  std::vector<torch::Tensor> parameters;  ///< stacked, of the owned experts alone
  /// y [M, D] of rows [M, D] of the owned experts; with autograd where that is on. offsets: E + 1 numbers, among the
  /// rows of all experts.
  std::function<torch::Tensor(const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets)> apply;
};

/// Bytes of a message far below 2^31, up to which MPI counts.
inline constexpr std::int64_t longest_message = std::int64_t{1} << 30;

/// Rows that the ranks hold by share_of(count), put together on the first rank; an undefined tensor on the others. They
/// travel in messages of at most `message` bytes, or of one row.
torch::Tensor gather_rows(Communicator& ranks, const torch::Tensor& part, std::int64_t count,
                          std::int64_t message = longest_message);

/// Expert e of E belongs to the rank whose share_of(E) it is in. Each rank computes what the others send it, one
/// product for each (call, expert), so that every number has the bits of one process.
///
/// A call is served in rounds that all ranks take part in, each with a call of its own, whichever layer it is of, or
/// with none: ranks may make as many calls as they like, in their own order. One that has no more settles, and serves
/// the others until they have settled too (parallel/share_out.h does so before ranks meet).
class ExpertExchange {
 public:
  explicit ExpertExchange(Communicator& ranks);
  ~ExpertExchange();
  ExpertExchange(const ExpertExchange&) = delete;
  ExpertExchange& operator=(const ExpertExchange&) = delete;

  Communicator& ranks() { return ranks_; }
  Share owned_of(std::int64_t experts) const { return share_of(experts, ranks_.rank(), ranks_.size()); }

  /// The number of a layer; the same on all ranks, which add their layers in the same order.
  std::int64_t add_layer(OwnedExperts experts);

  struct Answer {
    torch::Tensor y_MD;
    std::int64_t call = -1;  ///< for backward; -1 when it was not asked for
  };
  /// What the layer's experts make of rows [M, D] sorted by expert; offsets: E + 1 numbers. The owners keep what
  /// `backward` needs if `keep`.
  Answer forward(std::int64_t layer, const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets, bool keep);
  /// The gradient of the rows of an earlier call, once, from that of its result. The owners keep the gradients of their
  /// parameters.
  torch::Tensor backward(std::int64_t layer, std::int64_t call, const torch::Tensor& grad_y_MD,
                         const std::vector<std::int64_t>& offsets);
  /// All experts' values of one of the layer's stacked parameters [E, ...], on this rank.
  torch::Tensor whole(std::int64_t layer, std::size_t parameter);

  /// An update of so many micro-batches begins, which the ranks share as share_of says.
  void begin_update(std::int64_t micro_batches);
  /// From now on this rank's calls are of this micro-batch of the update, one after the other.
  void begin_micro_batch(std::int64_t number) { micro_batch_ = number; }
  /// Serves the others until nobody has a call left.
  void settle();
  /// Puts the sum of the gradients of all micro-batches into the owned experts' parameters; zeros without a row.
  void finish_update();

 private:
  struct Request;
  struct Kept {
    torch::Tensor x_MD, y_MD;
  };
  /// Of one rank's micro-batches in the update under way.
  struct SourceGradients {
    std::int64_t micro_batch = -1;  ///< of its last gradients
    Gradients gradients;            ///< of that micro-batch so far
    std::int64_t next = 0;          ///< the first micro-batch that is not in the sum
    TreeSum<Gradients> sum;
  };

  std::size_t parameter_count() const;
  /// One round. Returns what this rank's request is answered with; nothing when nobody had one.
  std::optional<torch::Tensor> take_round(const Request& mine, const torch::Tensor& rows);
  /// What follows on the ranks' requests. A rank that fails here leaves the others in the middle of it.
  torch::Tensor exchange_rows(const Request& mine, const torch::Tensor& rows, const std::vector<Request>& requests);
  /// One round in which this rank has a request.
  torch::Tensor answer_to(const Request& mine, const torch::Tensor& rows);
  torch::Tensor serve(int source, const Request& request, const torch::Tensor& rows);
  torch::Tensor serve_backward(int source, const Request& request, const torch::Tensor& grad_y_MD);
  /// Adds the source's micro-batches before `until` to its sum.
  void close_micro_batches(SourceGradients& source, std::int64_t until) const;

  Communicator& ranks_;
  std::vector<OwnedExperts> layers_;
  std::vector<std::size_t> first_parameter_;        ///< [layer] among all owned parameters
  std::vector<std::map<std::int64_t, Kept>> kept_;  ///< [source] by the source's number of the call
  std::vector<SourceGradients> gradients_;          ///< [source]
  std::int64_t next_call_ = 0;
  std::int64_t micro_batch_ = 0;
  std::int64_t micro_batches_ = 0;
};

}  // namespace moe
