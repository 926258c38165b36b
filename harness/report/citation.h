#pragma once
// How to cite the program.

#include <string>

namespace moe {

/// A BibTeX entry with what CITATION.cff says, which is compiled in.
std::string bibtex_entry();

}  // namespace moe
