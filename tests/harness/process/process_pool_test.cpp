#include "harness/process/process_pool.h"

#include "core/temporary_folder.h"
#include "harness/process/stop_signal.h"
#include "tests/support/catch.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>

namespace {

using moe::Job;
using moe::JobEvents;
using moe::JobOutcome;
using moe::Json;

Job shell(const std::string& id, const std::string& script) {
  return {id, {"/bin/sh", "-c", script}};
}

/// Runs the jobs and keeps what was heard.
struct Recorder {
  std::map<std::string, JobOutcome> outcomes;
  std::map<std::string, std::vector<Json>> messages;
  std::vector<std::string> order;  // "+a" started, "-a" ended
  int active = 0;
  int most_active = 0;

  bool run(const std::vector<Job>& jobs, int parallel) {
    JobEvents events;
    events.started = [&](const Job& job) {
      order.push_back("+" + job.id);
      most_active = std::max(most_active, ++active);
    };
    events.progress = [&](const Job& job, const Json& message) { messages[job.id].push_back(message); };
    events.finished = [&](const Job& job, const JobOutcome& outcome) {
      order.push_back("-" + job.id);
      --active;
      outcomes[job.id] = outcome;
    };
    return moe::run_jobs(jobs, parallel, events);
  }
};

TEST_CASE("every JSON line of a child is a message, however the pipe cuts it") {
  Recorder recorder;
  REQUIRE(recorder.run(
      {shell("a", R"(printf '{"update": 1}\n{"upd'; sleep 0.05; printf 'ate": 2}\n'; echo '{"update": 3}')")}, 1));
  REQUIRE(recorder.messages["a"].size() == 3);
  for (int update = 1; update <= 3; ++update) {
    CHECK(recorder.messages["a"][static_cast<std::size_t>(update - 1)].at("update") == update);
  }
  CHECK(recorder.outcomes.at("a").success());
}

TEST_CASE("children that fail, die or do not start leave the others alone") {
  Recorder recorder;
  const bool complete = recorder.run({shell("fails", "echo not JSON; echo out of data >&2; exit 3"),
                                      shell("dies", "kill -KILL $$"),
                                      {"absent", {"/no/such/program"}},
                                      shell("works", "echo '{}'")},
                                     2);
  CHECK(complete);
  CHECK(recorder.outcomes.at("fails").status == 3);
  CHECK(recorder.outcomes.at("fails").error.find("out of data") != std::string::npos);
  CHECK(recorder.outcomes.at("fails").error.find("not JSON") != std::string::npos);
  CHECK(recorder.messages.count("fails") == 0);
  CHECK(recorder.outcomes.at("dies").signal == SIGKILL);
  CHECK(recorder.outcomes.at("absent").status == 127);
  CHECK(recorder.outcomes.at("absent").error == "/no/such/program: cannot be started.");
  CHECK(recorder.outcomes.at("works").success());
}

TEST_CASE("no more children than asked for run at a time, in the order of the jobs") {
  Recorder recorder;
  std::vector<Job> jobs;
  for (const char* id : {"a", "b", "c", "d", "e"}) jobs.push_back(shell(id, "sleep 0.02"));
  REQUIRE(recorder.run(jobs, 2));
  CHECK(recorder.most_active == 2);
  CHECK(recorder.order.front() == "+a");
  CHECK(recorder.order.at(1) == "+b");
  CHECK(recorder.outcomes.size() == 5);

  Recorder alone;
  REQUIRE(alone.run({jobs[0], jobs[1]}, 1));
  CHECK(alone.order == std::vector<std::string>{"+a", "-a", "+b", "-b"});
}

TEST_CASE("a job waits for its place, and finds there what the place adds to its environment") {
  ::setenv("MOE_TEST_KEPT", "kept", 1);
  ::setenv("MOE_TEST_PLACE", "none", 1);
  std::vector<Job> jobs;
  for (const char* id : {"a", "b", "c"}) {
    jobs.push_back(shell(id, R"(sleep 0.02; echo "{\"place\": \"$MOE_TEST_PLACE $MOE_TEST_KEPT\"}")"));
  }
  std::vector<std::string> places, order;
  int taken = 0;
  JobEvents events;
  events.place = [&](const Job& job) -> std::optional<std::vector<std::string>> {
    if (taken == 1) return std::nullopt;
    ++taken;
    return std::vector<std::string>{"MOE_TEST_PLACE=of " + job.id};
  };
  events.started = [&](const Job& job) { order.push_back("+" + job.id); };
  events.progress = [&](const Job&, const Json& message) { places.push_back(message.at("place")); };
  events.finished = [&](const Job& job, const JobOutcome&) {
    order.push_back("-" + job.id);
    --taken;
  };
  CHECK(moe::run_jobs(jobs, 3, events));
  CHECK(places == std::vector<std::string>{"of a kept", "of b kept", "of c kept"});
  CHECK(order == std::vector<std::string>{"+a", "-a", "+b", "-b", "+c", "-c"});
}

TEST_CASE("jobs for which there is no place any more are not started") {
  int places = 2;
  std::vector<std::string> ended;
  JobEvents events;
  events.place = [&](const Job&) { return places-- > 0 ? std::optional(std::vector<std::string>{}) : std::nullopt; };
  events.finished = [&](const Job& job, const JobOutcome&) { ended.push_back(job.id); };
  CHECK_FALSE(moe::run_jobs({shell("a", "exit 0"), shell("b", "exit 1"), shell("c", "exit 0")}, 1, events));
  CHECK(ended == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(moe::stop_requested());
}

TEST_CASE("only the tail of a long standard error is kept, from the start of a line") {
  Recorder recorder;
  REQUIRE(recorder.run({shell("a", "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1")}, 1));
  const std::string& error = recorder.outcomes.at("a").error;
  CHECK(error.size() <= 4096);
  CHECK(error.rfind("line ", 0) == 0);
  CHECK(error.substr(error.size() - 9) == "line 2999");
}

TEST_CASE("a child that closes its pipes is still waited for") {
  Recorder recorder;
  REQUIRE(recorder.run({shell("a", "exec >&- 2>&-; sleep 0.1; exit 4")}, 1));
  CHECK(recorder.outcomes.at("a").status == 4);
}

TEST_CASE("a stop reaches the children, which may still write, and starts nothing new") {
  moe::install_stop_signals();
  REQUIRE_FALSE(moe::stop_requested());
  Recorder recorder;
  const std::string listens =
      R"(trap 'sleep 0.1; echo "{\"saved\": true}"; exit 130' TERM; kill -USR1 $PPID; while :; do sleep 0.02; done)";
  CHECK_FALSE(recorder.run({shell("listens", listens), shell("next", "echo '{}'")}, 1));
  CHECK(moe::stop_requested());
  CHECK(recorder.outcomes.at("listens").status == 130);
  REQUIRE(recorder.messages["listens"].size() == 1);
  CHECK(recorder.messages["listens"][0].at("saved") == true);
  CHECK(recorder.outcomes.count("next") == 0);

  moe::install_stop_signals();
  CHECK_FALSE(moe::stop_requested());
}

TEST_CASE("an exception from an event ends the children") {
  const moe::TemporaryFolder folder;
  const auto lasts_a_minute = [&](const std::string& id, const std::string& first) {
    return shell(id, first + "i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done; echo > " +
                         (folder.path() / id).string());
  };
  JobEvents events;
  events.progress = [](const Job&, const Json&) { throw std::runtime_error("disk full"); };
  CHECK_THROWS_WITH(moe::run_jobs({lasts_a_minute("a", "echo '{}'; "), lasts_a_minute("b", "")}, 2, events),
                    "disk full");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child is left, and none came to its own end
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a child ends when its parent is killed") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);  // the pool and its child inherit the write end: it closes when both are gone
  const pid_t pool = fork();
  REQUIRE(pool >= 0);
  if (pool == 0) {
    JobEvents events;
    events.progress = [&](const Job&, const Json&) { (void)!write(ends[1], "x", 1); };
    moe::run_jobs({shell("a", "echo '{}'; exec sleep 60")}, 1, events);
    _exit(0);
  }
  close(ends[1]);
  char byte = 0;
  REQUIRE(read(ends[0], &byte, 1) == 1);
  kill(pool, SIGKILL);
  waitpid(pool, nullptr, 0);
  pollfd closed{ends[0], POLLIN, 0};
  REQUIRE(poll(&closed, 1, 10'000) == 1);
  CHECK(read(ends[0], &byte, 1) == 0);
  close(ends[0]);
}

}  // namespace
