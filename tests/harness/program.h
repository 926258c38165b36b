#pragma once
// What the tests of whole runs share: the program as a child process, a tiny sweep, and its results.

#include "core/files.h"
#include "core/json.h"
#include "tests/data/support.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace moe {

/// How a program ended and what it wrote.
struct Ended {
  int status = -1;  ///< exit status; minus the signal that killed it
  std::string output, error;
};

/// moe-bench with these arguments, in a process group of its own. Charts are not drawn, so that a test waits for none.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const std::string& input = "") {
    write_file(folder_.path() / "in", input);
    process_ = ::fork();
    if (process_ == 0) start(arguments);
    ::setpgid(process_, process_);  // also here: whoever comes first
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (process_ > 0) kill_group();
  }

  pid_t process() const { return process_; }
  void send(int signal) const { ::kill(process_, signal); }

  /// Kills parent and workers at once, as a power cut would.
  Ended kill_group() {
    ::kill(-process_, SIGKILL);
    return wait();
  }

  Ended wait() {
    Ended ended;
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    ended.output = read_file(folder_.path() / "out");
    ended.error = read_file(folder_.path() / "err");
    return ended;
  }

  /// True when the program has ended by itself.
  bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
  }

  /// Waits until `condition` holds; false when the program ended before that, or hangs: ten minutes passed.
  bool wait_until(const std::function<bool()>& condition) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(10);
    while (!condition()) {
      if (ended() || std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  /// The program's children that are alive.
  std::vector<pid_t> children() const {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) == 0) continue;
      std::ifstream file(entry.path() / "stat");
      std::string text{std::istreambuf_iterator<char>(file), {}};
      const std::size_t name_end = text.rfind(") ");
      if (name_end == std::string::npos) continue;
      const pid_t parent = std::stoi(text.substr(name_end + 4));  // ") S PARENT"
      if (parent == process_) found.push_back(std::stoi(entry.path().filename().string()));
    }
    return found;
  }

 private:
  [[noreturn]] void start(const std::vector<std::string>& arguments) const {
    ::setpgid(0, 0);
    ::setenv("MOE_BENCH_PYTHON", "/bin/false", 1);
    const std::map<int, std::string> streams = {{0, "in"}, {1, "out"}, {2, "err"}};
    for (const auto& [descriptor, name] : streams) {
      const int flags = descriptor == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
      const int file = ::open((folder_.path() / name).c_str(), flags, 0644);
      if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(127);
    }
    std::vector<char*> argv = {const_cast<char*>(MOE_BENCH_BINARY)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(MOE_BENCH_BINARY, argv.data());
    ::_exit(127);
  }

  TemporaryFolder folder_;
  pid_t process_ = -1;
};

inline Ended run_program(const std::vector<std::string>& arguments, const std::string& input = "") {
  return Program(arguments, input).wait();
}

/// A sweep of two short runs of a model with some thousand parameters; a router with noise, and two passes.
inline Json tiny_sweep() {
  return {{"name", "tiny"},
          {"data",
           {{"source", "synthetic"},
            {"directions", {"aa-ba"}},
            {"vocabulary", 200},
            {"synthetic",
             {{"train_sentences", 200},
              {"valid_sentences", 8},
              {"test_sentences", 8},
              {"nouns", 20},
              {"verbs", 10},
              {"adjectives", 8}}}}},
          {"model",
           {{"encoder_layers", 2}, {"decoder_layers", 2}, {"width", 16}, {"ffn", 24}, {"heads", 2}, {"moe_every", 2}}},
          {"strategy", {{"experts", 2}}},
          {"training", {{"tokens_per_batch", 256}, {"updates", 60}, {"learning_rate", 4e-3}, {"warmup", 20}}},
          {"evaluation", {{"every", 10}, {"beam", 2}, {"average_share", 0.2}, {"draws", 2}}},
          {"grid", {{"strategy.router", {"switch-paper", "thor"}}}}};
}

/// `run` of a sweep file into a folder, on one thread.
inline std::vector<std::string> run_arguments(const std::filesystem::path& sweep, const std::filesystem::path& out,
                                              const std::vector<std::string>& more = {"--jobs", "1"}) {
  std::vector<std::string> arguments = {"run", sweep.string(), "--out", out.string(), "--threads", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The runs' folders in alphabetical order.
inline std::vector<std::filesystem::path> run_folders(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> folders;
  if (!std::filesystem::exists(out / "runs")) return folders;
  for (const auto& entry : std::filesystem::directory_iterator(out / "runs")) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// The folder of the run whose name starts like that; empty when there is none.
inline std::filesystem::path run_folder(const std::filesystem::path& out, const std::string& start) {
  for (const std::filesystem::path& folder : run_folders(out)) {
    if (folder.filename().string().starts_with(start)) return folder;
  }
  return {};
}

/// What has to be the same whenever a sweep is run: per file its content, of result.json all but the measurements.
inline std::map<std::string, std::string> reproducible_files(const std::filesystem::path& out) {
  std::map<std::string, std::string> files;
  for (const std::filesystem::path& folder : run_folders(out)) {
    const auto add = [&](const std::filesystem::path& file) {
      files[std::filesystem::relative(file, out).string()] = read_file(file);
    };
    Json result = read_json(folder / "result.json");
    result.erase("measurements");  // with a digest of their own; the result's is of the rest, and so the same
    files[std::filesystem::relative(folder / "result.json", out).string()] = format_json(result);
    add(folder / "config.json");
    add(folder / "train.jsonl");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "hypotheses")) {
      if (entry.path().extension() == ".txt") add(entry.path());  // a killed writer may leave a part beside it
    }
  }
  return files;
}

}  // namespace moe
