#include "training/checkpoint.h"

#include "core/error.h"
#include "data/digest.h"
#include "model/load_parameters.h"
#include "parallel/share_out.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace moe {
namespace {

constexpr const char* digest_key = "digest";
constexpr const char* unknown_digest = "????????????????";  ///< in its place until all tensors are written

std::string choice_name(std::size_t layer) {
  return fmt::format("choice.{}", layer);
}

Json state_to_json(const RunState& state) {
  return {{"origin", state.origin},
          {"curve", state.curve},
          {"routing", state.routing},
          {"curve_seconds", state.curve_seconds},
          {"sums", {state.sums.updates, state.sums.cross_entropy, state.sums.consistency, state.sums.balance}},
          {"layers", state.choices.size()},
          {"log_bytes", state.log_bytes},
          {"started", state.started},
          {"seconds", {state.seconds.training, state.seconds.validation}},
          {"decoded_sentences", state.decoded_sentences},
          {"decoding_seconds", state.decoding_seconds}};
}

RunState state_from_file(const TensorFile& file, const Transformer& model, const std::string& origin) {
  const Json json = Json::parse(file.metadata.at("run_state"));
  RunState state;
  state.origin = json.at("origin").get<std::string>();
  MOE_CHECK(state.origin == origin,
            "was made with another configuration or vocabulary than stand beside it; run the sweep with --fresh.");
  state.curve = json.at("curve");
  state.routing = json.at("routing");
  state.curve_seconds = json.at("curve_seconds").get<std::vector<double>>();
  const Json& sums = json.at("sums");
  state.sums = {sums.at(0).get<std::int64_t>(), sums.at(1).get<double>(), sums.at(2).get<double>(),
                sums.at(3).get<double>()};
  state.log_bytes = json.at("log_bytes").get<std::uintmax_t>();
  state.started = json.at("started").get<std::string>();
  state.seconds = {json.at("seconds").at(0).get<double>(), json.at("seconds").at(1).get<double>()};
  state.decoded_sentences = json.at("decoded_sentences").get<std::int64_t>();
  state.decoding_seconds = json.at("decoding_seconds").get<double>();
  for (std::size_t layer = 0; layer < json.at("layers").get<std::size_t>(); ++layer) {
    const torch::Tensor choice_VT = file.tensors.at(choice_name(layer)).to(torch::kInt64);
    auto& validations = state.choices.emplace_back();
    for (std::int64_t v = 0; v < choice_VT.size(0); ++v) {
      const torch::Tensor choice_T = choice_VT[v].contiguous();
      const auto* values = choice_T.const_data_ptr<std::int64_t>();
      validations.emplace_back(values, values + choice_T.numel());
    }
  }
  state.mean.load(model, file);
  return state;
}

/// Of names, shapes, values and all other metadata: a checkpoint with one bit flipped is none.
class CheckpointDigest {
 public:
  explicit CheckpointDigest(const std::map<std::string, std::string>& metadata) {
    for (const auto& [key, value] : metadata) {
      if (key == digest_key) continue;
      digest_.add(key);
      digest_.add(value);
    }
  }
  /// `values`: contiguous, on the CPU. In the order of the names.
  void add(const std::string& name, const torch::Tensor& values) {
    digest_.add(name);
    digest_.add(torch::toString(values.scalar_type()));
    for (const std::int64_t extent : values.sizes()) digest_.add(extent);
    digest_.add(std::string_view(static_cast<const char*>(values.const_data_ptr()), values.nbytes()));
  }
  std::string text() const { return digest_.text(); }

 private:
  Digest digest_;
};

std::string digest_of(const TensorFile& file) {
  CheckpointDigest digest(file.metadata);
  for (const auto& [name, tensor] : file.tensors) digest.add(name, tensor);
  return digest.text();
}

/// In int64, so that the sums of the mean, which follow, lie at multiples of eight bytes and are not copied when they
/// are read.
void add_choices(const RunState& state, LazyTensors& sources) {
  for (std::size_t layer = 0; layer < state.choices.size(); ++layer) {
    std::vector<torch::Tensor> validations;
    for (const auto& choice : state.choices[layer]) validations.push_back(torch::tensor(choice, torch::kInt64));
    sources.emplace(choice_name(layer),
                    validations.empty() ? torch::empty({0, 0}, torch::kInt64) : torch::stack(validations));
  }
}

/// A checkpoint on its way to the disk, tensor by tensor. Its digest, which stands before them, comes last.
class CheckpointFile {
 public:
  CheckpointFile(const std::filesystem::path& file, const LazyTensors& sources, const RunState& state)
      : metadata_{{"format", "moe-bench checkpoint 2"},
                  {"run_state", state_to_json(state).dump()},
                  {digest_key, unknown_digest}},
        digest_(metadata_),
        writer_(file, sources, metadata_) {}

  void append(const std::string& name, const torch::Tensor& tensor) {
    const torch::Tensor values = tensor.detach().to(torch::kCPU).contiguous();
    digest_.add(name, values);
    writer_.append(values);
  }
  void commit() {
    writer_.replace_metadata(unknown_digest, digest_.text());
    writer_.commit();
  }

 private:
  std::map<std::string, std::string> metadata_;
  CheckpointDigest digest_;
  SafetensorsWriter writer_;
};

/// Runs `work`; what it finds missing in the file becomes one sentence.
template <class Work>
auto reading(const std::filesystem::path& file, Work work) {
  const auto foreign = [&] {
    return Error(fmt::format("{}: is not a checkpoint of this run; remove it to start the run again.", file.string()));
  };
  try {
    const TensorFile content = read_safetensors(file);
    MOE_CHECK(content.metadata.at(digest_key) == digest_of(content),
              "{}: is not what the run wrote; remove it to start the run again.", file.string());
    return work(content);
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(what.starts_with(file.string()) ? what : fmt::format("{}: {}", file.string(), what), error.status());
  } catch (const Json::exception&) {
    throw foreign();
  } catch (const std::out_of_range&) {
    throw foreign();
  }
}

}  // namespace

void CurveSums::add(const StepReport& report) {
  ++updates;
  cross_entropy += report.cross_entropy;
  consistency += report.consistency;
  balance += report.balance;
}

void save_checkpoint(const std::filesystem::path& file, const Trainer& trainer, const RunState& state) {
  LazyTensors sources;
  trainer.save(sources);
  state.mean.save(trainer.model(), sources);
  add_choices(state, sources);
  std::unique_ptr<CheckpointFile> checkpoint;
  on_first_rank(trainer.ranks(), "checkpoint", [&] {
    remove_unfinished(file);
    checkpoint = std::make_unique<CheckpointFile>(file, sources, state);
  });
  std::exception_ptr failure;  // of the first rank: the others go on with the tensors that all make together
  for (const auto& [name, source] : sources) {
    const torch::Tensor tensor = source.make();
    if (!checkpoint || failure) continue;
    try {
      checkpoint->append(name, tensor);
    } catch (const std::exception&) {
      failure = std::current_exception();
    }
  }
  on_first_rank(trainer.ranks(), "end of the checkpoint", [&] {
    if (failure) std::rethrow_exception(failure);
    checkpoint->commit();
  });
}

void load_checkpoint(const std::filesystem::path& file, Trainer& trainer, RunState& state) {
  reading(file, [&](const TensorFile& content) {
    state = state_from_file(content, trainer.model(), state.origin);
    trainer.load(content);
  });
}

void load_scored_weights(Transformer& model, const std::filesystem::path& checkpoint, const std::string& origin) {
  reading(checkpoint, [&](const TensorFile& content) {
    const RunState state = state_from_file(content, model, origin);
    load_parameters(model, content);  // buffers too
    state.mean.load_into(model);
  });
}

}  // namespace moe
