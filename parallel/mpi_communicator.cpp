#include "parallel/mpi_communicator.h"

#include "core/stopwatch.h"

#include <mpi.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <climits>
#include <iostream>
#include <optional>
#include <thread>

namespace moe {
namespace {

constexpr int spins = 2000;                  ///< tests without a pause, before a wait begins to sleep
constexpr double answer_seconds = 1.5;       ///< that ranks who wait in vain give each other for an answer
constexpr double interrupted_seconds = 0.3;  ///< a rank that is told to stop waits so long before it says where
constexpr int data_tag = 0;
constexpr int talk_tag = 1;

void check(int code, const std::string& what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw CollectiveError(
      fmt::format("MPI, in {}: {}.", what, std::string(text.data(), static_cast<std::size_t>(length))));
}

int length_of(std::size_t bytes, const std::string& what) {
  if (bytes <= INT_MAX) return static_cast<int>(bytes);
  throw CollectiveError(fmt::format("{}: a message of {} bytes is longer than MPI counts.", what, bytes));
}

}  // namespace

struct MpiCommunicator::World {
  World() {
    int threads = 0;
    // One thread at a time, but not always the same: on a GPU, LibTorch goes backwards in a thread of its own.
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads), "its start");
    if (threads < MPI_THREAD_SERIALIZED) {
      throw Error("This MPI does not support calls from several threads in turn.", ExitStatus::machine_failed);
    }
    check(MPI_Comm_dup(MPI_COMM_WORLD, &communicator), "its start");
    check(MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN), "its start");
    MPI_Comm_rank(communicator, &rank);
    MPI_Comm_size(communicator, &size);
  }
  ~World() {
    MPI_Comm_free(&communicator);
    MPI_Finalize();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  MPI_Comm communicator = MPI_COMM_NULL;
  int rank = 0, size = 1;
};

struct MpiCommunicator::Messages {
  std::vector<MPI_Request> requests;
  std::vector<int> lengths;          ///< of each request: bytes to be received; -1: it sends
  std::vector<MPI_Status> statuses;  ///< kept, since a wait asks thousands of times

  void send(ConstBytes data, int to, int tag, MPI_Comm communicator, const std::string& what) {
    lengths.push_back(-1);
    check(
        MPI_Isend(data.data(), length_of(data.size(), what), MPI_BYTE, to, tag, communicator, &requests.emplace_back()),
        what);
  }
  void receive(Bytes data, int from, MPI_Comm communicator, const std::string& what) {
    lengths.push_back(length_of(data.size(), what));
    check(MPI_Irecv(data.data(), lengths.back(), MPI_BYTE, from, data_tag, communicator, &requests.emplace_back()),
          what);
  }
  /// Throws where less came than was to be received: the ranks are not in the same call.
  bool arrived(const std::string& what) {
    int done = 0;
    statuses.resize(requests.size());
    check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, statuses.data()), what);
    if (done == 0) return false;
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      if (lengths[i] < 0) continue;
      int length = 0;
      MPI_Get_count(&statuses[i], MPI_BYTE, &length);
      if (length == lengths[i]) continue;
      throw CollectiveError(fmt::format("{}: {} bytes came from rank {} where {} were to come.", what, length,
                                        statuses[i].MPI_SOURCE, lengths[i]));
    }
    return true;
  }
};

/// What a rank says of itself, asking or asked.
struct MpiCommunicator::Talk {
  int from = 0;
  bool asks = false;
  LedgerEntry call;

  /// The next that has come; none: nothing has.
  static std::optional<Talk> receive(MPI_Comm communicator) {
    int found = 0, length = 0;
    MPI_Status status{};
    check(MPI_Iprobe(MPI_ANY_SOURCE, talk_tag, communicator, &found, &status), "asking the others");
    if (found == 0) return std::nullopt;
    MPI_Get_count(&status, MPI_BYTE, &length);
    std::string text(static_cast<std::size_t>(length), '\0');
    check(MPI_Recv(text.data(), length, MPI_BYTE, status.MPI_SOURCE, talk_tag, communicator, MPI_STATUS_IGNORE),
          "asking the others");
    const nlohmann::json told = nlohmann::json::parse(text);
    return Talk{status.MPI_SOURCE, told.at("asks").get<bool>(),
                LedgerEntry{told.at("number").get<std::int64_t>(), told.at("name").get<std::string>(),
                            told.at("update").get<std::int64_t>(), told.at("layer").get<std::string>()}};
  }
};

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

MpiCommunicator::MpiCommunicator(std::function<bool()> is_interrupted)
    : MpiCommunicator(std::make_unique<World>(), std::move(is_interrupted)) {}

MpiCommunicator::MpiCommunicator(std::unique_ptr<World> world, std::function<bool()> is_interrupted)
    : Communicator(world->rank, world->size, default_deadline_seconds),
      world_(std::move(world)),
      is_interrupted_(std::move(is_interrupted)) {}

MpiCommunicator::~MpiCommunicator() = default;

void MpiCommunicator::abort(const std::string& sentence, ExitStatus status) {
  std::cerr << sentence << "\n" << std::flush;
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(status));
  std::_Exit(static_cast<int>(status));
}

void MpiCommunicator::exchange(const LedgerEntry& call, const std::vector<ConstBytes>& send,
                               const std::vector<Bytes>& receive) {
  Messages messages;
  for (int other = 0; other < size(); ++other) {
    messages.receive(receive[static_cast<std::size_t>(other)], other, world_->communicator, call.name);
  }
  for (int other = 0; other < size(); ++other) {
    messages.send(send[static_cast<std::size_t>(other)], other, data_tag, world_->communicator, call.name);
  }
  wait(call, messages);
}

void MpiCommunicator::wait(const LedgerEntry& call, Messages& messages) {
  for (int spin = 0; spin < spins; ++spin) {
    if (messages.arrived(call.name)) return;
    std::this_thread::yield();
  }
  const Stopwatch waited;
  bool told = false;
  while (!messages.arrived(call.name)) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    answer_questions(call);
    if (waited.seconds() > deadline_seconds()) {
      throw CollectiveError(waiting_sentence(rank(), call, deadline_seconds(), ask_others(call)));
    }
    if (!told && waited.seconds() > interrupted_seconds && is_interrupted_()) {
      std::cerr << fmt::format("Rank {} is told to stop while it waits in {}.\n", rank(), call.text()) << std::flush;
      told = true;
    }
  }
}

void MpiCommunicator::tell(int other, const LedgerEntry& call, bool asks) {
  told_.push_back(nlohmann::json({{"number", call.number},
                                  {"name", call.name},
                                  {"update", call.update},
                                  {"layer", call.layer},
                                  {"asks", asks}})
                      .dump());
  Messages messages;
  messages.send(std::as_bytes(std::span(told_.back())), other, talk_tag, world_->communicator, "asking the others");
}

void MpiCommunicator::answer_questions(const LedgerEntry& call) {
  while (const std::optional<Talk> talk = Talk::receive(world_->communicator)) {
    if (talk->asks) tell(talk->from, call, false);
  }
}

std::vector<RankSight> MpiCommunicator::ask_others(const LedgerEntry& call) {
  for (int other = 0; other < size(); ++other) {
    if (other != rank()) tell(other, call, true);
  }
  std::vector<RankSight> sights(static_cast<std::size_t>(size()), {std::nullopt, last_seen_});
  const Stopwatch asked;
  while (asked.seconds() < answer_seconds) {
    const std::optional<Talk> talk = Talk::receive(world_->communicator);
    if (talk) {
      sights[static_cast<std::size_t>(talk->from)].answer = talk->call;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return sights;
}

}  // namespace moe
