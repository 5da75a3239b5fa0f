// See program_text.h. Printing and parsing go over the same fields; what a value looks like follows from its type.
#include "ir/program_text.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <span>
#include <type_traits>

#include "ir/joined.h"
#include "ir/program_fields.h"
#include "ir/text.h"
#include "ir/text_parts.h"
#include "ir/verify_program.h"

namespace tarn {

namespace {

// The words of an enumeration, in the order of its values.
using Words = std::span<const std::string_view>;

Words words_of(TensorKind) {
  static const std::array<std::string_view, 6> kWords = {name_of(TensorKind::parameter), name_of(TensorKind::state),
                                                         name_of(TensorKind::slot),      name_of(TensorKind::hyper),
                                                         name_of(TensorKind::counter),   name_of(TensorKind::metric)};
  return kWords;
}
Words words_of(InputRole) {
  static constexpr std::array<std::string_view, 3> kWords = {"input", "target", "sample_weight"};
  return kWords;
}
Words words_of(ValueRange::Kind) {
  static constexpr std::array<std::string_view, 5> kWords = {"any", "index", "class_number", "probability", "sign"};
  return kWords;
}
Words words_of(Better) {
  static constexpr std::array<std::string_view, 3> kWords = {"unknown", "smaller", "larger"};
  return kWords;
}
Words words_of(DataBinding::Encoding) {
  static constexpr std::array<std::string_view, 3> kWords = {"none", "one_hot", "ordinal"};
  return kWords;
}

template <class T>
concept Enumeration = std::is_enum_v<T>;
template <class T>
concept Number = std::is_arithmetic_v<T>;
template <class T>
concept Struct = std::is_class_v<T>;

class ProgramPrinter {
 public:
  explicit ProgramPrinter(const Sources& sources) : sources_(sources) {}

  std::string print(const Program& program) const {
    std::string out = fmt::format("program {} {{\n", name_text(program.name));
    visit_statements(program, [&](std::string_view word, const auto& rows) { add_statements(out, word, rows); });
    for (const auto& [name, graph] : program.graphs) add_indented(out, tarn::print(graph, name, sources_));
    return out + "}\n";
  }

 private:
  // A row of a table is a statement; what is there once is one, unless it is as it begins.
  template <class T>
  void add_statements(std::string& out, std::string_view word, const std::vector<T>& rows) const {
    for (const T& row : rows) out += fmt::format("  {} {}\n", word, text_of(row));
  }
  template <class T>
  void add_statements(std::string& out, std::string_view word, const std::map<std::string, T>& rows) const {
    for (const auto& [name, row] : rows) out += fmt::format("  {} {} = {}\n", word, name_text(name), text_of(row));
  }
  template <class T>
  void add_statements(std::string& out, std::string_view word, const T& value) const {
    const std::string text = text_of(value);
    if (text != text_of(T())) out += fmt::format("  {} {}\n", word, text);
  }

  static void add_indented(std::string& out, std::string_view lines) {
    while (!lines.empty()) {
      const std::size_t end = lines.find('\n') + 1;
      out.append("  ").append(lines.substr(0, end));
      lines.remove_prefix(end);
    }
  }

  std::string text_of(bool truth) const { return truth ? "true" : "false"; }
  std::string text_of(char character) const { return quoted({&character, 1}); }
  std::string text_of(const std::string& text) const { return name_text(text); }
  std::string text_of(const Type& type) const { return to_string(type); }
  std::string text_of(Span span) const { return span_text(span, sources_); }
  template <Number T>
  std::string text_of(T number) const {
    return fmt::format("{}", number);
  }
  template <Enumeration T>
  std::string text_of(T value) const {
    const Words words = words_of(value);
    const auto index = static_cast<std::size_t>(value);
    TARN_CHECK(index < words.size(), "an enumerator without a word");
    return std::string(words[index]);
  }
  template <class T>
  std::string text_of(const std::optional<T>& value) const {
    return value ? text_of(*value) : "";
  }
  template <class T>
  std::string text_of(const std::vector<T>& list) const {
    std::string out = "[";
    for (const T& element : list) out.append(out.size() > 1 ? ", " : "").append(text_of(element));
    return out + "]";
  }
  template <class T>
  std::string text_of(const std::map<std::string, T>& entries) const {
    std::string out = "{";
    for (const auto& [name, value] : entries)
      out += fmt::format("{}{} = {}", out.size() > 1 ? ", " : "", name_text(name), text_of(value));
    return out + "}";
  }
  // A struct: the fields in which it differs from a new one.
  template <Struct T>
  std::string text_of(const T& row) const {
    const T plain{};
    std::vector<std::string> texts_when_plain;
    visit_fields(plain, [&](std::string_view, const auto& member) { texts_when_plain.push_back(text_of(member)); });
    std::string out = "{";
    auto when_plain = texts_when_plain.begin();
    visit_fields(row, [&](std::string_view name, const auto& member) {
      const std::string text = text_of(member);
      if (text != *when_plain++) out += fmt::format("{}{} = {}", out.size() > 1 ? ", " : "", name, text);
    });
    return out + "}";
  }

  const Sources& sources_;
};

class ProgramReader {
 public:
  ProgramReader(Scanner& scan, Sources& sources) : scan_(scan), locations_(sources) {}

  Result<Program> read() {
    if (!scan_.accept_keyword("program")) return scan_.fail_expected("'program'");
    const Scanner at_program = scan_;
    TARN_TRY(program_.name, scan_.name());
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    while (!scan_.accept('}')) TARN_RETURN_IF_ERROR(statement());
    if (!scan_.at_end()) return scan_.fail("nothing is expected behind the program");
    if (const Status sound = verify(program_); !sound) return at_program.fail(sound.error().front().message);
    return std::move(program_);
  }

 private:
  Status statement() {
    const Scanner before = scan_;
    const std::string_view word = scan_.accept_word();
    if (word == "graph") {
      scan_ = before;
      return graph();
    }
    std::optional<Status> done;
    visit_statements(program_, [&](std::string_view name, auto& rows) {
      if (name == word) done = read_statement(word, rows);
    });
    return done ? std::move(*done) : scan_.fail_expected("a statement of the program, 'graph' or '}'");
  }

  Status graph() {
    TARN_TRY(NamedGraph read, read_graph(scan_, locations_, shared_locations_));
    return add_entry(program_.graphs, read.name, std::move(read.graph));
  }

  template <class T>
  Status add_entry(std::map<std::string, T>& entries, const std::string& name, T value) {
    if (entries.emplace(name, std::move(value)).second) return Done{};
    return scan_.fail(fmt::format("'{}' is there already", name));
  }

  template <class T>
  Status read_statement(std::string_view, std::vector<T>& rows) {
    return read(rows.emplace_back());
  }
  template <class T>
  Status read_statement(std::string_view, std::map<std::string, T>& rows) {
    return read_entry(rows);
  }
  template <class T>
  Status read_statement(std::string_view word, T& value) {
    if (!single_.insert(word).second) return scan_.fail(fmt::format("'{}' stands twice", word));
    return read(value);
  }

  template <class T>
  Status read_entry(std::map<std::string, T>& entries) {
    TARN_TRY(const std::string name, scan_.name());
    if (entries.contains(name)) return scan_.fail(fmt::format("'{}' stands twice", name));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    return read(entries[name]);
  }

  template <class T>
  static Status assign(T& to, Result<T> from) {
    if (!from) return std::move(from).error();
    to = std::move(*from);
    return Done{};
  }

  // The words in which the value of a name is one of few.
  Result<std::size_t> one_of(Words words) {
    TARN_TRY(const std::string_view word, scan_.word("a word"));
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == word) return i;
    }
    std::vector<std::string> known(words.begin(), words.end());
    return scan_.fail(fmt::format("'{}' is none of {}", word, joined(known, ", ")));
  }

  Status read(bool& truth) {
    static constexpr std::array<std::string_view, 2> kWords = {"false", "true"};
    TARN_TRY(const std::size_t index, one_of(kWords));
    truth = index == 1;
    return Done{};
  }
  Status read(char& character) {
    TARN_TRY(const std::string text, scan_.string("a character in quotation marks"));
    if (text.size() != 1) return scan_.fail("this is not one character");
    character = text.front();
    return Done{};
  }
  Status read(std::string& text) { return assign(text, scan_.name()); }
  Status read(Type& type) { return assign(type, read_type(scan_)); }
  Status read(Span& span) { return assign(span, locations_.span(scan_)); }
  template <Number T>
  Status read(T& number) {
    return assign(number, scan_.number<T>(std::is_floating_point_v<T> ? "a number" : "an integer"));
  }
  template <Enumeration T>
  Status read(T& value) {
    TARN_TRY(const std::size_t index, one_of(words_of(value)));
    value = static_cast<T>(index);
    return Done{};
  }
  template <class T>
  Status read(std::optional<T>& value) {
    return read(value.emplace());
  }
  template <class T>
  Status read(std::vector<T>& list) {
    TARN_RETURN_IF_ERROR(scan_.expect('['));
    while (!scan_.accept(']')) {
      if (!list.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_RETURN_IF_ERROR(read(list.emplace_back()));
    }
    return Done{};
  }
  template <class T>
  Status read(std::map<std::string, T>& entries) {
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    while (!scan_.accept('}')) {
      if (!entries.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_RETURN_IF_ERROR(read_entry(entries));
    }
    return Done{};
  }
  // A struct.
  template <Struct T>
  Status read(T& row) {
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    std::set<std::string_view> seen;
    while (!scan_.accept('}')) {
      if (!seen.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const std::string_view key, scan_.word("the name of a field"));
      if (!seen.insert(key).second) return scan_.fail(fmt::format("'{}' stands twice", key));
      std::optional<Status> done;
      visit_fields(row, [&](std::string_view name, auto& member) {
        if (name == key) done = read_field(member);
      });
      if (!done) return scan_.fail(fmt::format("there is no field '{}' here", key));
      TARN_RETURN_IF_ERROR(std::move(*done));
    }
    return Done{};
  }
  template <class T>
  Status read_field(T& member) {
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    return read(member);
  }

  Scanner& scan_;
  LocationReader locations_;
  std::shared_ptr<Locations> shared_locations_ = std::make_shared<Locations>();
  std::set<std::string_view> single_;
  Program program_;
};

}  // namespace

std::string print(const Program& program, const Sources& sources) { return ProgramPrinter(sources).print(program); }

Result<Program> parse_program(std::string_view text, const std::string& text_name, Sources& sources) {
  Scanner scan(text, sources.add(text_name, std::string(text)));
  return ProgramReader(scan, sources).read();
}

}  // namespace tarn
