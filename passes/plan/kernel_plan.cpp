// Costs of kernel plans, and questions about them. See kernel_plan.h.
#include "passes/plan/kernel_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "passes/plan/access.h"

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

// By axis of the epilogue: whether sums go along it.
std::vector<bool> summed_axes(const ContractionKernel& kernel) {
  std::vector<bool> reduced(kernel.batch.size() + 2);
  reduced[kernel.batch.size()] = !kernel.sums.empty();
  return reduced;
}

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

std::vector<bool> inputs_in_place(const KernelPlan& plan, std::size_t inputs) {
  std::vector<bool> result(inputs);
  for (const Kernel& kernel : plan.kernels) {
    const auto* const product = std::get_if<ContractionKernel>(&kernel.body);
    if (product != nullptr && product->rows_in_place) result[plan.buffers[product->a.buffer].index] = true;
  }
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
