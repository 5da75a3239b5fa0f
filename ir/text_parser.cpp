// The parsing half of the text form. See text.h. It reads the text once, without recursion; whatever it accepts passes
// verify().
#include <fmt/format.h>

#include <charconv>
#include <unordered_map>

#include "ir/builder.h"
#include "ir/text.h"
#include "ir/type_rules.h"

namespace tarn {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Reads words, numbers and strings from the text, past white space and comments, and knows where it is for errors.
class Scanner {
 public:
  Scanner(std::string_view text, FileId file) : text_(text), file_(file) {}

  Diagnostic fail(std::string message) const {
    const std::string_view before = text_.substr(0, start_);
    Span span{file_, 1, 1, 1};
    for (const char c : before) {
      if (c == '\n') {
        ++span.line;
        span.column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
        ++span.column;
      }
    }
    return error_at(span, std::move(message));
  }
  Diagnostic fail_expected(std::string_view what) const {
    if (start_ >= text_.size()) return fail(fmt::format("{} is missing at the end", what));
    return fail(fmt::format("{} is expected here", what));
  }

  // Moves to the next token; errors point there.
  void skip() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
      at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
    }
    start_ = at_;
  }
  bool at_end() {
    skip();
    return at_ >= text_.size();
  }
  bool peek(char c) {
    skip();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  Status expect(char c) {
    if (accept(c)) return Done{};
    return fail_expected(fmt::format("'{}'", c));
  }
  std::string_view accept_word() {
    skip();
    while (at_ < text_.size() && is_word_character(text_[at_])) ++at_;
    return text_.substr(start_, at_ - start_);
  }
  bool accept_keyword(std::string_view keyword) {
    skip();
    const std::size_t begin = at_;
    if (accept_word() == keyword) return true;
    at_ = begin;
    return false;
  }
  Result<std::string_view> word(std::string_view what) {
    const std::string_view found = accept_word();
    if (found.empty()) return fail_expected(what);
    return found;
  }
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
  Result<std::string> string(std::string_view what) {
    if (!accept('"')) return fail_expected(what);
    std::string value;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        value += text_[at_++];
        continue;
      }
      TARN_TRY(const char character, escape());
      value += character;
    }
    if (at_ >= text_.size()) return fail("this string does not end");
    ++at_;
    return value;
  }

 private:
  // The character that \n, \", \\ or \xNN stands for.
  Result<char> escape() {
    const std::string_view rest = text_.substr(at_ + 1, 3);
    at_ += 2;
    if (rest.starts_with('n')) return '\n';
    if (rest.starts_with('"') || rest.starts_with('\\')) return rest.front();
    if (rest.size() == 3 && rest.front() == 'x' && hex_digit(rest[1]) >= 0 && hex_digit(rest[2]) >= 0) {
      at_ += 2;
      return static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
    }
    return fail("this string has an unknown escape");
  }

  std::string_view text_;
  FileId file_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
};

class Parser {
 public:
  Parser(std::string_view text, FileId file, Sources& sources)
      : scan_(text, file), sources_(sources), builder_(graph_) {}

  Result<NamedGraph> parse() {
    if (!scan_.accept_keyword("graph")) return scan_.fail_expected("'graph'");
    TARN_TRY(std::string name, graph_name());
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    while (!scan_.accept('}')) {
      if (scan_.accept('%')) {
        TARN_RETURN_IF_ERROR(node());
      } else if (scan_.accept_keyword("result")) {
        TARN_RETURN_IF_ERROR(result());
      } else {
        return scan_.fail_expected("a node, 'result' or '}'");
      }
    }
    if (!scan_.at_end()) return scan_.fail("nothing is expected behind the graph");
    TARN_RETURN_IF_ERROR(verify(graph_));
    return NamedGraph{std::move(name), std::move(graph_)};
  }

 private:
  Result<std::string> graph_name() {
    if (scan_.peek('"')) return scan_.string("a name");
    TARN_TRY(const std::string_view name, scan_.word("a name"));
    return std::string(name);
  }

  Status node() {
    TARN_TRY(const std::string label, new_label());
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    TARN_TRY(const Type stated, type());
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(const Op op, operation());
    const Scanner at_operation = scan_;
    TARN_TRY(std::vector<NodeId> inputs, operands());
    TARN_TRY(Attributes attributes, attribute_list());
    TARN_TRY(const LocationId where, location());
    builder_.set_location(where);
    const Result<NodeId> made = builder_.try_make(op, std::move(inputs), std::move(attributes), &stated);
    if (!made) return at_operation.fail(fmt::format("{}: {}", name_of(op), made.error().front().message));
    if (builder_.type(*made) != stated) {
      const std::string right = to_string(builder_.type(*made));
      return at_operation.fail(fmt::format("the type of %{} is {}, not {}", label, right, to_string(stated)));
    }
    labels_.emplace(label, *made);
    return Done{};
  }

  Result<std::string> new_label() {
    TARN_TRY(const std::string_view label, scan_.word("the name of a node"));
    std::string text(label);
    if (labels_.count(text) != 0) return scan_.fail(fmt::format("%{} is there already", label));
    return text;
  }

  Result<Type> type() {
    Type result;
    result.per_sample = scan_.accept_keyword("each");
    TARN_TRY(const std::string_view name, scan_.word("a type"));
    const std::optional<DType> dtype = dtype_named(name);
    if (!dtype) return scan_.fail(fmt::format("'{}' is no type", name));
    result.dtype = *dtype;
    const Scanner at_shape = scan_;
    TARN_RETURN_IF_ERROR(scan_.expect('['));
    while (!scan_.accept(']')) {
      if (!result.shape.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const std::int64_t extent, this->extent());
      result.shape.push_back(extent);
      if (const Status valid = check_type(result); !valid) return at_shape.fail(valid.error().front().message);
    }
    return result;
  }

  Result<std::int64_t> extent() {
    if (scan_.accept_keyword("N")) return kBatch;
    TARN_TRY(const std::int64_t value, scan_.number<std::int64_t>("an extent"));
    if (value < 0) return scan_.fail("an extent cannot be negative");
    return value;
  }

  Result<Op> operation() {
    TARN_TRY(const std::string_view name, scan_.word("an operation"));
    const std::optional<Op> op = op_named(name);
    if (!op) return scan_.fail(fmt::format("'{}' is no operation", name));
    return *op;
  }

  Result<NodeId> known_label() {
    TARN_RETURN_IF_ERROR(scan_.expect('%'));
    TARN_TRY(const std::string_view label, scan_.word("the name of a node"));
    const auto found = labels_.find(std::string(label));
    if (found == labels_.end()) return scan_.fail(fmt::format("there is no %{} before this", label));
    return found->second;
  }

  Result<std::vector<NodeId>> operands() {
    std::vector<NodeId> inputs;
    TARN_RETURN_IF_ERROR(scan_.expect('('));
    while (!scan_.accept(')')) {
      if (!inputs.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const NodeId input, known_label());
      inputs.push_back(input);
    }
    return inputs;
  }

  Result<Attributes> attribute_list() {
    Attributes attributes;
    if (!scan_.accept('{')) return attributes;
    while (!scan_.accept('}')) {
      if (!attributes.entries().empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const std::string_view name, scan_.word("an attribute"));
      const std::optional<Key> key = key_named(name);
      if (!key) return scan_.fail(fmt::format("'{}' is no attribute", name));
      if (attributes.has(*key)) return scan_.fail(fmt::format("'{}' stands twice", name));
      TARN_RETURN_IF_ERROR(scan_.expect('='));
      TARN_TRY(AttributeValue value, attribute_value(*key));
      attributes.set(*key, std::move(value));
    }
    return attributes;
  }

  // The key says what kind of value it has, so that "1" may be an integer or a number.
  Result<AttributeValue> attribute_value(Key key) {
    switch (kind_of(key)) {
      case 0:
        return as_value(scan_.number<std::int64_t>("an integer"));
      case 1:
        return as_value(scan_.number<double>("a number"));
      case 2:
        return as_value(scan_.string("a string"));
      case 3:
        return as_value(list<std::int64_t>("an integer"));
      default:
        return as_value(list<double>("a number"));
    }
  }

  template <class T>
  static Result<AttributeValue> as_value(Result<T> result) {
    if (!result) return std::move(result).error();
    return AttributeValue(std::move(result).value());
  }

  template <class T>
  Result<std::vector<T>> list(std::string_view what) {
    std::vector<T> values;
    TARN_RETURN_IF_ERROR(scan_.expect('['));
    while (!scan_.accept(']')) {
      if (!values.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const T value, scan_.number<T>(what));
      values.push_back(value);
    }
    return values;
  }

  // Innermost first; the callers behind it are made before their callees.
  Result<LocationId> location() {
    std::vector<Location> chain;
    while (scan_.accept('@')) {
      Location place;
      TARN_TRY(place.span, span());
      if (scan_.accept_keyword("in")) {
        TARN_TRY(place.context, scan_.string("a string"));
      }
      chain.push_back(std::move(place));
    }
    LocationId id = 0;
    for (; !chain.empty(); chain.pop_back()) {
      chain.back().caller = id;
      id = graph_.locations()->add(std::move(chain.back()));
    }
    return id;
  }

  Result<Span> span() {
    Span result;
    if (scan_.accept('-')) return result;
    TARN_TRY(const std::string name, scan_.string("the name of a file"));
    TARN_TRY(result.file, file(name));
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    TARN_TRY(result.line, scan_.number<std::uint32_t>("a line"));
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    TARN_TRY(result.column, scan_.number<std::uint32_t>("a column"));
    if (!scan_.accept('+')) return result;
    TARN_TRY(result.length, scan_.number<std::uint32_t>("a length"));
    return result;
  }

  Result<FileId> file(const std::string& name) {
    if (const auto known = files_.find(name); known != files_.end()) return known->second;
    // Looking up a file takes time in proportion to their number.
    constexpr std::size_t kMaxFiles = 4096;
    if (files_.size() >= kMaxFiles) return scan_.fail(fmt::format("more than {} files are named", kMaxFiles));
    const std::optional<FileId> found = sources_.find(name);
    const FileId id = found ? *found : sources_.add(name, "");
    files_.emplace(name, id);
    return id;
  }

  Status result() {
    TARN_TRY(const ResultKind kind, result_kind());
    TARN_TRY(std::string name, scan_.string("the name of a result"));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(const NodeId node, known_label());
    graph_.add_result(kind, std::move(name), node);
    return Done{};
  }

  Result<ResultKind> result_kind() {
    TARN_TRY(const std::string_view name, scan_.word("the kind of a result"));
    for (const ResultKind kind : {ResultKind::output, ResultKind::loss, ResultKind::store, ResultKind::value}) {
      if (name_of(kind) == name) return kind;
    }
    return scan_.fail(fmt::format("'{}' is no kind of result", name));
  }

  Scanner scan_;
  Sources& sources_;
  Graph graph_;
  Builder builder_;
  std::unordered_map<std::string, NodeId> labels_;
  std::unordered_map<std::string, FileId> files_;
};

}  // namespace

Result<NamedGraph> parse_graph(std::string_view text, const std::string& text_name, Sources& sources) {
  return Parser(text, sources.add(text_name, std::string(text)), sources).parse();
}

}  // namespace tarn
