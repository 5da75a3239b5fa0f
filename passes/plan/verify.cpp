// The invariants of kernel plans. Whatever the numbers in a plan, looking at them is safe.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "passes/plan/access.h"
#include "passes/plan/element_meetings.h"
#include "passes/plan/kernel_plan.h"
#include "passes/plan/possible_tactics.h"
#include "passes/plan/repeat_accesses.h"

namespace tarn {
namespace {

using Extents = std::vector<Extent>;

// Bytes of a space, elements of a buffer and points of an axis are fewer.
constexpr std::int64_t kMost = std::int64_t{1} << 48;
// Products of two numbers of a plan, and sums of these.
__extension__ using Wide = __int128;

Wide wide_largest(const Extent& extent, std::int64_t max_batch) {
  return Wide{extent.constant} * (extent.times_batch ? max_batch : 1);
}

// Elements of a buffer that an access touches, first and last, at the largest batch and in all rounds.
struct Range {
  Wide first = 0, last = 0;
};
Range range_of(const Access& access, const Extents& axes, const std::vector<std::int64_t>& repeats,
               std::int64_t max_batch) {
  // Where it is inside of its bounds: the bounded indices take all values that they may have, the rest of the address
  // those that it has anywhere.
  std::vector<Wide> along(access.at.strides.begin(), access.at.strides.end());
  along.resize(axes.size() + repeats.size());
  std::copy(access.at.repeat_strides.begin(), access.at.repeat_strides.end(), along.begin() + std::ssize(axes));
  Range range{access.at.offset, access.at.offset};
  const auto reach = [&](Wide by) { (by < 0 ? range.first : range.last) += by; };
  for (const Bound& bound : access.bounds) {
    const Linear& index = bound.index;
    range.first -= Wide{bound.stride} * index.offset;
    range.last -= Wide{bound.stride} * index.offset;
    for (std::size_t i = 0; i < axes.size(); ++i) along[i] -= Wide{bound.stride} * index.strides[i];
    for (std::size_t d = 0; d < index.repeat_strides.size(); ++d) {
      along[axes.size() + d] -= Wide{bound.stride} * index.repeat_strides[d];
    }
    reach(Wide{bound.stride} * (bound.limit - 1));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) reach(along[i] * (wide_largest(axes[i], max_batch) - 1));
  for (std::size_t d = 0; d < repeats.size(); ++d) reach(along[axes.size() + d] * (repeats[d] - 1));
  if (access.row != kNoValue) reach(Wide{access.row_stride} * (access.row_limit - 1));
  return range;
}

bool is_of_type(double number, DType dtype) {
  if (is_floating(dtype)) return true;
  if (dtype == DType::boolean) return number == 0 || number == 1;
  return number == std::trunc(number) &&
         std::fabs(number) <= -static_cast<double>(std::numeric_limits<std::int32_t>::min());
}

class Verifier {
 public:
  explicit Verifier(const KernelPlan& plan) : plan_(plan), written_(plan.buffers.size(), false) {}

  Status run() {
    require(plan_.max_batch >= 1 && plan_.max_batch < kMost, "the largest batch has no sample, or too many");
    for (const Buffer& buffer : plan_.buffers) check_buffer(buffer);
    check_steps(plan_.kernels, 0);
    kernel_ = nullptr;
    if (errors_.empty()) check_results();
    if (errors_.empty()) return Done{};
    return std::move(errors_);
  }

 private:
  void require(bool condition, std::string_view what) {
    if (condition || errors_.size() >= 20) return;
    errors_.push_back(error(kernel_ == nullptr ? fmt::format("the plan: {}", what)
                                               : fmt::format("kernel {} '{}': {}", number_, kernel_->name, what)));
  }
  bool is_good() const { return errors_.empty(); }
  // Of the kernel at hand.
  const CpuTactics& tactics() const { return kernel_->tactics; }

  void check_buffer(const Buffer& buffer) {
    require(buffer.strides.size() == buffer.shape.size(), fmt::format("'{}' has not one stride an axis", buffer.name));
    if (!is_good()) return;
    Wide span = 1;
    for (std::size_t i = 0; i < buffer.shape.size(); ++i) {
      require(buffer.shape[i] >= 0 || (buffer.shape[i] == kBatch && i == 0), "the batch axis stands first");
      require(buffer.strides[i] >= 0, fmt::format("'{}' has a negative stride", buffer.name));
      span += Wide{buffer.strides[i]} * (buffer.shape[i] == kBatch ? plan_.max_batch : buffer.shape[i]);
    }
    require(span < kMost && buffer.offset < static_cast<std::uint64_t>(kMost),
            fmt::format("'{}' is too large", buffer.name));
    if (!is_good()) return;
    const std::uint64_t end = buffer.offset + bytes_of(buffer, plan_.max_batch);
    require(buffer.space != Space::arena || end <= plan_.arena_bytes,
            fmt::format("'{}' lies outside of the arena", buffer.name));
    require(buffer.space != Space::constants || end <= plan_.constants.size(),
            fmt::format("'{}' lies outside of the constants", buffer.name));
  }

  void check_results() {
    for (const PlanResult& result : plan_.results) {
      require(result.buffer < plan_.buffers.size(), "a result has no buffer");
      if (!is_good()) return;
      const Buffer& buffer = plan_.buffers[result.buffer];
      require(buffer.space != Space::arena || written_[result.buffer],
              fmt::format("the result '{}' is not there at the end", result.name));
    }
  }

  void check_steps(const std::vector<Kernel>& steps, std::size_t number) {
    for (const Kernel& step : steps) {
      if (!is_good()) return;
      kernel_ = &step;
      number_ = number;
      number += count_kernels(step);
      std::visit([&](const auto& body) { check(body); }, step.body);
    }
  }

  void check_axes(const Extents& axes) {
    for (const Extent& axis : axes) {
      require(axis.constant >= 0, "an axis has a negative extent");
      require(wide_largest(axis, plan_.max_batch) < kMost, "an axis is too long");
    }
  }

  void check_repeat_strides(const Linear& linear) {
    const std::vector<std::int64_t>& along = linear.repeat_strides;
    require(along.size() <= repeats_.size(), "there is a stride along a repeat that is not there");
    require(along.empty() || along.back() != 0, "the last stride along a repeat is 0");
  }

  void check_access(const Access& access, const Extents& axes) {
    require(access.buffer < plan_.buffers.size(), "an access names no buffer");
    require(access.at.strides.size() == axes.size(), "an access has not one stride an axis");
    check_repeat_strides(access.at);
    require(access.row == kNoValue || access.row_limit >= 1, "an access has no row to choose from");
    for (const Bound& bound : access.bounds) {
      require(bound.index.strides.size() == axes.size(), "a bound has not one stride an axis");
      require(bound.limit >= 1 && std::abs(bound.stride) < kMost, "a bound leaves nothing inside");
      // Code compares it with the index as numbers of 32 bits.
      require(bound.limit <= std::int64_t{1} << 31, "a bound does not fit 32 bits");
      check_repeat_strides(bound.index);
    }
    if (!is_good() || is_empty(axes)) return;
    const Buffer& buffer = plan_.buffers[access.buffer];
    if (!access.bounds.empty()) {
      // Those who look for points that meet count with this.
      constexpr Wide kFarthest = Wide{1} << 60;
      const Range anywhere = range_of({access.buffer, access.at}, axes, repeats_, plan_.max_batch);
      require(anywhere.first > -kFarthest && anywhere.last < kFarthest, "an access goes too far beyond its bounds");
    }
    for (const Bound& bound : access.bounds) {
      using Limits = std::numeric_limits<std::int32_t>;
      const Range index = range_of({access.buffer, bound.index}, axes, repeats_, plan_.max_batch);
      require(index.first >= Limits::min() && index.last <= Limits::max(), "an index with bounds does not fit 32 bits");
    }
    const Range range = range_of(access, axes, repeats_, plan_.max_batch);
    require(range.first >= 0 && range.last < span_of(buffer, plan_.max_batch),
            fmt::format("an access to '{}' leaves it", buffer.name));
  }

  // `values` are those of the body before the one that reads.
  void check_row(const Access& access, const Body& body, std::size_t values) {
    require(access.row == kNoValue || (access.row < values && body.values[access.row].dtype == DType::i32),
            "a row is no i32 value of the body");
  }

  void check_read(const Access& access, const Extents& axes) {
    check_access(access, axes);
    if (!is_good()) return;
    const Buffer& buffer = plan_.buffers[access.buffer];
    require(buffer.space != Space::arena || written_[access.buffer],
            fmt::format("'{}' is read before it is written, or after its place has been taken", buffer.name));
  }

  void check_values(const Body& body, const Extents& axes, std::size_t reductions, bool has_product) {
    for (ValueId id = 0; id < body.values.size() && is_good(); ++id) {
      const Value& value = body.values[id];
      switch (value.kind) {
        case Value::Kind::operation:
          require(info(value.op).op_class == OpClass::elementwise, "an operation is not one on elements");
          require(value.operands.size() == static_cast<std::size_t>(std::max(info(value.op).arity, 0)),
                  "an operation has not as many operands as it needs");
          for (const ValueId operand : value.operands) require(operand < id, "an operand stands behind its user");
          break;
        case Value::Kind::load:
          check_row(value.access, body, id);
          check_read(value.access, axes);
          if (!is_good()) return;
          require(plan_.buffers[value.access.buffer].dtype == value.dtype, "a load has not the type of its buffer");
          require(value.access.bounds.empty() || is_of_type(value.access.fill, value.dtype),
                  "what a load gives outside of its bounds is no number of its type");
          break;
        case Value::Kind::index:
          require(value.linear.strides.size() == axes.size(), "an index lacks strides");
          check_repeat_strides(value.linear);
          break;
        case Value::Kind::draw:
          require(value.linear.strides.size() == axes.size() && value.sample.strides.size() == axes.size(),
                  "a draw lacks strides");
          check_repeat_strides(value.linear);
          check_repeat_strides(value.sample);
          break;
        case Value::Kind::product:
          require(has_product, "there is no product here");
          break;
        case Value::Kind::reduced:
          require(value.reduction < reductions, "there is no such reduction");
          break;
        case Value::Kind::constant:
          require(is_of_type(value.number, value.dtype), "a constant is no number of its type");
          break;
        case Value::Kind::batch_size:
          break;
      }
    }
  }

  void check_stores(const Body& body, const Extents& axes) {
    for (const Store& store : body.stores) {
      require(store.value < body.values.size(), "a store has no value");
      if (!is_good()) return;
      check_row(store.access, body, body.values.size());
      check_access(store.access, axes);
      if (!is_good()) return;
      const Buffer& buffer = plan_.buffers[store.access.buffer];
      require(store.access.bounds.empty(), fmt::format("a store to '{}' has bounds", buffer.name));
      require(buffer.space != Space::input && buffer.space != Space::constants,
              fmt::format("'{}' cannot be written", buffer.name));
      require(buffer.dtype == body.values[store.value].dtype, fmt::format("'{}' has another type", buffer.name));
      require(!store.guarded || (buffer.space == Space::state && is_floating(buffer.dtype) && !store.accumulate),
              fmt::format("what '{}' gets cannot be guarded", buffer.name));
    }
  }

  // The buffers hold something from here on; what lay in their place does not any more.
  void mark_written(const Body& body) {
    for (const Store& store : body.stores) {
      const Buffer& buffer = plan_.buffers[store.access.buffer];
      if (buffer.space == Space::arena) {
        for (BufferId id = 0; id < plan_.buffers.size(); ++id) {
          const Buffer& other = plan_.buffers[id];
          const bool is_other = id != store.access.buffer;
          if (written_[id] && is_other && share_bytes(buffer, other, plan_.max_batch)) written_[id] = false;
        }
      }
    }
    for (const Store& store : body.stores) written_[store.access.buffer] = true;
  }

  // ---- Points that touch one element.

  // Whether both are the same element at every point.
  bool is_same_element(const Access& a, const Access& b) const {
    const Buffer& x = plan_.buffers[a.buffer];
    const Buffer& y = plan_.buffers[b.buffer];
    return a.at == b.at && x.space == y.space && x.index == y.index && x.offset == y.offset &&
           size_of(x.dtype) == size_of(y.dtype) && a.row == kNoValue && b.row == kNoValue;
  }

  std::vector<std::int64_t> points_along(const Extents& axes, const std::vector<bool>& without = {}) const {
    std::vector<std::int64_t> extents;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      extents.push_back(without.empty() || !without[i] ? largest(axes[i], plan_.max_batch) : 1);
    }
    return extents;
  }

  // What is stored in a kernel may be read in it at the same point of the same body only.
  void check_overlaps(const Body& stores, const Body& loads, bool same_body, const Extents& axes) {
    for (const Store& store : stores.stores) {
      for (const Value& value : loads.values) {
        if (value.kind != Value::Kind::load || !overlap(store.access, value.access, axes)) continue;
        require(same_body && is_same_element(store.access, value.access),
                fmt::format("'{}' is written where '{}' is read", plan_.buffers[store.access.buffer].name,
                            plan_.buffers[value.access.buffer].name));
      }
    }
  }

  bool overlap(const Access& a, const Access& b, const Extents& axes) const {
    const Buffer& x = plan_.buffers[a.buffer];
    const Buffer& y = plan_.buffers[b.buffer];
    if (x.space != y.space || x.index != y.index || is_empty(axes)) return false;
    const bool by_row = a.row != kNoValue || b.row != kNoValue;
    if (a.buffer == b.buffer && !by_row) {
      const SameRound both(a.at, b.at, points_along(axes), repeats_);
      return may_meet(both.a, both.b, both.extents);
    }
    const auto bytes = [&](const Buffer& buffer, const Access& access) {
      const Range range = range_of(access, axes, repeats_, plan_.max_batch);
      const auto width = static_cast<Wide>(size_of(buffer.dtype));
      return Range{buffer.offset + range.first * width, buffer.offset + (range.last + 1) * width};
    };
    const Range p = bytes(x, a), q = bytes(y, b);
    return p.first < q.last && q.first < p.last;
  }

  // Of the two bodies of a kernel, the tail's for the axes that are not reduced.
  struct PlacedStore {
    const Store* store;
    bool in_tail;
  };
  static std::vector<PlacedStore> stores_of(const Body& body, const Body& tail) {
    std::vector<PlacedStore> stores;
    for (const Store& store : body.stores) stores.push_back({&store, false});
    for (const Store& store : tail.stores) stores.push_back({&store, true});
    return stores;
  }

  // An element gets one value, whichever point comes last; sums get all of theirs, in the order of the points.
  void check_stores_apart(const std::vector<PlacedStore>& stores, const Extents& axes,
                          const std::vector<bool>& reduced) {
    if (is_empty(axes)) return;
    const auto name = [&](const Store& store) -> const std::string& { return plan_.buffers[store.access.buffer].name; };
    for (std::size_t i = 0; i < stores.size(); ++i) {
      const Store& a = *stores[i].store;
      if (!a.accumulate) {
        const std::vector<std::int64_t> points = stores[i].in_tail ? points_along(axes, reduced) : points_along(axes);
        require(a.access.row == kNoValue && !may_meet_itself(a.access.at, points),
                fmt::format("two points store to one element of '{}'", name(a)));
      }
      for (std::size_t k = 0; k < i; ++k) {
        const Store& b = *stores[k].store;
        if (a.accumulate && b.accumulate && a.access.buffer == b.access.buffer) continue;
        const bool same = stores[i].in_tail == stores[k].in_tail && is_same_element(a.access, b.access);
        require(same || !overlap(a.access, b.access, axes),
                fmt::format("'{}' is stored where '{}' is", name(a), name(b)));
      }
    }
  }

  // Points that are different threads' do not touch one element, in sums either.
  void check_split(const std::vector<PlacedStore>& stores, const Extents& axes, const std::vector<bool>& reduced) {
    const std::optional<Split>& split = tactics().split;
    if (!split) return;
    require(split->axis < axes.size() && !reduced[split->axis], "threads share an axis that they cannot share");
    if (!is_good() || is_empty(axes)) return;
    const std::vector<std::int64_t> points = points_along(axes);
    for (std::size_t i = 0; i < stores.size(); ++i) {
      const Access& a = stores[i].store->access;
      for (std::size_t k = 0; k <= i; ++k) {
        const Access& b = stores[k].store->access;
        if (a.buffer != b.buffer) continue;
        const SameRound both(a.at, b.at, points, repeats_);
        require(a.row == kNoValue && b.row == kNoValue && !may_meet_across(both.a, both.b, both.extents, split->axis),
                "threads that share the kernel store to the same element");
      }
    }
  }

  void check_reductions(const Body& body, const std::vector<Reduction>& reductions, const Body& tail,
                        const Extents& axes) {
    for (const Reduction& r : reductions) {
      require(r.value < body.values.size(), "a reduction has no value");
      require(info(r.op).op_class == OpClass::reduction && r.op != Op::batch_sum, "a reduction reduces nothing");
      if (!is_good()) return;
      require(r.dtype == (gives_index(r.op) ? DType::i32 : body.values[r.value].dtype), "a reduction has another type");
      require(!r.multiply_add || (r.op == Op::reduce_sum && is_product_of_floats(body.values[r.value])),
              "a sum of products has none");
    }
    check_values(tail, axes, reductions.size(), false);
  }

  void check_kept(const Body& tail, const std::vector<bool>& reduced) {
    for_each_linear(tail, [&](const Linear& linear) {
      for (std::size_t i = 0; i < reduced.size(); ++i) {
        require(!reduced[i] || linear.strides[i] == 0, "the tail has a stride on a reduced axis");
      }
    });
  }

  // What the two bodies of a kernel store, and what they read meanwhile.
  void check_memory(const Body& body, const Body& tail, const Extents& axes, const std::vector<bool>& reduced) {
    check_stores(body, axes);
    check_stores(tail, axes);
    if (!is_good()) return;
    check_kept(tail, reduced);
    if (!is_good()) return;
    const std::vector<PlacedStore> stores = stores_of(body, tail);
    check_stores_apart(stores, axes, reduced);
    check_split(stores, axes, reduced);
    check_overlaps(body, body, true, axes);
    check_overlaps(tail, tail, true, axes);
    check_overlaps(body, tail, false, axes);
    check_overlaps(tail, body, false, axes);
    mark_written(body);
    mark_written(tail);
  }

  void check(const LoopKernel& kernel) {
    require(kernel.reduced.size() == kernel.axes.size(), "reduced has not one mark an axis");
    require(kernel.axes.empty() || tactics().vector_axis < kernel.axes.size(), "the vector axis is none of the axes");
    check_axes(kernel.axes);
    if (!is_good()) return;
    check_values(kernel.body, kernel.axes, 0, false);
    check_reductions(kernel.body, kernel.reductions, kernel.tail, kernel.axes);
    if (is_good()) check_memory(kernel.body, kernel.tail, kernel.axes, kernel.reduced);
    if (!is_good()) return;
    require(kernel.axes.empty() || keeps_order(kernel, tactics().vector_axis),
            "lanes meet the points of an argmax in another order than that of their indices");
    require(tactics().copy != CpuTactics::Copy::of_samples || may_copy_samples(plan_, kernel),
            "a copy of samples of what is no input, or is read elsewhere");
    require(
        tactics().copy != CpuTactics::Copy::by_squares || (axes_of_transposing_copy(plan_, kernel) && !tactics().split),
        "a copy by squares of what is no copy between two axes");
  }

  void check(const ContractionKernel& kernel) {
    require(!kernel.rows.empty() && !kernel.columns.empty() && !kernel.inner.empty(),
            "a product has no rows, columns or inner axes");
    require(is_floating(kernel.dtype), "a product of what is no floating-point number");
    if (!is_good()) return;
    const Extents axes = axes_with(kernel, kernel.rows, kernel.columns);
    check_axes(axes);
    check_axes(kernel.inner);
    if (!is_good()) return;
    check_operand(kernel.a, axes_with(kernel, kernel.rows, kernel.inner), kernel.dtype);
    check_operand(kernel.b, axes_with(kernel, kernel.inner, kernel.columns), kernel.dtype);
    if (!is_good()) return;
    const std::vector<bool> reduced = summed_axes(kernel);
    check_values(kernel.epilogue, axes, 0, true);
    check_reductions(kernel.epilogue, kernel.sums, kernel.tail, axes);
    for (const Reduction& sum : kernel.sums) {
      require(sum.op == Op::reduce_sum && !sum.multiply_add, "a product adds up, or nothing");
    }
    require(kernel.sums.empty() ||
                (kernel.batch.empty() && tactics().form == CpuTactics::Form::columns && !kernel.one_column()),
            "sums of a product that has no rows side by side");
    if (is_good()) check_memory(kernel.epilogue, kernel.tail, axes, reduced);
    if (is_good()) check_operands(kernel);
    if (is_good()) check_tactics(kernel);
  }

  void check_operand(const Operand& operand, const Extents& axes, DType dtype) {
    require(operand.body.stores.empty(), "an operand of a product stores something");
    check_values(operand.body, axes, 0, false);
    require(operand.value < operand.body.values.size() && operand.body.values[operand.value].dtype == dtype,
            "an operand of a product is no value of its type");
  }

  void check_tactics(const ContractionKernel& kernel) {
    const bool along_columns = tactics().form == CpuTactics::Form::columns;
    require(along_columns || may_dot(kernel), "dot products of what is not contiguous along k");
    require(!tactics().weights_in_groups || (along_columns && has_groups(kernel)), "there are no groups of columns");
    if (!tactics().rows_in_place) return;
    require(along_columns && kernel.batch.empty() && kernel.has_one_axis_each() && kernel.a.is_load() &&
                plan_.buffers[kernel.a.access().buffer].space == Space::input,
            "rows in place of what is no input");
    require(!is_good() || kernel.a.access().at.repeat_strides.empty(), "rows in place move along a repeat");
  }

  // A product reads all of its operands while it stores.
  void check_operands(const ContractionKernel& kernel) {
    for (const PlacedStore& placed : stores_of(kernel.epilogue, kernel.tail)) {
      for (const Operand* operand : {&kernel.a, &kernel.b}) {
        for_each_buffer(operand->body, [&](BufferId read) {
          const Buffer& x = plan_.buffers[placed.store->access.buffer];
          const Buffer& y = plan_.buffers[read];
          require(!share_bytes(x, y, plan_.max_batch),
                  fmt::format("'{}' is written while the product reads '{}'", x.name, y.name));
        });
      }
    }
  }

  void check(const FiniteGuard& guard) {
    require(guard.buffer < plan_.buffers.size(), "the guard has no buffer");
    require(repeats_.empty(), "a guard stands in a repeat");
    if (!is_good()) return;
    const Buffer& buffer = plan_.buffers[guard.buffer];
    require(buffer.space != Space::arena || written_[guard.buffer], "the guard comes before the loss");
    for (BufferId id = 0; id < plan_.buffers.size(); ++id) {
      const Space space = plan_.buffers[id].space;
      require(!written_[id] || (space != Space::state && space != Space::accumulators),
              "the state is written before the guard");
    }
  }

  void check(const Repeat& repeat) {
    const Kernel* const kernel = kernel_;
    const std::size_t number = number_;
    require(repeat.count >= 1 && repeat.count < kMost, "a repeat has no round, or too many");
    require(!repeat.steps.empty(), "a repeat has no steps");
    require(repeats_.size() < kMostRepeats, fmt::format("there are more than {} repeats around it", kMostRepeats));
    for (const BufferId buffer : repeat.carried) require(buffer < plan_.buffers.size(), "a repeat carries no buffer");
    if (!is_good()) return;
    repeats_.push_back(repeat.count);
    const std::vector<bool> before = written_;
    check_steps(repeat.steps, number + 1);
    // Where a round takes places that it has found in use, the next one finds less.
    const auto is_lost = [](bool was, bool is) { return was && !is; };
    if (is_good() && !std::equal(before.begin(), before.end(), written_.begin(), std::not_fn(is_lost))) {
      check_steps(repeat.steps, number + 1);
    }
    kernel_ = kernel;
    number_ = number;
    if (is_good()) check_rounds(repeat);
    repeats_.pop_back();
  }

  // What rounds of the innermost of `repeats_` leave for each other.
  void check_rounds(const Repeat& repeat) {
    const RepeatAccesses accesses(plan_, repeat, repeats_);
    const auto name = [&](BufferId buffer) { return plan_.buffers[buffer].name; };
    const std::set<BufferId> found = accesses.read_of_earlier_rounds();
    const std::set<BufferId> carried(repeat.carried.begin(), repeat.carried.end());
    require(carried.size() == repeat.carried.size(), "a repeat carries a buffer twice");
    for (const BufferId buffer : found) {
      require(carried.contains(buffer),
              fmt::format("a round reads of '{}' what an earlier one has written: it is not carried", name(buffer)));
    }
    for (const BufferId buffer : carried) {
      require(found.contains(buffer),
              fmt::format("'{}' is carried: no round reads of it what an earlier one has written", name(buffer)));
    }
    for (const auto& [part, taker] : accesses.parts_in_use_elsewhere()) {
      require(false, fmt::format("'{}' lies where rounds have left their parts of '{}'", name(taker), name(part)));
    }
  }

  const KernelPlan& plan_;
  std::vector<bool> written_;          // by buffer: holds what was stored there
  std::vector<std::int64_t> repeats_;  // how often those around the kernel run, the outermost first
  const Kernel* kernel_ = nullptr;     // that is being checked, and its number
  std::size_t number_ = 0;
  Diagnostics errors_;
};

}  // namespace

Status verify(const KernelPlan& plan) { return Verifier(plan).run(); }

}  // namespace tarn
