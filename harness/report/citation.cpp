#include "harness/report/citation.h"

#include "generated/citation_entry.h"

namespace moe {

std::string bibtex_entry() {
  return citation_entry;
}

}  // namespace moe
