#include "parallel/communicator.h"

#include "parallel/device_transport.h"

#include <torch/types.h>

#include <algorithm>
#include <functional>

namespace moe {
namespace {

class OneRank : public Communicator {
 public:
  OneRank() : Communicator(0, 1, 0) {}

  [[noreturn]] void abort(const std::string& sentence, ExitStatus status) override { throw Error(sentence, status); }

 protected:
  void exchange(const LedgerEntry& /*call*/, const std::vector<ConstBytes>& send,
                const std::vector<Bytes>& receive) override {
    std::copy(send[0].begin(), send[0].end(), receive[0].begin());
  }
};

/// What a rank says of a text before it sends it.
struct TextHeader {
  std::uint64_t length;
  std::int64_t number;  ///< of the call
  std::uint64_t name_hash;
};

ConstBytes bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

Bytes writable_bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

}  // namespace

Communicator::Communicator(int rank, int size, double deadline_seconds)
    : rank_(rank), size_(size), deadline_seconds_(deadline_seconds) {}

Communicator::~Communicator() = default;

void Communicator::set_device_transport(std::unique_ptr<DeviceTransport> transport) {
  transport_ = std::move(transport);
}

void Communicator::all_to_all(const std::string& name, const std::vector<ConstBytes>& send,
                              const std::vector<Bytes>& receive) {
  exchange(ledger_.begin(name), send, receive);
}

void Communicator::all_to_all(const std::string& name, const std::vector<at::Tensor>& send,
                              const std::vector<at::Tensor>& receive) {
  const LedgerEntry call = ledger_.begin(name);
  if (transport_ && receive.front().device() == transport_->device()) {
    transport_->all_to_all(call, send, receive, deadline_seconds_);
    return;
  }
  std::vector<at::Tensor> sent, received;  // in the host's memory
  std::vector<ConstBytes> send_bytes;
  std::vector<Bytes> receive_bytes;
  for (const at::Tensor& tensor : send) send_bytes.push_back(bytes_of(sent.emplace_back(tensor.cpu())));
  for (const at::Tensor& tensor : receive) {
    received.push_back(tensor.is_cpu() ? tensor : at::empty_like(tensor, tensor.options().device(at::kCPU)));
    receive_bytes.push_back(writable_bytes_of(received.back()));
  }
  exchange(call, send_bytes, receive_bytes);
  for (std::size_t rank = 0; rank < receive.size(); ++rank) {
    if (!receive[rank].is_cpu()) receive[rank].copy_(received[rank]);
  }
}

void Communicator::all_gather(const std::string& name, const at::Tensor& mine, const std::vector<at::Tensor>& all) {
  all_to_all(name, std::vector<at::Tensor>(all.size(), mine), all);
}

void Communicator::all_gather(const std::string& name, ConstBytes mine, const std::vector<Bytes>& all) {
  gather(ledger_.begin(name), mine, all);
}

void Communicator::gather(const LedgerEntry& call, ConstBytes mine, const std::vector<Bytes>& all) {
  exchange(call, std::vector<ConstBytes>(all.size(), mine), all);
}

std::vector<std::string> Communicator::all_gather(const std::string& name, const std::string& mine) {
  const LedgerEntry call = ledger_.begin(name);
  const TextHeader header{mine.size(), call.number, std::hash<std::string>()(name)};
  std::vector<TextHeader> headers(static_cast<std::size_t>(size_));
  std::vector<Bytes> header_bytes;
  for (TextHeader& one : headers) header_bytes.push_back(std::as_writable_bytes(std::span(&one, 1)));
  gather(call, std::as_bytes(std::span(&header, 1)), header_bytes);
  for (std::size_t r = 0; r < headers.size(); ++r) {
    if (headers[r].number == header.number && headers[r].name_hash == header.name_hash) continue;
    throw CollectiveError(fmt::format("Rank {} is in {}, and rank {} in another collective, number {}.", rank_,
                                      call.text(), r, headers[r].number));
  }
  saw_all(call);
  std::vector<std::string> texts;
  std::vector<Bytes> text_bytes;
  for (const TextHeader& one : headers) texts.emplace_back(one.length, '\0');
  for (std::string& text : texts) text_bytes.push_back(std::as_writable_bytes(std::span(text)));
  gather(call, std::as_bytes(std::span(mine)), text_bytes);
  return texts;
}

Communicator& one_rank() {
  static OneRank rank;
  return rank;
}

}  // namespace moe
