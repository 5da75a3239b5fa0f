// The source formatter: works on tokens and comments, line by line. See format_source.h.
#include "frontend/syntax/format_source.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "frontend/syntax/ast.h"
#include "frontend/syntax/dump.h"
#include "frontend/syntax/format_alignment.h"
#include "frontend/syntax/lexer.h"
#include "frontend/syntax/parser.h"

namespace tarn {

namespace {

constexpr int kBlockIndent = 2;
constexpr int kContinuationIndent = 4;
constexpr int kCommentGap = 2;

// A token as the formatter sees it.
struct Piece {
  TokenKind kind;
  std::string_view text;
  std::uint32_t line;
  std::uint32_t column;
  std::uint32_t gap_before;  // the white space that the user left before it, on the same line
  bool starts_statement = false;
  bool is_unary = false;     // a sign
  bool in_slice = false;     // directly inside [ ] that hold a `:`
  bool in_brackets = false;  // directly inside [ ]
  bool is_map = false;       // a brace of a map, not of a block
};

bool ends_operand(TokenKind kind) {
  switch (kind) {
    case TokenKind::name:
    case TokenKind::number:
    case TokenKind::string:
    case TokenKind::keyword_true:
    case TokenKind::keyword_false:
    case TokenKind::keyword_none:
    case TokenKind::right_parenthesis:
    case TokenKind::right_bracket:
    case TokenKind::right_brace:
      return true;
    default:
      return false;
  }
}

bool is_arithmetic(TokenKind kind) { return kind >= TokenKind::plus && kind <= TokenKind::at; }

// Whether the brace at `open` begins a map: no statement begins with a literal, a sign, or a name before a colon.
bool begins_map(const std::vector<Piece>& pieces, std::size_t open) {
  if (open + 1 >= pieces.size()) return false;
  switch (pieces[open + 1].kind) {
    case TokenKind::number:
    case TokenKind::string:
    case TokenKind::minus:
      return true;
    case TokenKind::name:
      return open + 2 < pieces.size() && pieces[open + 2].kind == TokenKind::colon;
    default:
      return false;
  }
}

std::uint32_t white_space_before(std::string_view source, std::uint32_t offset) {
  std::uint32_t begin = offset;
  while (begin > 0 && (source[begin - 1] == ' ' || source[begin - 1] == '\t')) --begin;
  return offset - begin;
}

// Drops the tokens without text and makes one piece of each string, whatever is interpolated in it.
std::vector<Piece> collect_pieces(const std::vector<Token>& tokens, std::string_view source) {
  std::vector<Piece> pieces;
  bool starts_statement = true;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.kind == TokenKind::line_end) starts_statement = true;
    if (token.kind == TokenKind::line_end || token.kind == TokenKind::file_end) continue;
    Piece piece{token.kind, token.text(source), token.line, token.column, white_space_before(source, token.offset)};
    for (int depth = token.kind == TokenKind::string_start ? 1 : 0; depth > 0;) {
      const Token& inner = tokens[++i];
      depth += inner.kind == TokenKind::string_start ? 1 : inner.kind == TokenKind::string_end ? -1 : 0;
      piece.kind = TokenKind::string;
      piece.text = source.substr(token.offset, inner.offset + inner.size - token.offset);
    }
    piece.starts_statement = starts_statement;
    starts_statement = piece.kind == TokenKind::semicolon || piece.kind == TokenKind::left_brace;
    pieces.push_back(piece);
  }
  return pieces;
}

// Fills in what depends on neighbours and brackets.
void classify(std::vector<Piece>& pieces) {
  struct Open {
    std::size_t at;
    bool has_colon;
  };
  std::vector<Open> open;
  // First the brackets that hold a slice, and the maps.
  std::vector<bool> is_slice(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const TokenKind kind = pieces[i].kind;
    if (opens(kind)) {
      pieces[i].is_map = kind == TokenKind::left_brace && begins_map(pieces, i);
      open.push_back({i, false});
    } else if (closes(kind) && !open.empty()) {
      const Open bracket = open.back();
      open.pop_back();
      is_slice[bracket.at] = bracket.has_colon && kind == TokenKind::right_bracket;
      pieces[i].is_map = pieces[bracket.at].is_map;
    } else if (kind == TokenKind::colon && !open.empty()) {
      open.back().has_colon = true;
    }
  }
  open.clear();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Piece& piece = pieces[i];
    if (closes(piece.kind) && !open.empty()) open.pop_back();
    piece.in_brackets = !open.empty() && pieces[open.back().at].kind == TokenKind::left_bracket;
    piece.in_slice = !open.empty() && is_slice[open.back().at];
    // Behind a word such as `loss` at the start of a statement stands an operand: a - b alone is no statement.
    piece.is_unary =
        piece.kind == TokenKind::minus && (i == 0 || !ends_operand(pieces[i - 1].kind) ||
                                           (pieces[i - 1].starts_statement && pieces[i - 1].kind == TokenKind::name));
    if (opens(piece.kind)) open.push_back({i, false});
  }
}

bool space_between(const Piece& left, const Piece& right) {
  switch (right.kind) {
    case TokenKind::comma:
    case TokenKind::semicolon:
    case TokenKind::dot:
    case TokenKind::range:
    case TokenKind::caret:
    case TokenKind::right_parenthesis:
    case TokenKind::right_bracket:
      return false;
    case TokenKind::colon:
      return left.kind == TokenKind::comma;  // x[0, :]
    case TokenKind::right_brace:
      return !right.is_map && left.kind != TokenKind::left_brace;
    default:
      break;
  }
  switch (left.kind) {
    case TokenKind::left_parenthesis:
    case TokenKind::left_bracket:
    case TokenKind::dot:
    case TokenKind::range:
    case TokenKind::caret:
      return false;
    case TokenKind::left_brace:
      return !left.is_map;
    case TokenKind::colon:
      return !left.in_brackets;
    default:
      break;
  }
  if (left.is_unary) return false;
  const bool tight = (left.in_slice && is_arithmetic(left.kind)) ||
                     (right.in_slice && is_arithmetic(right.kind) && ends_operand(left.kind));
  if (tight) return false;
  if (right.kind == TokenKind::left_parenthesis || right.kind == TokenKind::left_bracket) {
    // A word at the start of a statement may be a keyword (`loss (a + b) / 2`) or what is called (`base(w, g)`).
    if (left.kind == TokenKind::name && left.starts_statement) return right.gap_before > 0;
    return !ends_operand(left.kind) || left.kind == TokenKind::right_brace;
  }
  return true;
}

// In code points.
std::int64_t width(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

// Whether what follows a token may continue below itself: an argument, an element, what is assigned or returned.
bool opens_expression(TokenKind kind) {
  return opens(kind) || kind == TokenKind::assign || kind == TokenKind::left_arrow || kind == TokenKind::arrow ||
         kind == TokenKind::keyword_return;
}

// A line of the result.
struct Line {
  alignment::Line layout;
  std::size_t first_piece = 0;
  std::string code;  // with its indentation
  bool has_code = false;
  std::string_view comment;
  bool blank_before = false;
};

class Formatter {
 public:
  Formatter(std::vector<Piece> pieces, const std::vector<Token>& comments, std::string_view source)
      : pieces_(std::move(pieces)), comments_(comments), source_(source) {}

  std::string run() {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (i == 0 || pieces_[i - 1].line != pieces_[i].line) begin_line(i);
      add_token(i);
      follow_bracket(pieces_[i]);
    }
    add_comments(UINT32_MAX, content_indent());
    write_code();
    return print();
  }

 private:
  // An open bracket: where its content stands, and its closer when it begins a line.
  struct Frame {
    bool is_block;
    int content;
    int closer;
    int block;  // the number of the innermost block
  };

  int content_indent() const { return frames_.empty() ? 0 : frames_.back().content; }
  bool in_block() const { return frames_.empty() || frames_.back().is_block; }

  int indent_of(std::size_t i) const {
    const Piece& piece = pieces_[i];
    if (closes(piece.kind)) return frames_.empty() ? 0 : frames_.back().closer;
    const bool follows_block =
        piece.kind == TokenKind::keyword_else && i > 0 && pieces_[i - 1].kind == TokenKind::right_brace;
    if (!in_block() || piece.starts_statement || follows_block) return content_indent();
    return content_indent() + (in_body_ ? kBlockIndent : kContinuationIndent);
  }

  void begin_line(std::size_t i) {
    const Piece& piece = pieces_[i];
    if (frames_.empty()) {
      in_body_ = !piece.starts_statement && (in_body_ || pieces_[i - 1].kind == TokenKind::assign);
    }
    const int indent = indent_of(i);
    add_comments(piece.line, closes(piece.kind) ? content_indent() : indent);
    start_line(piece.line, indent);
    Line& line = lines_.back();
    line.first_piece = i;
    line.layout.block = frames_.empty() ? 0 : frames_.back().block;
    line.layout.continues = !in_block() || (!closes(piece.kind) && indent != content_indent());
    line.layout.adjoins = !line.blank_before;
  }

  void start_line(std::uint32_t line, int indent) {
    lines_.push_back({});
    lines_.back().layout.indent = indent;
    lines_.back().blank_before = lines_.size() > 1 && line > last_line_ + 1;
    last_line_ = line;
  }

  void add_token(std::size_t i) {
    const Piece& piece = pieces_[i];
    std::vector<alignment::Token>& tokens = lines_.back().layout.tokens;
    alignment::Token token{piece.column, width(piece.text)};
    if (!tokens.empty()) {
      token.gap = piece.gap_before;
      token.spaced = space_between(pieces_[i - 1], piece);
      token.takes_lines_below = tokens.back().takes_lines_below || opens_expression(pieces_[i - 1].kind);
    }
    tokens.push_back(token);
  }

  // The comments in front of `line`: behind the code of the last line, or on lines of their own.
  void add_comments(std::uint32_t line, int indent) {
    for (; next_comment_ < comments_.size() && comments_[next_comment_].line < line; ++next_comment_) {
      const Token& comment = comments_[next_comment_];
      if (lines_.empty() || comment.line != last_line_) start_line(comment.line, indent);
      lines_.back().comment = comment.text(source_);
    }
  }

  void follow_bracket(const Piece& piece) {
    if (opens(piece.kind)) {
      // A block inside brackets, as of a scan that is an argument, stands by its line, any other by its statement.
      const bool is_brace = piece.kind == TokenKind::left_brace;
      const int base = is_brace && in_block() ? content_indent() : static_cast<int>(lines_.back().layout.indent);
      const bool is_block = is_brace && !piece.is_map;
      const int block = is_block ? ++blocks_ : frames_.empty() ? 0 : frames_.back().block;
      frames_.push_back({is_block, base + (is_brace ? kBlockIndent : kContinuationIndent), base, block});
    } else if (closes(piece.kind) && !frames_.empty()) {
      frames_.pop_back();
    }
  }

  void write_code() {
    std::vector<alignment::Line> layout;
    layout.reserve(lines_.size());
    for (Line& line : lines_) layout.push_back(std::move(line.layout));
    const std::vector<std::vector<std::int64_t>> columns = alignment::aligned_columns(layout);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      std::string& code = lines_[i].code;
      std::int64_t column = 0;
      for (std::size_t t = 0; t < columns[i].size(); ++t) {
        code.append(static_cast<std::size_t>(columns[i][t] - column), ' ');
        code += pieces_[lines_[i].first_piece + t].text;
        column = columns[i][t] + layout[i].tokens[t].width;
      }
      if (columns[i].empty()) code.append(static_cast<std::size_t>(layout[i].indent), ' ');
      lines_[i].has_code = !columns[i].empty();
    }
  }

  static bool has_both(const Line& line) { return line.has_code && !line.comment.empty(); }

  std::string print() const {
    std::string text;
    std::int64_t comment_column = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Line& line = lines_[i];
      if (line.blank_before) text += '\n';
      text += line.code;
      if (has_both(line)) {
        const bool continues_group = i > 0 && has_both(lines_[i - 1]) && !line.blank_before;
        if (!continues_group) comment_column = widest_of_group(i) + kCommentGap;
        text.append(static_cast<std::size_t>(comment_column - width(line.code)), ' ');
      }
      text += line.comment;
      text += '\n';
    }
    return text;
  }

  std::int64_t widest_of_group(std::size_t i) const {
    std::int64_t widest = width(lines_[i].code);
    for (++i; i < lines_.size() && has_both(lines_[i]) && !lines_[i].blank_before; ++i)
      widest = std::max(widest, width(lines_[i].code));
    return widest;
  }

  std::vector<Piece> pieces_;
  const std::vector<Token>& comments_;
  std::string_view source_;
  std::vector<Frame> frames_;
  std::vector<Line> lines_;
  int blocks_ = 0;
  bool in_body_ = false;  // below a declaration that ended its line with `=`
  std::uint32_t last_line_ = 0;
  std::size_t next_comment_ = 0;
};

}  // namespace

Result<std::string> format_source(FileId file, const Sources& sources) {
  const ParseResult before = parse(file, sources);
  if (has_errors(before.diagnostics)) return before.diagnostics;
  const std::string_view source = sources.text(file);
  const Lexed lexed = lex(file, sources);
  std::vector<Piece> pieces = collect_pieces(lexed.tokens, source);
  classify(pieces);
  std::string text = Formatter(std::move(pieces), lexed.comments, source).run();
  Sources formatted;
  const FileId copy = formatted.add(std::string(sources.name(file)), text);
  const ParseResult after = parse(copy, formatted);
  TARN_CHECK(after.diagnostics.empty() && ast::dump(*before.file) == ast::dump(*after.file),
             "formatting would change what the file means");
  return text;
}

}  // namespace tarn
