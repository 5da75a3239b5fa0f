// The source formatter behind `tarn fmt`.
//
// Contract: comments and the user's line breaks stay, and so does what the file means. Indentation becomes 2 spaces a
// block and 4 for a line that continues a statement; between tokens stands the white space of the language page (spaces
// around operators but ^, .. and those in slices); runs of blank lines shrink to one; comments behind code on
// successive lines stand below each other, two spaces behind the longest; lines end in \n without white space before
// it. Formatting what was formatted changes nothing.
#pragma once

#include <string>

#include "ir/diagnostics.h"

namespace tarn {

// The formatted text of a file; its syntax errors where it has any.
Result<std::string> format_source(FileId file, const Sources& sources);

}  // namespace tarn
