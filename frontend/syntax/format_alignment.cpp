// Alignment as groups of tokens that share a column. See format_alignment.h.
#include "frontend/syntax/format_alignment.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

namespace tarn::alignment {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// Every group's tokens have the same column in the source once lines are indented, and columns rise along a line. So if
// groups are placed in the order of that column, all that stands to their left is already in place.
class Aligner {
 public:
  explicit Aligner(const std::vector<Line>& lines) : lines_(lines) {
    for (const Line& line : lines) {
      first_token_.push_back(column_.size());
      column_.resize(column_.size() + line.tokens.size());
    }
    begins_below_.resize(lines.size());
    group_.resize(column_.size());
    std::iota(group_.begin(), group_.end(), std::size_t{0});
  }

  std::vector<std::vector<std::int64_t>> run() {
    std::size_t statement = kNone;  // the first line of the statement at hand, where it adjoins
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      indent(i);
      const bool adjoins = i > 0 && lines_[i].adjoins && !lines_[i].tokens.empty();
      if (adjoins) link(i - 1, i);
      if (adjoins && !lines_[i].continues && statement != kNone && statement + 1 < i) link(statement, i);
      if (!lines_[i].continues) {
        statement = i;
      } else if (!adjoins) {
        statement = kNone;
      }
    }
    return place();
  }

 private:
  const Token& token(std::size_t line, std::size_t i) const { return lines_[line].tokens[i]; }
  std::size_t id(std::size_t line, std::size_t i) const { return first_token_[line] + i; }

  std::size_t find(std::size_t i) {
    while (group_[i] != i) i = group_[i] = group_[group_[i]];
    return i;
  }

  void join(std::size_t a, std::size_t b) { group_[find(a)] = find(b); }

  // Gives the tokens of a line the columns that they have when the line, or the one that it is aligned with, is
  // indented.
  void indent(std::size_t line) {
    if (lines_[line].tokens.empty()) return;
    std::int64_t shift = lines_[line].indent - token(line, 0).column;
    if (line > 0 && lines_[line].continues && lines_[line].adjoins && !lines_[line - 1].tokens.empty()) {
      const std::int64_t shift_above = column_[id(line - 1, 0)] - token(line - 1, 0).column;
      const std::size_t above = token_at(line - 1, token(line, 0).column + shift_above);
      const bool below_aligned_line = above == 0 && begins_below_[line - 1];
      if (above != kNone && (below_aligned_line || (above > 0 && token(line - 1, above).takes_lines_below))) {
        begins_below_[line] = true;
        join(id(line, 0), id(line - 1, above));
        shift = shift_above;
      }
    }
    for (std::size_t i = 0; i < lines_[line].tokens.size(); ++i) column_[id(line, i)] = token(line, i).column + shift;
  }

  // The token of an indented line that begins at a column.
  std::size_t token_at(std::size_t line, std::int64_t column) const {
    const auto begin = column_.begin() + static_cast<std::ptrdiff_t>(first_token_[line]);
    const auto end = begin + static_cast<std::ptrdiff_t>(lines_[line].tokens.size());
    const auto found = std::lower_bound(begin, end, column);
    return found == end || *found != column ? kNone : static_cast<std::size_t>(found - begin);
  }

  // Joins the tokens of two neighbours that are aligned on purpose: more than one space says so.
  void link(std::size_t above, std::size_t below) {
    if (lines_[above].block != lines_[below].block) return;
    for (std::size_t i = 1; i < lines_[above].tokens.size(); ++i) {
      if (!token(above, i).spaced) continue;
      const std::size_t j = token_at(below, column_[id(above, i)]);
      if (j == kNone || j == 0 || !token(below, j).spaced) continue;
      if (token(above, i).gap >= 2 || token(below, j).gap >= 2) join(id(above, i), id(below, j));
    }
  }

  std::vector<std::vector<std::int64_t>> place() {
    struct Member {
      std::int64_t column;
      std::size_t group, line, index;
    };
    std::vector<Member> members;
    for (std::size_t line = 0; line < lines_.size(); ++line) {
      for (std::size_t i = 0; i < lines_[line].tokens.size(); ++i) {
        members.push_back({column_[id(line, i)], find(id(line, i)), line, i});
      }
    }
    std::ranges::sort(members, [](const Member& a, const Member& b) {
      return a.column != b.column ? a.column < b.column : a.group < b.group;
    });
    std::vector<std::vector<std::int64_t>> placed;
    placed.reserve(lines_.size());
    for (const Line& line : lines_) placed.emplace_back(line.tokens.size());
    const auto nearest = [&](const Member& m) {
      if (m.index == 0) return begins_below_[m.line] ? 0 : lines_[m.line].indent;
      const Token& before = token(m.line, m.index - 1);
      return placed[m.line][m.index - 1] + before.width + (token(m.line, m.index).spaced ? 1 : 0);
    };
    for (std::size_t begin = 0, end = 0; begin < members.size(); begin = end) {
      std::int64_t column = 0;
      for (end = begin; end < members.size() && members[end].group == members[begin].group; ++end) {
        column = std::max(column, nearest(members[end]));
      }
      for (std::size_t i = begin; i < end; ++i) placed[members[i].line][members[i].index] = column;
    }
    return placed;
  }

  const std::vector<Line>& lines_;
  std::vector<std::size_t> first_token_;  // of each line, in the vectors below
  std::vector<std::int64_t> column_;      // of each token, in the source but indented
  std::vector<std::size_t> group_;        // a forest: tokens of one tree share a column
  std::vector<bool> begins_below_;        // lines that are aligned with a token of the line above
};

}  // namespace

std::vector<std::vector<std::int64_t>> aligned_columns(const std::vector<Line>& lines) { return Aligner(lines).run(); }

}  // namespace tarn::alignment
