#pragma once
// Ranks that are processes of one MPI job; messages go through the host's memory.

#include "parallel/communicator.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// What MPI_Get_library_version says, its first line.
std::string mpi_library_version();

/// All ranks that the launcher started. MPI lives as long as the object, of which a process may have one in its life.
class MpiCommunicator : public Communicator {
 public:
  /// As ProcessGroup. Throws Error (machine_failed) when MPI cannot be used.
  explicit MpiCommunicator(std::function<bool()> is_interrupted);
  ~MpiCommunicator() override;

  [[noreturn]] void abort(const std::string& sentence, ExitStatus status) override;

 protected:
  void exchange(const LedgerEntry& call, const std::vector<ConstBytes>& send,
                const std::vector<Bytes>& receive) override;
  void saw_all(const LedgerEntry& call) override { last_seen_ = call; }

 private:
  struct World;     ///< MPI itself, begun before the base class can know its rank
  struct Messages;  ///< on their way
  struct Talk;
  MpiCommunicator(std::unique_ptr<World> world, std::function<bool()> is_interrupted);

  void wait(const LedgerEntry& call, Messages& messages);
  /// What the others say of themselves within a moment.
  std::vector<RankSight> ask_others(const LedgerEntry& call);
  /// Tells a rank that asks in which call this one waits.
  void answer_questions(const LedgerEntry& call);
  /// Sends where this rank waits, as a question or as an answer to one.
  void tell(int other, const LedgerEntry& call, bool asks);

  std::unique_ptr<World> world_;
  std::function<bool()> is_interrupted_;
  LedgerEntry last_seen_;         ///< the last call that all ranks are known to have entered
  std::deque<std::string> told_;  ///< on its way until the end of the process
};

}  // namespace moe
