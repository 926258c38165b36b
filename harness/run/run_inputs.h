#pragma once
// What a run reads beside its configuration, by content: the data, and files that options of its strategy name.

#include "data/corpus.h"
#include "harness/run/run_folder.h"
#include "harness/sweep/run_spec.h"

#include <map>
#include <string>

namespace moe {

using FileDigests = std::map<std::string, std::string>;

struct RunInputs {
  std::string data;   ///< as corpus_digest gives it
  FileDigests files;  ///< of each file that the strategy names, by the JSON path of the option
};

/// Digests of the files that the strategy names. Throws Error for one that cannot be read.
FileDigests digest_files(const StrategySpec& strategy);

/// The digest that names a run or its checkpoint: `text_digest` itself for a run without such files.
std::string with_files(const std::string& text_digest, const FileDigests& files);

/// Writes to the run's folder what the run is to read. `texts` are the text_digests of its data.
void write_inputs(const RunFolder& folder, const RunInputs& inputs, const FileDigests& texts);

/// The strategy's files as write_inputs wrote them, or as they are where the folder was made by hand.
FileDigests planned_files(const RunFolder& folder, const StrategySpec& strategy);

/// Digest of all that a checkpoint's weights mean something with: configuration and vocabulary as they stand in the
/// folder, and the files that the strategy names.
std::string run_fingerprint(const RunFolder& folder, const RunSpec& spec);

/// What a run with this corpus reads. Throws Error (runs_failed), naming what changed, unless that is what write_inputs
/// wrote; a folder that was made by hand has nothing to compare with.
RunInputs checked_inputs(const RunFolder& folder, const RunSpec& spec, const Corpus& corpus);

}  // namespace moe
