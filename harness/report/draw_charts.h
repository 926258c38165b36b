#pragma once
// Drawing of Vega-Lite specifications by tools/draw_charts.py, whose text is compiled in.

#include <filesystem>
#include <optional>
#include <string>

namespace moe {

/// Draws every NAME.vl.json of the folder to NAME.svg and NAME.png beside it. Returns nothing when all went well, else
/// one sentence with the reason. The Python is that of MOE_BENCH_PYTHON, or the one
/// beside the program: of its installation, or of the virtual environment beside the build folder.
std::optional<std::string> draw_charts(const std::filesystem::path& folder);

}  // namespace moe
