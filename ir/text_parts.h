// What the text forms of graphs, kernel plans and programs have in common: words, strings, types, places in the source,
// and the scanner that reads them.
#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ir/graph.h"

namespace tarn {

// Whether the text reads back as a word that is not a number: ids are numbers.
bool is_name(std::string_view text);
// In quotation marks, with \", \\, \n and \xNN for what would not stand in a line.
std::string quoted(std::string_view text);
// A name as text: as it is where it reads back, else in quotation marks.
std::string name_text(const std::string& name);
// ""iris.tarn":4:18+5", or "-" for no place.
std::string span_text(Span span, const Sources& sources);
// " @ "iris.tarn":4:18+5 in "layer 'dense'" @ …", innermost first; nothing for location 0.
void print_location(std::string& out, const Locations& locations, LocationId id, const Sources& sources);
// "iris.tarn:4, layer 'dense'": the line of the model that a location comes from, and what is called there; "" where it
// is of no line.
std::string origin_of(LocationId id, const Locations& locations, const Sources& sources);

// Reads words, numbers and strings from the text, past white space and comments, and knows where it is for errors.
class Scanner {
 public:
  Scanner(std::string_view text, FileId file) : text_(text), file_(file) {}

  // An error at the token that was looked at last.
  Diagnostic fail(std::string message) const;
  Diagnostic fail_expected(std::string_view what) const;

  // Moves to the next token; errors point there.
  void skip();
  bool at_end();
  bool peek(char c);
  // Whether a number begins here: digits, inf or nan, with or without a sign.
  bool peek_number();
  bool accept(char c);
  // A sign of one or two characters, "<=".
  bool accept_sign(std::string_view sign);
  Status expect(char c);
  // What is_word_character() accepts; "" where there is none.
  std::string_view accept_word();
  bool accept_keyword(std::string_view keyword);
  Status expect_keyword(std::string_view keyword);
  Result<std::string_view> word(std::string_view what);
  template <class T>
  Result<T> number(std::string_view what) {
    skip();
    T value{};
    const auto [end, problem] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (problem == std::errc::result_out_of_range) return fail("this number is out of range");
    if (problem != std::errc()) return fail_expected(what);
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }
  Result<std::string> string(std::string_view what);
  // A word or a string.
  Result<std::string> name();

 private:
  Result<char> escape();

  std::string_view text_;
  FileId file_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
};

// "f32[N,4]", "each f32[4]".
Result<Type> read_type(Scanner& scan);
Result<DType> read_dtype(Scanner& scan);
// "output", "loss", "store", "value".
Result<ResultKind> read_result_kind(Scanner& scan);

// Reads what print_location() prints. `sources` gains an empty file for each name that it does not know.
class LocationReader {
 public:
  explicit LocationReader(Sources& sources) : sources_(sources) {}
  // 0 where no location stands here.
  Result<LocationId> read(Scanner& scan, Locations& locations);
  // What span_text() gives.
  Result<Span> span(Scanner& scan);

 private:
  Result<FileId> file(Scanner& scan, const std::string& name);

  Sources& sources_;
  std::unordered_map<std::string, FileId> files_;
};

struct NamedGraph;
// A graph as ir/text.h describes it, which passes verify(); the text may go on behind it. Its locations are among
// `shared`.
Result<NamedGraph> read_graph(Scanner& scan, LocationReader& locations, std::shared_ptr<Locations> shared);

}  // namespace tarn
