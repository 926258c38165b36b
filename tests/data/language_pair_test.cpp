#include "data/language_pair.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

using Pair = std::pair<std::string, std::string>;

Pair parts_of(const std::string& name) {
  const std::optional<LanguagePair> direction = parse_language_pair(name);
  if (!direction) return {};
  CHECK(direction->name == name);
  return {direction->source, direction->target};
}

TEST_CASE("a direction is taken apart where both sides are languages") {
  CHECK(parts_of("de-en") == Pair{"de", "en"});
  CHECK(parts_of("zho_Hans-en") == Pair{"zho_Hans", "en"});
  CHECK(parts_of("pt-BR-en") == Pair{"pt-BR", "en"});
  CHECK(parts_of("en-pt-BR") == Pair{"en", "pt-BR"});
  CHECK(parts_of("pt-BR-pt-PT") == Pair{"pt-BR", "pt-PT"});
  CHECK(parts_of("pt-pt-BR") == Pair{"pt", "pt-BR"});
  CHECK(parts_of("es-419-en") == Pair{"es-419", "en"});
  CHECK(parts_of("sr-Latn-sr-Cyrl") == Pair{"sr-Latn", "sr-Cyrl"});
  CHECK(parts_of("en-sr-Latn-RS") == Pair{"en", "sr-Latn-RS"});
  CHECK(parts_of("yue-Hant-HK-zho_Hans") == Pair{"yue-Hant-HK", "zho_Hans"});
  CHECK(parts_of("A1-b_2") == Pair{"A1", "b_2"});
}

TEST_CASE("what is no direction") {
  for (const char* name : {"", "-", "deen", "de-", "-en", "de--en", "de-de", "pt-BR-pt-BR", "de-en-fr", "pt-br-en",
                           "sr-latn-en", "sr-RS-Latn-en", "zho_Hans-CN-en", "de-e n", "de-en/", "en-Ü"}) {
    INFO(name);
    CHECK_FALSE(parse_language_pair(name));
  }
}

}  // namespace
}  // namespace moe
