// Where the tokens of formatted lines stand, so that what was aligned by hand stays aligned.
//
// Two kinds of alignment are kept; all other white space is one space or none.
//  - A token that more than one space precedes stands below or above a token on a neighbouring line of the same block
//    that begins at the same column and also follows white space. Both stand where the longer of their lines puts them.
//  - A line that continues a statement begins below a token of the line above (see Token::takes_lines_below).
// Neighbours of a line are the lines directly above and below and, for the first line of a statement, also the first
// lines of the statements directly above and below. Columns are compared after indentation: what re-indentation moves
// it moves as a whole. Aligning what was aligned changes nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace tarn::alignment {

// All columns and widths are in code points.
struct Token {
  std::int64_t column = 0;         // in the source
  std::int64_t width = 0;          // of its text
  std::int64_t gap = 0;            // the white space in front of it in the source; of the first token of a line: 0
  bool spaced = false;             // white space stands in front of it in the result
  bool takes_lines_below = false;  // a line may begin below it
};

struct Line {
  std::int64_t indent = 0;  // where it begins in the result if it is not aligned
  int block = 0;            // lines of one block have the same number
  bool continues = false;   // it is not the first line of its statement
  bool adjoins = false;     // there is no blank line and no comment between it and the line before
  std::vector<Token> tokens;
};

// The column of every token of every line in the result, counted from 0.
std::vector<std::vector<std::int64_t>> aligned_columns(const std::vector<Line>& lines);

}  // namespace tarn::alignment
