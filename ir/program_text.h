// The text form of programs. parse_program(print(program)) gives the same program, field by field.
//
//   program iris {
//     input {name = x, type = each f32[4], declared = "iris.tarn":3:9}
//     output {name = y, type = each f32[3], target = species, declared = "iris.tarn":5:10}
//     tensor {name = dense_1.kernel, type = f32[4,6], offset = 64, declared = "iris.tarn":4:18+5}
//     metric {name = loss, better = smaller}
//     settings {epochs = 300, early_stopping = {patience = 20}}
//     data "" = {format = csv, files = {"" = iris.csv}, bindings = [{name = x, columns = [{first = a, last = d}]}]}
//     constant hidden = "6"
//     trainable true
//     graph init {
//       …
//     }
//   }
//
// Statements are the rows of the program's tables (ir/program_fields.h), and graphs as in ir/text.h. A field that is
// not there has the value that its struct begins with. A map is its entries, each by its name; a name that is no word
// stands in quotation marks.
#pragma once

#include <string>

#include "ir/program.h"

namespace tarn {

std::string print(const Program& program, const Sources& sources);

// Parses one program, which passes verify() (ir/verify_program.h). `#` starts a comment. `sources` gains the text, and
// an empty file for each name in a place that it does not know. The graphs share their locations.
Result<Program> parse_program(std::string_view text, const std::string& text_name, Sources& sources);

}  // namespace tarn
