#include "training/checkpoint.h"

#include "core/error.h"
#include "core/files.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <torch/utils.h>

namespace moe {
namespace {

RunState some_state(const Transformer& model) {
  RunState state;
  state.origin = "0123456789abcdef";
  state.curve = Json::array({{{"update", 3}, {"valid_loss", 1.0 / 3}}});
  state.routing = Json::array({{{"layer", 0}, {"flip_rate", nullptr}}});
  state.curve_seconds = {0.125};
  state.sums = {2, 0.1, 0.2, 0.3};
  state.choices = {{{0, 2, 1}, {1, 2, 1}}, {}};
  state.log_bytes = 77;
  state.started = "2025-01-01T00:00:00Z";
  state.seconds = {1.5, 0.25};
  state.decoded_sentences = 9;
  state.decoding_seconds = 0.75;
  state.mean.add(model);
  return state;
}

}  // namespace

TEST_CASE("trainer and state come back from a checkpoint as they were") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  TinyTraining run;
  run.start("thor", {{"experts", 3}});
  run.trainer->step();
  const RunState saved = some_state(*run.model);
  save_checkpoint(file, *run.trainer, saved);

  TinyTraining other;
  other.start("thor", {{"experts", 3}});
  RunState state;
  state.origin = saved.origin;
  load_checkpoint(file, *other.trainer, state);
  CHECK(first_difference(state_of(*run.trainer), state_of(*other.trainer)).empty());
  CHECK(state.curve == saved.curve);
  CHECK(state.routing == saved.routing);
  CHECK(state.curve_seconds == saved.curve_seconds);
  CHECK(state.sums.updates == 2);
  CHECK(state.sums.cross_entropy == 0.1);
  CHECK(state.sums.consistency == 0.2);
  CHECK(state.sums.balance == 0.3);
  CHECK(state.choices == saved.choices);
  CHECK(state.log_bytes == 77);
  CHECK(state.started == saved.started);
  CHECK(state.seconds.training == 1.5);
  CHECK(state.seconds.validation == 0.25);
  CHECK(state.decoded_sentences == 9);
  CHECK(state.decoding_seconds == 0.75);
  LazyTensors mean_before, mean_after;
  saved.mean.save(*run.model, mean_before);
  state.mean.save(*other.model, mean_after);
  CHECK(first_difference(make_tensors(mean_before), make_tensors(mean_after)).empty());
}

TEST_CASE("the scored weights of a run are the mean in its checkpoint") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  TinyTraining run;
  run.start("hash", {{"experts", 3}});
  RunState state;
  state.mean.add(*run.model);
  const torch::Tensor embedding = run.model->named_parameters()["embedding"].detach().clone();
  run.trainer->step();  // moves on from the mean
  save_checkpoint(file, *run.trainer, state);
  const auto model = tiny_transformer("hash", {{"experts", 3}}, tiny_model_settings(), 1, 9);
  load_scored_weights(*model, file, state.origin);
  CHECK(model->named_parameters()["embedding"].equal(embedding));
}

TEST_CASE("a file that is no checkpoint of this run is an error that names it") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  TinyTraining run, other;
  run.start("dense");
  other.start("thor", {{"experts", 3}});
  RunState state;
  const auto refused = [&] {
    try {
      load_checkpoint(file, *run.trainer, state);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).rfind(file.string() + ": ", 0) == 0);
    }
  };
  write_file(file, "nothing of the kind");
  refused();
  save_checkpoint(file, *other.trainer, RunState());
  refused();
  write_safetensors(file, {state_of(*run.trainer), {}});  // without the run's state
  refused();
  RunState of_another_configuration;
  of_another_configuration.origin = "another";
  save_checkpoint(file, *run.trainer, of_another_configuration);
  refused();
}

}  // namespace moe
