// Contractions: from letters to the axes batch…, rows, columns and inner of a kernel, and which operand plays which
// part.
#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "ir/type_rules.h"
#include "passes/planner/planner.h"
#include "passes/tactics/product_form.h"

namespace tarn {
namespace {

// A letter with its strides in elements; 0 where an array does not have it.
struct Letter {
  Extent extent;
  std::int64_t a = 0, b = 0, result = 0;
  bool in_a = false, in_b = false;
  std::size_t result_axis = kNone;  // number among axes_of(result)
  std::size_t number = 0;           // in the order in which they are met, from 1
  bool has_bounds = false;          // an index with bounds depends on it: stays an axis of its own
};

// Adjacent letters as one axis.
struct Merged {
  std::vector<std::size_t> result_axes;
  Extent extent;
  std::int64_t a = 0, b = 0, result = 0;
  std::size_t letter = 0;  // number of the first; 0: there is none
  bool has_bounds = false;
};

// Letters, outermost first, merged where both operands and the result allow.
std::vector<Merged> merge(const std::vector<Letter>& letters) {
  std::vector<Merged> axes;
  for (const Letter& letter : letters) {
    const std::int64_t e = letter.extent.constant;
    if (!axes.empty() && !letter.extent.times_batch && !letter.has_bounds && !axes.back().has_bounds) {
      Merged& outer = axes.back();
      if (outer.a == letter.a * e && outer.b == letter.b * e && outer.result == letter.result * e) {
        outer.extent.constant *= e;
        outer.a = letter.a;
        outer.b = letter.b;
        outer.result = letter.result;
        if (letter.result_axis != kNone) outer.result_axes.push_back(letter.result_axis);
        continue;
      }
    }
    axes.push_back({{}, letter.extent, letter.a, letter.b, letter.result, letter.number, letter.has_bounds});
    if (letter.result_axis != kNone) axes.back().result_axes.push_back(letter.result_axis);
  }
  return axes;
}

// A contraction whose letters are sorted into classes, seen with one of its operands as `a`.
struct Candidate {
  std::vector<Merged> batch;
  Merged rows, columns;
  std::vector<Merged> inner;          // one at least
  bool swap = false, copied = false;  // copied: b is put in order first
  CpuTactics::Form form = CpuTactics::Form::columns;
  // Time in vector operations, roughly.
  double cost = 0;
};

// An axis of which there may be several: the one of that number; the others become batch axes.
Merged take_axis(std::vector<Merged> axes, std::size_t number, std::vector<Merged>& batch) {
  if (axes.empty()) return {};
  const Merged result = axes[number];
  axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(number));
  batch.insert(batch.end(), axes.begin(), axes.end());
  return result;
}

// Numbers of axes in the order in which they are tried, of which the first of those with the least cost stays.
std::vector<std::size_t> numbers_of(const std::vector<Merged>& axes) {
  std::vector<std::size_t> numbers(std::max<std::size_t>(axes.size(), 1));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

class Layouter {
 public:
  explicit Layouter(Planning& planning) : p_(planning) {}

  void lay_out(UnitId id) {
    const Node& node = p_.graph[p_.units[id].node];
    const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
    operands_ = {operand(node.inputs[0]), operand(node.inputs[1])};
    lanes_ =
        std::max<std::int64_t>(1, p_.options.target.vector_bytes / static_cast<std::int64_t>(size_of(node.type.dtype)));
    collect(map, p_.units[id]);
    choose(id, map);
  }

 private:
  struct Operand {
    NodeId node;
    PlaceId place;
    Access at;            // over axes_of(node)
    UnitId copy = kNone;  // that fills the place
  };

  Operand operand(NodeId node) {
    const View view = view_of(node, p_.leaves, p_.max_batch);
    const PlaceId place = p_.place(view.leaf.node);
    Operand operand{node, place, {}, kNone};
    set_address(operand.at, p_.places[place], view.leaf, axes_of(p_.shape(node)).size());
    return operand;
  }

  // Strides over the axes of an operand's node, from those over its axes that are not 1.
  std::vector<std::int64_t> strides_of(const Operand& operand, const Linear& linear) const {
    std::vector<std::int64_t> strides;
    std::size_t next = 0;
    for (const std::int64_t extent : p_.shape(operand.node)) {
      strides.push_back(extent == 1 ? 0 : linear.strides[next++]);
    }
    return strides;
  }

  void collect(const ContractionMap& map, const Unit& unit) {
    letters_.clear();
    const Shape& shape = p_.shape(unit.node);
    const Destination& home = unit.targets[0];
    const auto find = [&](char name, std::int64_t extent) -> Letter& {
      for (auto& [known, letter] : letters_) {
        if (known == name) return letter;
      }
      letters_.push_back({name, {}});
      letters_.back().second.extent = extent_of(extent);
      letters_.back().second.number = letters_.size();
      return letters_.back().second;
    };
    std::size_t next = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1) continue;
      Letter& letter = find(map.result[i], shape[i]);
      letter.result = home.strides[i];
      letter.result_axis = next++;
    }
    for (const bool first : {true, false}) {
      const Operand& operand = operands_[first ? 0 : 1];
      const std::string_view names = first ? map.a : map.b;
      const std::vector<std::int64_t> strides = strides_of(operand, operand.at.at);
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (p_.shape(operand.node)[i] == 1) continue;
        Letter& letter = find(names[i], p_.shape(operand.node)[i]);
        (first ? letter.a : letter.b) = strides[i];
        (first ? letter.in_a : letter.in_b) = true;
        for (const Bound& bound : operand.at.bounds) {
          letter.has_bounds = letter.has_bounds || strides_of(operand, bound.index)[i] != 0;
        }
      }
    }
  }

  // The indices of an operand with bounds, over the axes of the product that it has: each letter that they depend on is
  // one of them.
  std::vector<Bound> bounds_over(const Operand& operand, std::string_view names,
                                 const std::vector<const Merged*>& axes) const {
    std::vector<Bound> bounds;
    for (const Bound& bound : operand.at.bounds) {
      const std::vector<std::int64_t> strides = strides_of(operand, bound.index);
      Bound& made = bounds.emplace_back(bound);
      made.index.strides.clear();
      for (const Merged* const axis : axes) {
        std::int64_t stride = 0;
        for (std::size_t i = 0; i < names.size() && axis->has_bounds; ++i) {
          if (number_of(names[i]) == axis->letter) stride = strides[i];
        }
        made.index.strides.push_back(stride);
      }
    }
    return bounds;
  }
  std::size_t number_of(char name) const {
    for (const auto& [known, letter] : letters_) {
      if (known == name) return letter.number;
    }
    return 0;
  }

  // A letter that is summed in one operand only counts as inner, with stride 0 in the other.
  std::vector<Letter> of_class(bool in_a, bool in_b, bool in_result) const {
    std::vector<Letter> result;
    for (const auto& [name, letter] : letters_) {
      const bool is_inner = letter.result_axis == kNone;
      if (in_result ? !is_inner && letter.in_a == in_a && letter.in_b == in_b : is_inner) result.push_back(letter);
    }
    if (!in_result) put_in_order(result);
    return result;
  }

  // The order of a sum: such that all letters are one axis, where the first operand allows it; else as they stand in
  // the map, the samples first.
  static void put_in_order(std::vector<Letter>& inner) {
    std::sort(inner.begin(), inner.end(),
              [](const Letter& x, const Letter& y) { return std::pair(-x.a, x.number) < std::pair(-y.a, y.number); });
    if (merge(inner).size() <= 1) return;
    std::sort(inner.begin(), inner.end(), [](const Letter& x, const Letter& y) {
      return std::pair(!x.extent.times_batch, x.number) < std::pair(!y.extent.times_batch, y.number);
    });
  }

  // The other operand as `a`: rows and columns change places.
  static std::vector<Letter> swapped(std::vector<Letter> letters) {
    for (Letter& letter : letters) {
      std::swap(letter.a, letter.b);
      std::swap(letter.in_a, letter.in_b);
    }
    return letters;
  }

  Candidate candidate(bool swap, bool copied) const {
    const auto letters = [&](bool in_a, bool in_b, bool in_result) {
      return swap ? swapped(of_class(in_b, in_a, in_result)) : of_class(in_a, in_b, in_result);
    };
    Candidate shared;
    shared.batch = merge(letters(true, true, true));
    shared.inner = merge(letters(true, true, false));
    if (shared.inner.empty()) shared.inner.emplace_back();
    shared.swap = swap;
    shared.copied = copied;
    return cheapest(shared, merge(letters(true, false, true)), merge(letters(false, true, true)));
  }

  // Which of several axes of rows and of columns stays, the others becoming batch axes: that with the least cost; of
  // those that cost the same, but for the rounding of costs, the longest of rows and the innermost of columns. Where
  // nothing is stored there is often one sample: then tiles go over the places of one, if there are several, those side
  // by side first.
  Candidate cheapest(const Candidate& shared, const std::vector<Merged>& rows,
                     const std::vector<Merged>& columns) const {
    std::vector<std::size_t> of_rows = numbers_of(rows), of_columns = numbers_of(columns);
    const bool one_sample = stores_nothing(p_.plan);
    std::ranges::stable_sort(of_rows, {}, [&](std::size_t row) {
      return std::pair(-largest(rows[row].extent, p_.max_batch), one_sample ? rows[row].a : 0);
    });
    std::reverse(of_columns.begin(), of_columns.end());
    constexpr double kRounding = 1e-9;
    std::optional<Candidate> best;
    for (const std::size_t row : of_rows) {
      if (one_sample && rows.size() > 1 && rows[row].extent.times_batch) continue;
      for (const std::size_t column : of_columns) {
        Candidate c = shared;
        c.rows = take_axis(rows, row, c.batch);
        c.columns = take_axis(columns, column, c.batch);
        weigh(c);
        if (!best || c.cost < best->cost * (1 - kRounding)) best = std::move(c);
      }
    }
    return *best;
  }

  void weigh(Candidate& c) const {
    ProductShape shape;
    shape.rows = largest(c.rows.extent, p_.max_batch);
    shape.columns = largest(c.columns.extent, p_.max_batch);
    for (const Merged& axis : c.inner) shape.inner *= largest(axis.extent, p_.max_batch);
    shape.columns_times_batch = c.columns.extent.times_batch;
    // Dot products go along one axis, in memory.
    const Operand &a = operands_[c.swap ? 1 : 0], &b = operands_[c.swap ? 0 : 1];
    const bool in_memory = c.inner.size() == 1 && a.at.bounds.empty() && b.at.bounds.empty();
    shape.a_inner = in_memory ? c.inner.back().a : 0;
    shape.b_inner = in_memory ? c.inner.back().b : 0;
    shape.b_columns = c.columns.b;
    shape.stores = c.columns.result;
    shape.b_is_copied = c.copied || !b.at.bounds.empty();
    const ProductTimes times = times_of_product(shape, lanes_);
    c.form = c.copied ? CpuTactics::Form::columns : times.form();
    c.cost = c.copied || !times.can_dot ? times.by_columns : std::min(times.by_columns, times.by_inner);
    auto copied = static_cast<double>(shape.inner * shape.columns);
    for (const Merged& axis : c.batch) {
      const auto extent = static_cast<double>(largest(axis.extent, p_.max_batch));
      c.cost *= extent;
      copied *= axis.b == 0 ? 1 : extent;
    }
    if (c.copied) c.cost += copied + kCosts.started_kernel;
  }

  // The operand in row-major order of the letters given, in the arena.
  void copy_operand(Operand& operand, std::string_view names, const std::string& order) {
    const Shape& shape = p_.shape(operand.node);
    std::vector<std::int64_t> strides(shape.size(), 0);
    std::int64_t stride = 1;
    // The batch axis has room for the largest batch wherever it stands.
    for (std::size_t i = order.size(); i-- > 0;) {
      const std::size_t axis = names.find(order[i]);
      if (axis == std::string_view::npos) continue;
      strides[axis] = stride;
      stride *= shape[axis] == kBatch ? p_.max_batch : shape[axis];
    }
    // A second copy is made of the node again, and replaces the first.
    if (operand.copy != kNone) {
      p_.units[operand.copy].dropped = true;
      operand = this->operand(operand.node);
    }
    const BufferId buffer =
        p_.add_arena_buffer(operand.node, "copy of " + p_.plan.buffers[p_.places[operand.place].buffer].name);
    p_.plan.buffers[buffer].strides = strides;
    const auto place = static_cast<PlaceId>(p_.places.size());
    p_.places.push_back({operand.node, buffer, strides, 0, false});
    Unit copy = p_.loop_over(operand.node);
    copy.defines = false;
    copy.targets.push_back({buffer, strides, 0, place, kNone, false, false});
    const View view = view_of(operand.node, p_.leaves, p_.max_batch);
    const Shape& leaf = p_.shape(view.leaf.node);
    copy.reads.push_back({operand.place, !view.leaf.flat && !view.has_border() &&
                                             axes_of(leaf).size() == copy.axes.size() &&
                                             is_own_point(view.leaf.at, leaf)});
    copy.terms = 1;
    operand.copy = static_cast<UnitId>(p_.units.size());
    p_.units.push_back(std::move(copy));
    operand.place = place;
    operand.at = {};
    set_address(operand.at, p_.places[place], {operand.node, false, own_point(shape)}, axes_of(shape).size());
  }

  // Letters that are summed, the batch axis first: it can be merged from the outside only.
  std::string inner_letters(const ContractionMap& map) const {
    std::string inner;
    for (const char c : std::string(map.a) + std::string(map.b)) {
      if (map.result.find(c) == std::string_view::npos && inner.find(c) == std::string::npos) inner += c;
    }
    const auto batch = std::find_if(inner.begin(), inner.end(), [&](char c) { return is_batch(c); });
    if (batch != inner.end()) std::rotate(inner.begin(), batch, batch + 1);
    return inner;
  }
  bool is_batch(char name) const {
    for (const auto& [known, letter] : letters_) {
      if (known == name) return letter.extent.times_batch;
    }
    return false;
  }
  // Letters of the result that stand in both operands, or in `names` alone.
  static std::string kept_letters(const ContractionMap& map, std::string_view names, bool in_both) {
    std::string kept;
    for (const char c : map.result) {
      const bool both = map.a.find(c) != std::string_view::npos && map.b.find(c) != std::string_view::npos;
      if (names.find(c) != std::string_view::npos && both == in_both) kept += c;
    }
    return kept;
  }

  void choose(UnitId id, const ContractionMap& map) {
    Candidate best = candidate(false, false);
    for (const auto& [swap, copied] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
      Candidate other = candidate(swap, copied);
      const bool needs_no_copy = other.columns.b == 1 || largest(other.columns.extent, p_.max_batch) == 1 ||
                                 !operands_[swap ? 0 : 1].at.bounds.empty();
      if (other.cost < best.cost && !(copied && needs_no_copy)) best = std::move(other);
    }
    if (best.copied) {
      const bool swap = best.swap;
      const std::string_view names = swap ? map.a : map.b;
      const std::string batch = kept_letters(map, names, true);
      copy_operand(operands_[swap ? 0 : 1], names, batch + inner_letters(map) + kept_letters(map, names, false));
      collect(map, p_.units[id]);
      best = candidate(swap, false);
      best.form = CpuTactics::Form::columns;
    }
    set_layout(p_.units[id], best, map);
  }

  void set_layout(Unit& unit, const Candidate& c, const ContractionMap& map) const {
    ContractionLayout layout;
    const Operand& a = operands_[c.swap ? 1 : 0];
    const Operand& b = operands_[c.swap ? 0 : 1];
    layout.a = a.place;
    layout.b = b.place;
    layout.a_at = a.at;
    layout.b_at = b.at;
    std::vector<const Merged*> a_axes, b_axes;
    for (const Merged& axis : c.batch) {
      layout.axes.push_back(axis.result_axes);
      layout.extents.push_back(axis.extent);
      a_axes.push_back(&axis);
      b_axes.push_back(&axis);
    }
    for (const Merged& axis : {c.rows, c.columns}) {
      layout.axes.push_back(axis.result_axes);
      layout.extents.push_back(axis.extent);
    }
    a_axes.push_back(&c.rows);
    for (const Merged& axis : c.inner) {
      a_axes.push_back(&axis);
      b_axes.push_back(&axis);
      layout.inner.push_back(axis.extent);
    }
    b_axes.push_back(&c.columns);
    layout.a_at.at.strides.clear();
    layout.b_at.at.strides.clear();
    for (const Merged* const axis : a_axes) layout.a_at.at.strides.push_back(axis->a);
    for (const Merged* const axis : b_axes) layout.b_at.at.strides.push_back(axis->b);
    layout.a_at.bounds = bounds_over(a, c.swap ? map.b : map.a, a_axes);
    layout.b_at.bounds = bounds_over(b, c.swap ? map.a : map.b, b_axes);
    layout.form = c.form;
    unit.reads = {{layout.a, false}};
    if (layout.b != layout.a) unit.reads.push_back({layout.b, false});
    unit.layout = std::move(layout);
  }

  Planning& p_;
  std::array<Operand, 2> operands_;
  std::int64_t lanes_ = 1;
  std::vector<std::pair<char, Letter>> letters_;
};

}  // namespace

void lay_out_contractions(Planning& planning) {
  // Copies of operands are new units behind these.
  const auto count = static_cast<UnitId>(planning.units.size());
  for (UnitId id = 0; id < count; ++id) {
    if (planning.units[id].kind == Unit::Kind::contraction) Layouter(planning).lay_out(id);
  }
}

}  // namespace tarn
