// The source formatter behind `tarn fmt`.
//
// Contract: comments and the user's line breaks stay, and so does what the file means. Indentation becomes 2 spaces a
// block and for the body of a function behind `=`, 4 for any other line that continues a statement unless it stands
// below a token of the line above; between tokens stands the white space of the language page (spaces around operators
// but ^, .. and those in slices), and more where neighbouring lines are aligned by hand (format_alignment.h says
// which); runs of blank lines shrink to one; comments behind code on successive lines stand below each other, two
// spaces behind the longest; lines end in \n without white space before it. Formatting what was formatted changes
// nothing.
#pragma once

#include <string>

#include "ir/diagnostics.h"

namespace tarn {

// The formatted text of a file; its syntax errors where it has any.
Result<std::string> format_source(FileId file, const Sources& sources);

}  // namespace tarn
