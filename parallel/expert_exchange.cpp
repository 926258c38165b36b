#include "parallel/expert_exchange.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <numeric>

namespace moe {
namespace {

/// The collectives of a rank are for this layer as long as the object lives.
class InLayer {
 public:
  InLayer(Communicator& ranks, const std::string& layer) : ranks_(ranks) { ranks_.set_layer(layer); }
  InLayer(const InLayer&) = delete;
  InLayer& operator=(const InLayer&) = delete;
  ~InLayer() { ranks_.set_layer({}); }

 private:
  Communicator& ranks_;
};

}  // namespace

torch::Tensor gather_rows(Communicator& ranks, const torch::Tensor& part, std::int64_t count, std::int64_t message) {
  const torch::Tensor mine = part.detach().to(torch::kCPU).contiguous();
  torch::Tensor whole;
  if (ranks.is_first()) {
    std::vector<std::int64_t> shape = mine.sizes().vec();
    shape[0] = count;
    whole = torch::empty(shape, mine.scalar_type());
  }
  const std::int64_t row_bytes = std::max<std::int64_t>(1, mine.stride(0) * mine.element_size());
  const std::int64_t at_once = std::max<std::int64_t>(1, message / row_bytes);
  const std::int64_t most = (count + ranks.size() - 1) / ranks.size();  // that any rank has
  for (std::int64_t first = 0; first < most; first += at_once) {
    const auto next_of = [&](std::int64_t rows) { return std::clamp<std::int64_t>(rows - first, 0, at_once); };
    const torch::Tensor nothing = mine.narrow(0, 0, 0);
    const auto size = static_cast<std::size_t>(ranks.size());
    std::vector<torch::Tensor> send(size, nothing), receive(size, nothing);
    if (const std::int64_t rows = next_of(mine.size(0)); rows > 0) send[0] = mine.narrow(0, first, rows);
    for (int rank = 0; whole.defined() && rank < ranks.size(); ++rank) {
      const Share theirs = share_of(count, rank, ranks.size());
      const std::int64_t rows = next_of(theirs.count());
      if (rows > 0) receive[static_cast<std::size_t>(rank)] = whole.narrow(0, theirs.first + first, rows);
    }
    ranks.all_to_all("rows of experts", send, receive);
  }
  return whole;
}

/// What a rank tells all others of its call.
struct ExpertExchange::Request {
  enum Operation : std::int64_t { settled, forward, backward, whole };

  Operation operation = settled;
  std::int64_t layer = 0;
  std::int64_t call = 0;
  std::int64_t micro_batch = 0;
  std::int64_t keep = 0;
  std::int64_t width = 0;                  ///< D; of `whole` the number of the parameter
  std::int64_t type = 0;                   ///< of the rows
  std::vector<std::int64_t> offsets = {};  ///< E + 1; of `whole` none

  std::string text() const {
    std::vector<std::int64_t> numbers = {
        static_cast<std::int64_t>(operation), layer, call, micro_batch, keep, width, type};
    numbers.insert(numbers.end(), offsets.begin(), offsets.end());
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(std::int64_t)};
  }
  static Request of(const std::string& text) {
    std::vector<std::int64_t> numbers(text.size() / sizeof(std::int64_t));
    std::memcpy(numbers.data(), text.data(), text.size());
    return {static_cast<Operation>(numbers[0]),  numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6],
            {numbers.begin() + 7, numbers.end()}};
  }

  torch::ScalarType scalar_type() const { return static_cast<torch::ScalarType>(type); }
  bool has_rows() const { return operation == forward || operation == backward; }
  /// Rows of the experts of a share.
  std::int64_t rows(const Share& share) const {
    if (!has_rows()) return 0;
    return offsets[static_cast<std::size_t>(share.last)] - offsets[static_cast<std::size_t>(share.first)];
  }
  std::int64_t first_row(const Share& share) const {
    return has_rows() ? offsets[static_cast<std::size_t>(share.first)] : 0;
  }
};

ExpertExchange::ExpertExchange(Communicator& ranks)
    : ranks_(ranks), kept_(static_cast<std::size_t>(ranks.size())), gradients_(static_cast<std::size_t>(ranks.size())) {
  ranks_.before_meeting([this] { settle(); });
}

ExpertExchange::~ExpertExchange() {
  ranks_.before_meeting({});
}

std::int64_t ExpertExchange::add_layer(OwnedExperts experts) {
  first_parameter_.push_back(parameter_count());
  layers_.push_back(std::move(experts));
  return std::ssize(layers_) - 1;
}

std::size_t ExpertExchange::parameter_count() const {
  return layers_.empty() ? 0 : first_parameter_.back() + layers_.back().parameters.size();
}

ExpertExchange::Answer ExpertExchange::forward(std::int64_t layer, const torch::Tensor& x_MD,
                                               const std::vector<std::int64_t>& offsets, bool keep) {
  const std::int64_t call = next_call_++;
  const Request request{Request::forward,
                        layer,
                        call,
                        micro_batch_,
                        keep ? 1 : 0,
                        x_MD.size(1),
                        static_cast<std::int64_t>(x_MD.scalar_type()),
                        offsets};
  return {answer_to(request, x_MD.contiguous()), keep ? call : -1};
}

torch::Tensor ExpertExchange::backward(std::int64_t layer, std::int64_t call, const torch::Tensor& grad_y_MD,
                                       const std::vector<std::int64_t>& offsets) {
  const Request request{Request::backward,
                        layer,
                        call,
                        micro_batch_,
                        0,
                        grad_y_MD.size(1),
                        static_cast<std::int64_t>(grad_y_MD.scalar_type()),
                        offsets};
  return answer_to(request, grad_y_MD.contiguous());
}

torch::Tensor ExpertExchange::whole(std::int64_t layer, std::size_t parameter) {
  const Request request{Request::whole,
                        layer,
                        0,
                        micro_batch_,
                        0,
                        static_cast<std::int64_t>(parameter),
                        static_cast<std::int64_t>(torch::kFloat32)};
  return answer_to(request, {});
}

torch::Tensor ExpertExchange::answer_to(const Request& mine, const torch::Tensor& rows) {
  const InLayer in_layer(ranks_, layers_[static_cast<std::size_t>(mine.layer)].layer);
  const std::optional<torch::Tensor> answer = take_round(mine, rows);
  if (!answer) throw Error("A round with a request ended without an answer.", ExitStatus::machine_failed);
  return *answer;
}

void ExpertExchange::settle() {
  while (take_round({}, {})) {
  }
}

std::optional<torch::Tensor> ExpertExchange::take_round(const Request& mine, const torch::Tensor& rows) {
  const torch::NoGradGuard no_grad;
  std::vector<Request> requests;
  for (const std::string& text : ranks_.all_gather("calls of experts", mine.text()))
    requests.push_back(Request::of(text));
  const bool all_settled = std::all_of(requests.begin(), requests.end(),
                                       [](const Request& request) { return request.operation == Request::settled; });
  if (all_settled) return std::nullopt;
  try {
    return exchange_rows(mine, rows, requests);
  } catch (const CollectiveError&) {
    throw;
  } catch (const std::exception&) {
    throw CollectiveError(fmt::format("Rank {}: {}", ranks_.rank(), failure_sentence(std::current_exception())));
  }
}

torch::Tensor ExpertExchange::exchange_rows(const Request& mine, const torch::Tensor& rows,
                                            const std::vector<Request>& requests) {
  // Rows to their owners.
  const auto experts_of = [&](const Request& request) {
    return layers_[static_cast<std::size_t>(request.layer)].count;
  };
  const auto options = layers_.front().parameters.front().options().requires_grad(false);
  const torch::Tensor nothing = torch::empty({0}, options);
  std::vector<torch::Tensor> send, arrived;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const Share theirs = share_of(experts_of(mine), rank, ranks_.size());
    send.push_back(mine.has_rows() ? rows.narrow(0, mine.first_row(theirs), mine.rows(theirs)) : nothing);
    const Request& request = requests[static_cast<std::size_t>(rank)];
    const std::int64_t count = request.rows(owned_of(experts_of(request)));
    arrived.push_back(
        torch::empty({count, request.has_rows() ? request.width : 0}, options.dtype(request.scalar_type())));
  }
  ranks_.all_to_all("rows to experts", send, arrived);

  // Answers to those who asked.
  std::vector<torch::Tensor> answers, parts;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const auto source = static_cast<std::size_t>(rank);
    answers.push_back(serve(rank, requests[source], arrived[source]));
  }
  torch::Tensor answer;
  if (mine.has_rows()) answer = torch::empty_like(rows);
  if (mine.operation == Request::whole) {
    std::vector<std::int64_t> shape =
        layers_[static_cast<std::size_t>(mine.layer)].parameters[static_cast<std::size_t>(mine.width)].sizes().vec();
    shape[0] = experts_of(mine);
    answer = torch::empty(shape, options);
  }
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const Share theirs = share_of(experts_of(mine), rank, ranks_.size());
    if (mine.has_rows()) {
      parts.push_back(answer.narrow(0, mine.first_row(theirs), mine.rows(theirs)));
    } else if (mine.operation == Request::whole) {
      parts.push_back(answer.narrow(0, theirs.first, theirs.count()));
    } else {
      parts.push_back(nothing);
    }
  }
  ranks_.all_to_all("rows from experts", answers, parts);
  return answer;
}

torch::Tensor ExpertExchange::serve(int source, const Request& request, const torch::Tensor& rows) {
  const OwnedExperts& layer = layers_[static_cast<std::size_t>(request.layer)];
  if (request.operation == Request::whole) {
    return layer.parameters[static_cast<std::size_t>(request.width)].detach().contiguous();
  }
  if (!request.has_rows() || rows.size(0) == 0) return rows;
  if (request.operation == Request::backward) return serve_backward(source, request, rows);
  if (request.keep == 0) return layer.apply(rows, request.offsets).contiguous();
  const at::AutoGradMode with_gradients(true);
  const torch::Tensor x_MD = rows.detach().requires_grad_(true);
  const torch::Tensor y_MD = layer.apply(x_MD, request.offsets);
  kept_[static_cast<std::size_t>(source)][request.call] = {x_MD, y_MD};
  return y_MD.detach().contiguous();
}

torch::Tensor ExpertExchange::serve_backward(int source, const Request& request, const torch::Tensor& grad_y_MD) {
  const OwnedExperts& layer = layers_[static_cast<std::size_t>(request.layer)];
  auto& calls = kept_[static_cast<std::size_t>(source)];
  const auto kept = calls.find(request.call);
  TORCH_CHECK(kept != calls.end(), "Rank ", source, " asks for the gradient of a call that nobody kept.");
  std::vector<torch::Tensor> inputs = {kept->second.x_MD};
  for (const torch::Tensor& parameter : layer.parameters) {
    if (parameter.requires_grad()) inputs.push_back(parameter);
  }
  const auto found = torch::autograd::grad({kept->second.y_MD}, inputs, {grad_y_MD});
  calls.erase(kept);

  SourceGradients& sums = gradients_[static_cast<std::size_t>(source)];
  if (sums.micro_batch != request.micro_batch) {
    close_micro_batches(sums, request.micro_batch);
    sums.micro_batch = request.micro_batch;
    sums.gradients.assign(parameter_count(), {});
  }
  std::size_t next = 1;
  for (std::size_t p = 0; p < layer.parameters.size(); ++p) {
    if (!layer.parameters[p].requires_grad()) continue;
    torch::Tensor& sum = sums.gradients[first_parameter_[static_cast<std::size_t>(request.layer)] + p];
    if (sum.defined()) {
      sum.add_(found[next++]);
    } else {
      sum = found[next++];
    }
  }
  return found[0].contiguous();
}

void ExpertExchange::begin_update(std::int64_t micro_batches) {
  micro_batches_ = micro_batches;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    SourceGradients& source = gradients_[static_cast<std::size_t>(rank)];
    source = {};
    source.next = share_of(micro_batches, rank, ranks_.size()).first;
  }
  for (auto& calls : kept_) calls.clear();
}

void ExpertExchange::close_micro_batches(SourceGradients& source, std::int64_t until) const {
  for (; source.next < until; ++source.next) {
    Gradients leaf(parameter_count());
    if (source.next == source.micro_batch) leaf = std::move(source.gradients);
    source.sum.push({source.next, 0}, std::move(leaf), add_gradients);
  }
}

void ExpertExchange::finish_update() {
  TreeSum<Gradients> whole;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    SourceGradients& source = gradients_[static_cast<std::size_t>(rank)];
    close_micro_batches(source, share_of(micro_batches_, rank, ranks_.size()).last);
    for (auto& partial : source.sum.partials()) whole.push(partial.node, std::move(partial.value), add_gradients);
    source = {};
  }
  Gradients sums = whole.finish(add_gradients);
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    for (std::size_t p = 0; p < layers_[layer].parameters.size(); ++p) {
      torch::Tensor& parameter = layers_[layer].parameters[p];
      if (!parameter.requires_grad()) continue;
      const torch::Tensor& sum = sums[first_parameter_[layer] + p];
      parameter.mutable_grad() = sum.defined() ? sum : torch::zeros_like(parameter);
    }
  }
}

}  // namespace moe
