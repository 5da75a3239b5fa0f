// Costs of kernel plans, and questions about them. See kernel_plan.h.
#include "passes/plan/kernel_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "passes/plan/access.h"

namespace tarn {
namespace {

using Extents = std::vector<Extent>;

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

std::uint64_t bytes_of(const Buffer& buffer, std::int64_t max_batch) {
  return static_cast<std::uint64_t>(span_of(buffer, max_batch)) * size_of(buffer.dtype);
}

bool share_bytes(const Buffer& a, const Buffer& b, std::int64_t max_batch) {
  const bool by_number = a.space == Space::input || a.space == Space::output;
  return a.space == b.space && (!by_number || a.index == b.index) && a.offset < b.offset + bytes_of(b, max_batch) &&
         b.offset < a.offset + bytes_of(a, max_batch);
}

Operand operand_of(const Access& access, DType dtype) {
  Operand operand;
  Value& value = operand.body.values.emplace_back();
  value.kind = Value::Kind::load;
  value.dtype = dtype;
  value.access = access;
  return operand;
}

std::vector<Extent> axes_with(const ContractionKernel& kernel, const std::vector<Extent>& first,
                              const std::vector<Extent>& second) {
  std::vector<Extent> axes = kernel.batch;
  axes.insert(axes.end(), first.begin(), first.end());
  axes.insert(axes.end(), second.begin(), second.end());
  return axes;
}

std::vector<bool> summed_axes(const ContractionKernel& kernel) {
  std::vector<bool> reduced(kernel.column_axis() + 1);
  const auto rows = reduced.begin() + static_cast<std::ptrdiff_t>(kernel.batch.size());
  std::fill(rows, rows + static_cast<std::ptrdiff_t>(kernel.rows.size()), !kernel.sums.empty());
  return reduced;
}

std::vector<bool> inputs_in_place(const KernelPlan& plan, std::size_t inputs) {
  std::vector<bool> result(inputs);
  for_each_product(plan.kernels, [&](const ContractionKernel& product, const CpuTactics& tactics) {
    if (tactics.rows_in_place) result[plan.buffers[product.a.access().buffer].index] = true;
  });
  return result;
}

void copy_packed(const PackedWeights& packed, std::span<const std::byte> state, std::span<std::byte> to) {
  TARN_CHECK(to.size() >= packed.bytes, "no room for packed weights");
  std::fill(to.begin(), to.end(), std::byte{0});
  for (const PackedWeights::Tensor& tensor : packed.tensors) {
    TARN_CHECK(tensor.from + tensor.rows * tensor.row_bytes <= state.size(), "a state that ends early");
    std::byte* next = to.data() + tensor.to;
    for (std::uint64_t group = 0; group < tensor.row_bytes; group += tensor.group_bytes) {
      for (std::uint64_t row = 0; row < tensor.rows; ++row) {
        std::memcpy(next, state.data() + tensor.from + row * tensor.row_bytes + group, tensor.group_bytes);
        next += tensor.group_bytes;
      }
    }
  }
}

bool is_product_of_floats(const Value& value) {
  return value.kind == Value::Kind::operation && value.op == Op::mul && is_floating(value.dtype);
}

std::vector<KernelRuns> numbered_kernels(const KernelPlan& plan) {
  std::vector<KernelRuns> kernels;
  const auto add = [&](const auto& self, const std::vector<Kernel>& steps, double runs) -> void {
    for (const Kernel& kernel : steps) {
      kernels.push_back({&kernel, runs});
      by_kind(
          kernel.body, [](const LoopKernel&) {}, [](const ContractionKernel&) {}, [](const FiniteGuard&) {},
          [&](const Repeat& repeat) { self(self, repeat.steps, runs * static_cast<double>(repeat.count)); });
    }
  };
  add(add, plan.kernels, 1);
  return kernels;
}

std::size_t count_kernels(const Kernel& kernel) {
  std::size_t count = 1;
  if (const auto* const steps = steps_of(kernel)) for_each_kernel(*steps, [&](const Kernel&) { ++count; });
  return count;
}

bool stores_nothing(const KernelPlan& plan) {
  return std::none_of(plan.results.begin(), plan.results.end(),
                      [](const PlanResult& result) { return result.kind == ResultKind::store; });
}

bool is_shared(const KernelPlan& plan) {
  bool found = false;
  for_each_kernel(plan.kernels, [&](const Kernel& kernel) { found = found || kernel.tactics.split.has_value(); });
  return found;
}

bool is_shared(const ProgramPlan& plan) {
  return std::any_of(plan.plans.begin(), plan.plans.end(), [](const auto& named) { return is_shared(named.second); });
}

namespace {

KernelCost cost_of(const KernelPlan& plan, const LoopKernel& loop) {
  KernelCost cost;
  const double all = points(loop.axes, {}, plan.max_batch);
  add_body(plan, loop.body, loop.axes, all, cost);
  add_body(plan, loop.tail, loop.axes, points(loop.axes, loop.reduced, plan.max_batch), cost);
  cost.flops += all * static_cast<double>(loop.reductions.size());
  return cost;
}

KernelCost cost_of(const KernelPlan& plan, const ContractionKernel& product) {
  KernelCost cost;
  const Extents axes = axes_with(product, product.rows, product.columns);
  const double all = points(axes, {}, plan.max_batch);
  cost.flops += 2 * all * points(product.inner, {}, plan.max_batch);
  const Extents of_a = axes_with(product, product.rows, product.inner),
                of_b = axes_with(product, product.inner, product.columns);
  add_body(plan, product.a.body, of_a, points(of_a, {}, plan.max_batch), cost);
  add_body(plan, product.b.body, of_b, points(of_b, {}, plan.max_batch), cost);
  add_body(plan, product.epilogue, axes, all, cost);
  add_body(plan, product.tail, axes, points(axes, summed_axes(product), plan.max_batch), cost);
  cost.flops += all * static_cast<double>(product.sums.size());
  return cost;
}

KernelCost cost_of(const KernelPlan& /*plan*/, const FiniteGuard& /*guard*/) { return {}; }

KernelCost cost_of(const KernelPlan& plan, const Repeat& repeat) {
  KernelCost cost;
  for (const Kernel& step : repeat.steps) {
    const KernelCost once = tarn::cost_of(plan, step);
    cost.flops += once.flops * static_cast<double>(repeat.count);
    cost.bytes += once.bytes * static_cast<double>(repeat.count);
  }
  return cost;
}

}  // namespace

KernelCost cost_of(const KernelPlan& plan, const Kernel& kernel) {
  return std::visit([&](const auto& kind) { return cost_of(plan, kind); }, kernel.body);
}

}  // namespace tarn
