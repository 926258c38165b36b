#include "data/synthetic.h"

#include "core/error.h"
#include "data/language.h"
#include "data/meanings.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

std::int64_t evaluation_sentences(const DataSettings& settings) {
  const auto& sizes = settings.synthetic;
  return sizes.valid_sentences + sizes.test_sentences * static_cast<std::int64_t>(settings.test.size());
}

std::vector<std::string> render_all(const Language& language, const std::vector<Meaning>& meanings) {
  std::vector<std::string> lines;
  lines.reserve(meanings.size());
  for (const Meaning& meaning : meanings) lines.push_back(language.render(meaning));
  return lines;
}

TextSet render_set(const std::string& name, const std::vector<Meaning>& meanings,
                   const std::vector<LanguagePair>& directions, const std::map<std::string, Language>& languages) {
  TextSet set{name, {}};
  for (const LanguagePair& direction : directions) {
    set.directions.push_back({render_all(languages.at(direction.source), meanings),
                              render_all(languages.at(direction.target), meanings),
                              {}});
  }
  return set;
}

}  // namespace

void check_synthetic_language(const std::string& name, const std::string& path, ConfigErrors& errors) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  errors.check(name.size() == 2 && std::all_of(name.begin(), name.end(), is_letter), path,
               fmt::format("\"{}\" is no synthetic language; expected two lower-case letters, family and member, such "
                           "as aa, ab (its relative) or ba (a stranger).",
                           name));
}

void check_synthetic_sizes(const DataSettings& settings, const std::string& path, ConfigErrors& errors) {
  const auto wanted = static_cast<double>(settings.synthetic.train_sentences + evaluation_sentences(settings));
  // Half of all meanings, so that drawing without repetition stays quick.
  const double largest = count_meanings(settings.synthetic) / 2;
  errors.check(
      wanted <= largest, path,
      fmt::format("found {:.0f} sentences in all sets, but so small a lexicon gives at most {:.0f}.", wanted, largest));
}

Corpus make_synthetic_corpus(const DataSettings& settings, const std::vector<LanguagePair>& directions) {
  std::map<std::string, Language> languages;
  for (const LanguagePair& direction : directions) {
    for (const std::string& name : {direction.source, direction.target}) {
      languages.try_emplace(name, name, settings.synthetic);
    }
  }
  const SyntheticSettings& sizes = settings.synthetic;
  const std::vector<Meaning> meanings = draw_meanings(sizes, sizes.train_sentences + evaluation_sentences(settings));
  auto next = meanings.begin();
  const auto take_set = [&](const std::string& name, std::int64_t count) {
    const std::vector<Meaning> part(next, next + count);
    next += count;
    return render_set(name, part, directions, languages);
  };
  Corpus corpus;
  corpus.directions = directions;
  // Training last: its size can be an axis of a sweep without moving what the runs are scored on.
  corpus.valid = take_set(settings.valid, sizes.valid_sentences);
  for (const std::string& name : settings.test) corpus.test.push_back(take_set(name, sizes.test_sentences));
  corpus.train = take_set(settings.train, sizes.train_sentences);
  return corpus;
}

}  // namespace moe
