// Invariants and costs of kernel plans. See kernel_plan.h.
#include "passes/kernel_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "passes/access.h"
#include "passes/loop_axes.h"

namespace tarn {
namespace {

using Extents = std::vector<Extent>;

// The axes of the parts of a contraction: batch… and two more.
Extents axes_with(const ContractionKernel& kernel, const Extent& first, const Extent& second) {
  Extents axes = kernel.batch;
  axes.push_back(first);
  axes.push_back(second);
  return axes;
}

// Elements of a buffer that an access touches, first and last, at the largest batch.
struct Range {
  std::int64_t first = 0, last = 0;
};
Range range_of(const Access& access, const Extents& axes, std::int64_t max_batch) {
  Range range{access.at.offset, access.at.offset};
  const auto reach = [&](std::int64_t by) { (by < 0 ? range.first : range.last) += by; };
  for (std::size_t i = 0; i < axes.size(); ++i) reach(access.at.strides[i] * (largest(axes[i], max_batch) - 1));
  if (access.row != kNoValue) reach(access.row_stride * (access.row_limit - 1));
  return range;
}

bool is_empty(const Extents& axes) {
  return std::any_of(axes.begin(), axes.end(), [](const Extent& e) { return e.constant == 0; });
}

// By axis of the epilogue: whether sums go along it.
std::vector<bool> summed_axes(const ContractionKernel& kernel) {
  std::vector<bool> reduced(kernel.batch.size() + 2);
  reduced[kernel.batch.size()] = !kernel.sums.empty();
  return reduced;
}

class Verifier {
 public:
  explicit Verifier(const KernelPlan& plan) : plan_(plan), written_(plan.buffers.size(), false) {}

  Status run() {
    for (BufferId id = 0; id < plan_.buffers.size(); ++id) check_buffer(plan_.buffers[id]);
    for (kernel_ = 0; kernel_ < plan_.kernels.size(); ++kernel_) {
      std::visit([&](const auto& body) { check(body); }, plan_.kernels[kernel_].body);
    }
    for (const PlanResult& result : plan_.results)
      require(result.buffer < plan_.buffers.size(), "a result has no buffer");
    if (errors_.empty()) return Done{};
    return std::move(errors_);
  }

 private:
  void require(bool condition, std::string_view what) {
    if (condition || errors_.size() >= 20) return;
    const bool in_kernel = kernel_ < plan_.kernels.size();
    errors_.push_back(
        error(fmt::format("kernel {} '{}': {}", kernel_, in_kernel ? plan_.kernels[kernel_].name : "", what)));
  }

  void check_buffer(const Buffer& buffer) {
    require(buffer.strides.size() == buffer.shape.size(), fmt::format("'{}' has not one stride an axis", buffer.name));
    if (buffer.space != Space::arena) return;
    const auto bytes = static_cast<std::uint64_t>(span_of(buffer, plan_.max_batch)) * size_of(buffer.dtype);
    require(buffer.offset + bytes <= plan_.arena_bytes, fmt::format("'{}' lies outside of the arena", buffer.name));
  }

  void check_access(const Access& access, const Extents& axes, std::size_t values) {
    require(access.buffer < plan_.buffers.size(), "an access names no buffer");
    require(access.at.strides.size() == axes.size(), "an access has not one stride an axis");
    require(access.row == kNoValue || access.row < values, "a row is no value of the body");
    if (!errors_.empty() || is_empty(axes)) return;
    const Buffer& buffer = plan_.buffers[access.buffer];
    const Range range = range_of(access, axes, plan_.max_batch);
    require(range.first >= 0 && range.last < span_of(buffer, plan_.max_batch),
            fmt::format("an access to '{}' leaves it", buffer.name));
  }

  void check_read(const Access& access, const Extents& axes, std::size_t values) {
    check_access(access, axes, values);
    if (!errors_.empty()) return;
    const Buffer& buffer = plan_.buffers[access.buffer];
    require(buffer.space != Space::arena || written_[access.buffer],
            fmt::format("'{}' is read before it is written", buffer.name));
  }

  void check_values(const Body& body, const Extents& axes, std::size_t reductions, bool has_product) {
    for (ValueId id = 0; id < body.values.size(); ++id) {
      const Value& value = body.values[id];
      switch (value.kind) {
        case Value::Kind::operation:
          require(value.operands.size() == static_cast<std::size_t>(std::max(info(value.op).arity, 0)),
                  "an operation has not as many operands as it needs");
          for (const ValueId operand : value.operands) require(operand < id, "an operand stands behind its user");
          break;
        case Value::Kind::load:
          check_read(value.access, axes, id);
          break;
        case Value::Kind::index:
          require(value.linear.strides.size() == axes.size(), "an index lacks strides");
          break;
        case Value::Kind::draw:
          require(value.linear.strides.size() == axes.size() && value.sample.strides.size() == axes.size(),
                  "a draw lacks strides");
          break;
        case Value::Kind::product:
          require(has_product, "there is no product here");
          break;
        case Value::Kind::reduced:
          require(value.reduction < reductions, "there is no such reduction");
          break;
        case Value::Kind::constant:
        case Value::Kind::batch_size:
          break;
      }
    }
  }

  void check_stores(const Body& body, const Extents& axes) {
    for (const Store& store : body.stores) {
      require(store.value < body.values.size(), "a store has no value");
      check_access(store.access, axes, body.values.size());
      if (!errors_.empty()) return;
      const Buffer& buffer = plan_.buffers[store.access.buffer];
      require(buffer.space != Space::input && buffer.space != Space::constants,
              fmt::format("'{}' cannot be written", buffer.name));
      require(buffer.dtype == body.values[store.value].dtype, fmt::format("'{}' has another type", buffer.name));
      require(!store.guarded || (buffer.space == Space::state && is_floating(buffer.dtype) && !store.accumulate),
              fmt::format("what '{}' gets cannot be guarded", buffer.name));
      written_[store.access.buffer] = true;
    }
  }

  // What is stored in a kernel may be read in it at the same point of the same body only.
  void check_overlaps(const Body& stores, const Body& loads, bool same_body, const Extents& axes) {
    for (const Store& store : stores.stores) {
      for (const Value& value : loads.values) {
        if (value.kind != Value::Kind::load || !overlap(store.access, value.access, axes)) continue;
        const Buffer& a = plan_.buffers[store.access.buffer];
        const Buffer& b = plan_.buffers[value.access.buffer];
        const bool same_element = same_body && store.access.at == value.access.at && a.offset == b.offset &&
                                  size_of(a.dtype) == size_of(b.dtype) && value.access.row == kNoValue &&
                                  store.access.row == kNoValue;
        require(same_element, fmt::format("'{}' is written where '{}' is read", a.name, b.name));
      }
    }
  }
  // Whether any two points of the kernel meet in one element: b.strides * y - a.strides * x = a.offset - b.offset has a
  // solution with 0 <= x, y < extents. The widest stride first, few of its multiples leave a rest that the others
  // reach.
  bool may_meet(const Linear& a, const Linear& b, const Extents& axes) const {
    struct Range {
      std::int64_t low = 0, high = 0;
    };
    std::map<std::int64_t, Range, std::greater<>> multiples;  // by stride
    const auto add = [&](std::int64_t stride, std::int64_t most) {
      Range& range = multiples[std::abs(stride)];
      (stride < 0 ? range.low : range.high) += stride < 0 ? -most : most;
    };
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::int64_t most = largest(axes[i], plan_.max_batch) - 1;
      if (b.strides[i] != 0) add(b.strides[i], most);
      if (a.strides[i] != 0) add(-a.strides[i], most);
    }
    std::int64_t low = 0, high = 0;
    for (const auto& [stride, range] : multiples) {
      low += stride * range.low;
      high += stride * range.high;
    }
    std::set<std::int64_t> rests{a.offset - b.offset};
    for (const auto& [stride, range] : multiples) {
      low -= stride * range.low;
      high -= stride * range.high;
      std::set<std::int64_t> next;
      for (const std::int64_t rest : rests) {
        // rest - d * stride must lie in [low, high].
        const std::int64_t first = std::max(range.low, (rest - high) / stride - 1);
        const std::int64_t last = std::min(range.high, (rest - low) / stride + 1);
        for (std::int64_t d = first; d <= last && next.size() <= kManyRests; ++d) {
          const std::int64_t left = rest - d * stride;
          if (left >= low && left <= high) next.insert(left);
        }
      }
      if (next.size() > kManyRests) return true;
      rests = std::move(next);
    }
    return rests.contains(0);
  }
  static constexpr std::size_t kManyRests = 1000;

  bool overlap(const Access& a, const Access& b, const Extents& axes) const {
    const Buffer& x = plan_.buffers[a.buffer];
    const Buffer& y = plan_.buffers[b.buffer];
    if (x.space != y.space || x.index != y.index || is_empty(axes)) return false;
    const bool by_row = a.row != kNoValue || b.row != kNoValue;
    if (a.buffer == b.buffer && !by_row) return may_meet(a.at, b.at, axes);
    const auto bytes = [&](const Buffer& buffer, const Access& access) {
      const Range range = range_of(access, axes, plan_.max_batch);
      const auto width = static_cast<std::int64_t>(size_of(buffer.dtype));
      const auto base = static_cast<std::int64_t>(buffer.offset);
      return Range{base + range.first * width, base + (range.last + 1) * width};
    };
    const Range p = bytes(x, a), q = bytes(y, b);
    return p.first < q.last && q.first < p.last;
  }

  void check_split(const std::optional<Split>& split, const std::vector<const Body*>& bodies, const Extents& axes,
                   const std::vector<bool>& reduced) {
    if (!split) return;
    require(split->axis < axes.size() && !reduced[split->axis], "threads share an axis that they cannot share");
    if (!errors_.empty()) return;
    for (const Body* const body : bodies) {
      for (const Store& store : body->stores) {
        require(!store.accumulate && store.access.row == kNoValue && store.access.at.strides[split->axis] != 0,
                "threads that share the kernel store to the same element");
      }
    }
  }

  void check_reductions(const Body& body, const std::vector<Reduction>& reductions, const Body& tail,
                        const Extents& axes) {
    for (const Reduction& r : reductions) require(r.value < body.values.size(), "a reduction has no value");
    check_values(tail, axes, reductions.size(), false);
  }

  void check_kept(const Body& tail, const std::vector<bool>& reduced) {
    for_each_linear(tail, [&](const Linear& linear) {
      for (std::size_t i = 0; i < reduced.size(); ++i) {
        require(!reduced[i] || linear.strides[i] == 0, "the tail has a stride on a reduced axis");
      }
    });
  }

  // Of a kernel's body and its tail.
  void check_overlaps(const Body& body, const Body& tail, const Extents& axes) {
    check_overlaps(body, body, true, axes);
    check_overlaps(tail, tail, true, axes);
    check_overlaps(body, tail, false, axes);
    check_overlaps(tail, body, false, axes);
  }

  void check(const LoopKernel& kernel) {
    require(kernel.reduced.size() == kernel.axes.size(), "reduced has not one mark an axis");
    require(kernel.axes.empty() || kernel.vector_axis < kernel.axes.size(), "the vector axis is none of the axes");
    check_values(kernel.body, kernel.axes, 0, false);
    check_reductions(kernel.body, kernel.reductions, kernel.tail, kernel.axes);
    if (!errors_.empty()) return;
    check_stores(kernel.body, kernel.axes);
    check_stores(kernel.tail, kernel.axes);
    if (!errors_.empty()) return;
    check_kept(kernel.tail, kernel.reduced);
    check_split(kernel.split, {&kernel.body, &kernel.tail}, kernel.axes, kernel.reduced);
    check_overlaps(kernel.body, kernel.tail, kernel.axes);
  }

  void check(const ContractionKernel& kernel) {
    const Extents a_axes = axes_with(kernel, kernel.rows, kernel.inner);
    const Extents b_axes = axes_with(kernel, kernel.inner, kernel.columns);
    const Extents axes = axes_with(kernel, kernel.rows, kernel.columns);
    check_read(kernel.a, a_axes, 0);
    check_read(kernel.b, b_axes, 0);
    const std::vector<bool> reduced = summed_axes(kernel);
    check_values(kernel.epilogue, axes, 0, true);
    check_reductions(kernel.epilogue, kernel.sums, kernel.tail, axes);
    for (const Reduction& sum : kernel.sums) require(sum.op == Op::reduce_sum, "a product adds up, or nothing");
    require(kernel.sums.empty() ||
                (kernel.batch.empty() && kernel.form == ContractionKernel::Form::columns && !kernel.one_column()),
            "sums of a product that has no rows side by side");
    if (!errors_.empty()) return;
    check_stores(kernel.epilogue, axes);
    check_stores(kernel.tail, axes);
    if (!errors_.empty()) return;
    check_kept(kernel.tail, reduced);
    check_split(kernel.split, {&kernel.epilogue, &kernel.tail}, axes, reduced);
    check_overlaps(kernel.epilogue, kernel.tail, axes);
    std::vector<Store> stores = kernel.epilogue.stores;
    stores.insert(stores.end(), kernel.tail.stores.begin(), kernel.tail.stores.end());
    for (const Store& store : stores) {
      for (const Access* operand : {&kernel.a, &kernel.b}) {
        const Buffer& x = plan_.buffers[store.access.buffer];
        const Buffer& y = plan_.buffers[operand->buffer];
        const auto end = [&](const Buffer& b) {
          return b.offset + static_cast<std::uint64_t>(span_of(b, plan_.max_batch)) * size_of(b.dtype);
        };
        const bool apart = x.space != y.space || x.index != y.index || end(x) <= y.offset || end(y) <= x.offset;
        require(apart, fmt::format("'{}' is written while the product reads '{}'", x.name, y.name));
      }
    }
  }

  void check(const FiniteGuard& guard) {
    require(guard.buffer < plan_.buffers.size(), "the guard has no buffer");
    if (!errors_.empty()) return;
    const Buffer& buffer = plan_.buffers[guard.buffer];
    require(buffer.space != Space::arena || written_[guard.buffer], "the guard comes before the loss");
    for (BufferId id = 0; id < plan_.buffers.size(); ++id) {
      const Space space = plan_.buffers[id].space;
      require(!written_[id] || (space != Space::state && space != Space::accumulators),
              "the state is written before the guard");
    }
  }

  const KernelPlan& plan_;
  std::vector<bool> written_;
  std::size_t kernel_ = 0;
  Diagnostics errors_;
};

double points(const Extents& axes, const std::vector<bool>& without, std::int64_t max_batch) {
  double count = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (without.empty() || !without[i]) count *= static_cast<double>(largest(axes[i], max_batch));
  }
  return count;
}

// Distinct elements of an access, counted once, in bytes.
double bytes_of(const KernelPlan& plan, const Access& access, const Extents& axes) {
  double elements = access.row == kNoValue ? 1 : static_cast<double>(access.row_limit);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (access.at.strides[i] != 0) elements *= static_cast<double>(largest(axes[i], plan.max_batch));
  }
  return elements * static_cast<double>(size_of(plan.buffers[access.buffer].dtype));
}

void add_body(const KernelPlan& plan, const Body& body, const Extents& axes, double count, KernelCost& cost) {
  std::set<BufferId> read;
  for (const Value& value : body.values) {
    if (value.kind == Value::Kind::load && read.insert(value.access.buffer).second) {
      cost.bytes += bytes_of(plan, value.access, axes);
    }
    if (value.kind == Value::Kind::operation && !info(value.op).has(kMoves)) cost.flops += count;
  }
  for (const Store& store : body.stores) cost.bytes += bytes_of(plan, store.access, axes);
}

}  // namespace

std::int64_t span_of(const Buffer& buffer, std::int64_t max_batch) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < buffer.shape.size(); ++i) {
    const std::int64_t extent = buffer.shape[i] == kBatch ? max_batch : buffer.shape[i];
    if (extent == 0) return 0;
    last += (extent - 1) * buffer.strides[i];
  }
  return last + 1;
}

std::optional<Split> split_of(const Kernel& kernel) {
  if (const auto* const loop = std::get_if<LoopKernel>(&kernel.body)) return loop->split;
  if (const auto* const product = std::get_if<ContractionKernel>(&kernel.body)) return product->split;
  return std::nullopt;
}

bool stores_nothing(const KernelPlan& plan) {
  return std::none_of(plan.results.begin(), plan.results.end(),
                      [](const PlanResult& result) { return result.kind == ResultKind::store; });
}

bool is_shared(const KernelPlan& plan) {
  return std::any_of(plan.kernels.begin(), plan.kernels.end(),
                     [](const Kernel& kernel) { return split_of(kernel).has_value(); });
}

bool is_shared(const ProgramPlan& plan) {
  return std::any_of(plan.plans.begin(), plan.plans.end(), [](const auto& named) { return is_shared(named.second); });
}

Status verify(const KernelPlan& plan) { return Verifier(plan).run(); }

KernelCost cost_of(const KernelPlan& plan, const Kernel& kernel) {
  KernelCost cost;
  if (const auto* loop = std::get_if<LoopKernel>(&kernel.body)) {
    const double all = points(loop->axes, {}, plan.max_batch);
    add_body(plan, loop->body, loop->axes, all, cost);
    add_body(plan, loop->tail, loop->axes, points(loop->axes, loop->reduced, plan.max_batch), cost);
    cost.flops += all * static_cast<double>(loop->reductions.size());
  } else if (const auto* product = std::get_if<ContractionKernel>(&kernel.body)) {
    const Extents axes = axes_with(*product, product->rows, product->columns);
    const double all = points(axes, {}, plan.max_batch);
    cost.flops += 2 * all * static_cast<double>(largest(product->inner, plan.max_batch));
    cost.bytes += bytes_of(plan, product->a, axes_with(*product, product->rows, product->inner));
    cost.bytes += bytes_of(plan, product->b, axes_with(*product, product->inner, product->columns));
    add_body(plan, product->epilogue, axes, all, cost);
    add_body(plan, product->tail, axes, points(axes, summed_axes(*product), plan.max_batch), cost);
    cost.flops += all * static_cast<double>(product->sums.size());
  }
  return cost;
}

}  // namespace tarn
