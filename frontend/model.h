// From the declarations of a file to a Program: the model, elaborated once for each graph, its train block and its data
// blocks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontend/elaborate/elaborator.h"

namespace tarn::elaboration {

// A Setting (ir/setting.h), parsed.
struct Override {
  std::string key;
  std::string text;
  std::string weights;            // the file that notes it; "" for --set
  ast::ExpressionPtr expression;  // null: it did not parse, which was reported
  Span key_span;                  // in a source of its own
  bool used = false;
};

// Elaborates the main module of `elaborator` into its program; complete only if no error was reported.
void elaborate_program(Elaborator& elaborator, std::vector<Override>& overrides);

// Reads the data blocks into the program, whose inputs and targets are known. data_block.cpp
void read_data_blocks(Elaborator& elaborator, const std::vector<const ast::Data*>& blocks);

}  // namespace tarn::elaboration
