// From the text of a file to its syntax tree.
//
// Contract: any bytes may be parsed; whatever is wrong with them becomes diagnostics, each at the token where it was
// noticed. After an error the parser goes on behind the statement that holds it, so that one run reports what is wrong
// in several places, at most kMaxSyntaxErrors of them. With errors there is still a tree, without the statements at
// fault: it may be used to find more errors, never to compile.
#pragma once

#include <memory>

#include "frontend/syntax/ast.h"
#include "frontend/syntax/lexer.h"
#include "ir/diagnostics.h"

namespace tarn {

inline constexpr int kMaxSyntaxErrors = 20;

struct ParseResult {
  std::unique_ptr<ast::File> file;  // never null
  Diagnostics diagnostics;          // in the order of the source
};

// Parses a whole file, or the statements of a part. `file` must be known to `sources`.
ParseResult parse(FileId file, const Sources& sources, const SourcePart& part = {});

// Parses a text that is one expression, as in `--set lr=0.1 * 2`.
Result<ast::ExpressionPtr> parse_expression(FileId file, const Sources& sources);

}  // namespace tarn
