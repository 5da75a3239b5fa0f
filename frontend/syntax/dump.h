// The syntax tree as text, for `tarn show --stage ast` and for tests: an S-expression a statement, blocks indented.
// Spans are left out.
#pragma once

#include <string>

#include "frontend/syntax/ast.h"

namespace tarn::ast {

std::string dump(const File& file);
std::string dump(const Expression& expression);

}  // namespace tarn::ast
