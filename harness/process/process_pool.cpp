#include "harness/process/process_pool.h"

#include "harness/process/child_process.h"
#include "harness/process/stop_signal.h"

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <list>

namespace moe {

namespace {

constexpr int tick_milliseconds = 200;
constexpr int reaping_milliseconds = 5;  // a child's pipes close a moment before it can be reaped
constexpr std::size_t error_bytes = 4096;

/// The last `error_bytes` of the text, from the start of a line.
void cut_to_tail(std::string& text) {
  if (text.size() <= error_bytes) return;
  text.erase(0, text.size() - error_bytes);
  const std::size_t line_end = text.find('\n');
  if (line_end != std::string::npos && line_end + 1 < text.size()) text.erase(0, line_end + 1);
}

void strip_final_newlines(std::string& text) {
  text.erase(text.find_last_not_of("\r\n") + 1);
}

class Pool {
 public:
  Pool(const std::vector<Job>& jobs, int parallel, const JobEvents& events)
      : jobs_(jobs), parallel_(static_cast<std::size_t>(std::max(1, parallel))), events_(events) {}

  /// Only an exception from an event leaves children behind: all are told before any is waited for.
  ~Pool() {
    for (const Active& active : active_) active.child.send(SIGTERM);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  bool run() {
    while (true) {
      if (stop_requested() && !stopping_) stop();
      while (!stopping_ && next_ < jobs_.size() && active_.size() < parallel_ && start_next()) {
      }
      if (active_.empty()) return !stopping_ && next_ == jobs_.size();
      wait_for_news();
      for (Active& active : active_) listen(active);
      finish_ended();
      if (events_.tick) events_.tick();
    }
  }

 private:
  struct Active {
    Active(const Job& to_run, const std::vector<std::string>& environment)
        : job(to_run), child(to_run.command, to_run.program, environment) {}

    const Job& job;
    ChildProcess child;
    std::string line;  // of standard output, not yet ended
    std::string error;
  };

  /// False when there is no place for the next job.
  bool start_next() {
    const Job& job = jobs_[next_];
    std::vector<std::string> environment;
    if (events_.place) {
      std::optional<std::vector<std::string>> place = events_.place(job);
      if (!place) return false;
      environment = std::move(*place);
    }
    ++next_;
    active_.emplace_back(job, environment);
    if (events_.started) events_.started(job);
    return true;
  }

  void stop() {
    stopping_ = true;
    for (const Active& active : active_) active.child.send(SIGTERM);
  }

  void wait_for_news() {
    std::vector<pollfd> descriptors;
    bool ending = false;
    if (!stopping_) descriptors.push_back({stop_descriptor(), POLLIN, 0});
    for (const Active& active : active_) {
      ending = ending || active.child.silent();
      descriptors.push_back({active.child.output(), POLLIN, 0});
      descriptors.push_back({active.child.error(), POLLIN, 0});
    }
    poll(descriptors.data(), descriptors.size(), ending ? reaping_milliseconds : tick_milliseconds);
  }

  void listen(Active& active) {
    active.error += active.child.read_error();
    active.line += active.child.read_output();
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = active.line.find('\n', begin)) != std::string::npos; begin = end + 1) {
      hear(active, active.line.substr(begin, end - begin));
    }
    active.line.erase(0, begin);
    cut_to_tail(active.error);
  }

  void hear(Active& active, const std::string& line) {
    const Json message = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!message.is_object()) {
      active.error += line + '\n';
    } else if (events_.progress) {
      events_.progress(active.job, message);
    }
  }

  void finish_ended() {
    for (auto active = active_.begin(); active != active_.end();) {
      if (!active->child.ended()) {
        ++active;
        continue;
      }
      finish(*active);
      active = active_.erase(active);
    }
  }

  void finish(Active& active) {
    listen(active);
    active.error += active.line;
    strip_final_newlines(active.error);
    const int status = active.child.wait_status();
    JobOutcome outcome;
    if (WIFSIGNALED(status)) {
      outcome.signal = WTERMSIG(status);
    } else {
      outcome.status = WEXITSTATUS(status);
    }
    outcome.error = std::move(active.error);
    if (events_.finished) events_.finished(active.job, outcome);
  }

  const std::vector<Job>& jobs_;
  const std::size_t parallel_;
  const JobEvents& events_;
  std::size_t next_ = 0;
  bool stopping_ = false;
  std::list<Active> active_;
};

}  // namespace

bool run_jobs(const std::vector<Job>& jobs, int parallel, const JobEvents& events) {
  return Pool(jobs, parallel, events).run();
}

}  // namespace moe
