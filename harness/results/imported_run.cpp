#include "harness/results/imported_run.h"

#include "core/text.h"
#include "data/digest.h"
#include "harness/sweep/run_spec.h"

#include <fmt/format.h>

namespace moe {

std::string digest_of_text(const std::vector<std::string>& lines) {
  Digest digest;
  for (const std::string& line : lines) digest.add(line);
  return digest.text();
}

std::string imported_run_id(const RunRecord& record, const std::vector<std::string>& translations) {
  const TestScore& score = record.scores.front();
  Digest digest;
  for (const std::string& part : {record.strategy.label, score.set, score.direction}) digest.add(part);
  digest.add(record.seed);
  digest.add(digest_of_text(translations));
  std::vector<std::string> parts = {"imported", slug(record.strategy.label), slug(score.direction),
                                    fmt::format("s{}", record.seed), digest.text().substr(0, 8)};
  std::erase(parts, "");  // a label without a letter that a folder's name can have
  return join(parts, "-");
}

}  // namespace moe
