// Ranks that share a run: the bits of one process, for every router.

#include "core/files.h"
#include "core/temporary_folder.h"
#include "parallel/thread_communicator.h"
#include "routers/registry.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/training/fixture.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"
#include "training/train_loop.h"

#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

namespace moe {
namespace {

constexpr double patience = 300;  ///< seconds, under sanitizers too

struct Trained {
  std::map<std::string, torch::Tensor> state;  ///< on the first rank
  std::vector<double> reports;
  SetLoss loss;
};

/// A few updates of three micro-batches with two passes and an evaluation, by these ranks, with all experts on each or
/// spread over them.
Trained train(const std::string& router, Communicator& ranks, bool spread = false) {
  std::optional<ExpertExchange> exchange;
  if (spread) exchange.emplace(ranks);
  TinyTraining run;
  run.training.accumulate = 3;
  run.objective.passes = 2;
  run.objective.consistency = 1;
  run.objective.balance_loss = 0.01;
  ModelSettings settings = tiny_model_settings();
  settings.dropout = 0.1;
  const TokenCounts counts = count_tokens(tiny_pairs(50), tiny_vocabulary);
  const auto make_router = [&](const RouterContext& context) { return build(router, Json::object(), context); };
  run.model = std::make_shared<Transformer>(settings, counts, 1, 1, make_router, exchange ? &*exchange : nullptr);
  const ExecutionContext where(torch::kCPU, ranks);
  Trainer trainer(*run.model, run.pairs, 1.0, run.training, run.objective, where);
  trainer.reserve_memory();
  Trained trained;
  for (int i = 0; i < 3; ++i) {
    const StepReport report = trainer.step();
    trained.reports.insert(trained.reports.end(), {report.cross_entropy, report.consistency, report.balance, report.z,
                                                   report.gradient_norm, report.flops});
  }
  LazyTensors sources;
  trainer.save(sources);
  const auto state = make_tensors(sources);
  if (ranks.is_first()) trained.state = copies(state);
  trained.loss = evaluate_set(*run.model, run.pairs, 1, 40, 0, where);
  return trained;
}

/// A "switch" model in training whose experts are spread over the ranks.
struct SpreadRun {
  explicit SpreadRun(Communicator& ranks) : exchange(ranks) {
    run.training.accumulate = 2;
    const TokenCounts counts = count_tokens(tiny_pairs(50), tiny_vocabulary);
    const auto make_router = [](const RouterContext& context) { return build("switch", Json::object(), context); };
    run.model = std::make_shared<Transformer>(tiny_model_settings(), counts, 1, 1, make_router, &exchange);
    const ExecutionContext where(torch::kCPU, ranks);
    trainer = std::make_unique<Trainer>(*run.model, run.pairs, 1.0, run.training, run.objective, where);
  }

  ExpertExchange exchange;
  TinyTraining run;
  std::unique_ptr<Trainer> trainer;
};

/// Files of this process cannot grow beyond it while the object lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

bool same_routing(const std::vector<RoutingCounts>& one, const std::vector<RoutingCounts>& other) {
  return nlohmann::json(one) == nlohmann::json(other);
}

}  // namespace

TEST_CASE("every router trains and evaluates to the same bits on any number of ranks") {
  for (const RouterEntry& entry : all_routers()) {
    const std::string router = entry.name;
    if (router == "oracle") continue;  // needs the labels of a made-up world
    const Trained alone = train(router, one_rank());
    // Two ranks share three micro-batches unevenly, and one of four has none.
    for (const auto& [size, spread] : {std::pair(2, false), {4, false}, {2, true}, {4, true}}) {
      std::mutex mutex;
      std::vector<std::string> differences;
      run_on_threads(size, patience, [&, spread](Communicator& ranks) {
        const Trained shared = train(router, ranks, spread);
        const std::scoped_lock lock(mutex);
        if (ranks.is_first()) {
          const std::string name = first_difference(alone.state, shared.state);
          if (!name.empty()) differences.push_back(name);
        }
        if (shared.reports != alone.reports) differences.emplace_back("reports");
        if (shared.loss.sum != alone.loss.sum || shared.loss.tokens != alone.loss.tokens) {
          differences.emplace_back("loss");
        }
        if (!same_routing(shared.loss.routing, alone.loss.routing)) differences.emplace_back("routing");
      });
      for (const std::string& difference : differences) UNSCOPED_INFO(difference);
      INFO(router << " on " << size << " ranks" << (spread ? ", experts spread" : ""));
      CHECK(differences.empty());
    }
  }
}

TEST_CASE("a checkpoint of spread experts is that of one process and goes on anywhere") {
  const TemporaryFolder folder;
  TinyTraining alone;
  alone.training.accumulate = 2;
  alone.start("switch");
  alone.trainer->step();
  RunState state;
  state.mean.add(*alone.model);
  save_checkpoint(folder.path() / "alone", *alone.trainer, state);
  run_on_threads(3, patience, [&](Communicator& ranks) {
    SpreadRun run(ranks);
    RunState loaded;
    load_checkpoint(folder.path() / "alone", *run.trainer, loaded);
    save_checkpoint(folder.path() / "spread", *run.trainer, loaded);
    run.trainer->step();
    save_checkpoint(folder.path() / "next", *run.trainer, loaded);
  });
  CHECK(read_file(folder.path() / "alone") == read_file(folder.path() / "spread"));
  TinyTraining next;
  next.training.accumulate = 2;
  next.start("switch");
  load_checkpoint(folder.path() / "next", *next.trainer, state);
  alone.trainer->step();
  CHECK(first_difference(state_of(*alone.trainer), state_of(*next.trainer)).empty());
}

TEST_CASE("a disk that fails in the middle of a checkpoint is told on all ranks, which go on together") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint";
  std::mutex mutex;
  std::vector<std::string> said;
  {
    TinyTraining alone;
    alone.start("switch");
    save_checkpoint(file, *alone.trainer, RunState());
  }
  const std::string whole = read_file(file);
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  REQUIRE(header < whole.size() / 2);  // so that it is among the tensors where the disk is full
  const FileSizeLimit limit(whole.size() / 2);
  std::filesystem::remove(file);
  run_on_threads(2, patience, [&](Communicator& ranks) {
    const SpreadRun run(ranks);
    const std::string sentence = error_of([&] { save_checkpoint(file, *run.trainer, RunState()); });
    if (any_rank(ranks, "another meeting", false)) throw std::runtime_error("another answer than was given");
    const std::scoped_lock lock(mutex);
    said.push_back(sentence);
  });
  CHECK(said == std::vector<std::string>(2, "Rank 0: " + file.string() + ": cannot write: File too large."));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("one rank's signal stops all after a checkpoint, and the first rank's clock counts") {
  std::mutex mutex;
  std::vector<std::int64_t> updates;
  std::vector<double> seconds;
  int checkpoints = 0;
  run_on_threads(2, patience, [&](Communicator& ranks) {
    TinyTraining run;
    run.training.accumulate = 2;
    run.training.updates = 50;
    run.start("switch");
    Trainer trainer(*run.model, run.pairs, 1.0, run.training, run.objective, {torch::kCPU, ranks});
    RunState state;
    const TrainLoopHooks hooks{.after_step = [](const StepReport&) {},
                               .validate = [] {},
                               .checkpoint =
                                   [&] {
                                     const std::scoped_lock lock(mutex);
                                     ++checkpoints;
                                   },
                               .stop = [&] { return ranks.rank() == 1 && trainer.update() == 4; }};
    const bool complete = run_train_loop({.checkpoint_seconds = 1e9}, *run.model, trainer, state, hooks, ranks);
    const std::scoped_lock lock(mutex);
    if (complete) throw std::runtime_error("not stopped");
    updates.push_back(trainer.update());
    seconds.push_back(state.seconds.training);
  });
  CHECK((updates == std::vector<std::int64_t>{4, 4}));
  CHECK(seconds[0] == seconds[1]);
  CHECK(checkpoints == 2);
}

TEST_CASE("a loss that is no number fails the update on all ranks alike") {
  std::mutex mutex;
  std::vector<std::string> sentences;
  run_on_threads(2, patience, [&](Communicator& ranks) {
    TinyTraining run;
    run.training.accumulate = 2;
    run.start("switch");
    Trainer trainer(*run.model, run.pairs, 1.0, run.training, run.objective, {torch::kCPU, ranks});
    {
      const torch::NoGradGuard no_grad;
      for (torch::Tensor& parameter : run.model->parameters())
        parameter.fill_(std::numeric_limits<double>::quiet_NaN());
    }
    try {
      trainer.step();
    } catch (const Error& error) {
      const std::scoped_lock lock(mutex);
      sentences.emplace_back(error.what());
    }
  });
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0] == sentences[1]);
  CHECK(names(sentences[0], {"The loss is not a finite number at update 1"}));
}

}  // namespace moe
