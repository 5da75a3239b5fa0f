// The axis along which threads share a kernel. See threading.h.
#include "passes/planner/threading.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "passes/plan/access.h"

namespace tarn {

namespace {

// FLOPs of a core in a nanosecond: of an elementwise body as of a product, since bytes decide about the former.
constexpr double kFlopsPerNanosecond = 100;
double nanoseconds(const KernelCost& cost) {
  return std::max(cost.flops / kFlopsPerNanosecond, cost.bytes / kBytesPerNanosecond);
}

// No two points with different indices of the axis store to one element.
bool stores_apart(const Body& body, std::size_t axis) {
  return std::all_of(body.stores.begin(), body.stores.end(), [&](const Store& store) {
    return !store.accumulate && store.access.row == kNoValue && store.access.at.strides[axis] != 0;
  });
}

class Splitter {
 public:
  Splitter(KernelPlan& plan, const SharingLimits& limits) : plan_(plan), limits_(limits) {}

  void run() {
    for (const Kernel& kernel : plan_.kernels) {
      for_each_body(kernel.body, [&](const Body& body) {
        for (const Store& store : body.stores) {
          if (plan_.buffers[store.access.buffer].space == Space::state) changes_.insert(store.access.buffer);
        }
      });
    }
    for (Kernel& kernel : plan_.kernels) {
      const double time = nanoseconds(cost_of(plan_, kernel));
      if (time < limits_.nanoseconds) continue;
      if (auto* loop = std::get_if<LoopKernel>(&kernel.body)) split(*loop, time);
      if (auto* product = std::get_if<ContractionKernel>(&kernel.body)) split(*product, time);
    }
  }

 private:
  std::int64_t points(const Extent& extent) const { return largest(extent, plan_.max_batch); }

  // Time goes with the number of samples where there is an axis of samples.
  template <class Extents>
  Split along(std::size_t axis, const Extents& extents, double time) const {
    const bool of_samples = std::any_of(extents.begin(), extents.end(), [](const Extent& e) { return e.times_batch; });
    const double share = of_samples && time > 0 ? limits_.nanoseconds / time : 0;
    const double samples = std::ceil(share * static_cast<double>(plan_.max_batch));
    return {static_cast<std::uint32_t>(axis), std::max<std::int64_t>(static_cast<std::int64_t>(samples), 1)};
  }

  // The outermost axis that is long enough; the one that vectors go along last, since its parts are whole vectors.
  void split(LoopKernel& kernel, double time) const {
    std::vector<std::size_t> candidates;
    for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
      const bool free = !kernel.reduced[axis] && stores_apart(kernel.body, axis) && stores_apart(kernel.tail, axis);
      const std::int64_t fewest = axis == kernel.vector_axis ? kSplitVectors * limits_.points : limits_.points;
      if (free && points(kernel.axes[axis]) >= fewest) candidates.push_back(axis);
    }
    if (candidates.empty()) return;
    const auto outermost = std::min_element(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(a == kernel.vector_axis, a) < std::pair(b == kernel.vector_axis, b);
    });
    kernel.split = along(*outermost, kernel.axes, time);
  }

  // Threads that share columns pack parts of b of their own; those that share rows each pack all of it.
  void split(ContractionKernel& kernel, double time) const {
    const std::size_t rows = kernel.batch.size(), columns = rows + 1;
    std::vector<Extent> axes = kernel.batch;
    axes.insert(axes.end(), {kernel.rows, kernel.columns});
    const auto fits = [&](std::size_t axis, std::int64_t fewest) {
      return points(axes[axis]) >= fewest && stores_apart(kernel.epilogue, axis) && stores_apart(kernel.tail, axis);
    };
    std::vector<Extent> extents = axes;
    extents.push_back(kernel.inner);
    if (rows > 0 && fits(0, limits_.points)) {
      kernel.split = along(0, extents, time);
    } else if (fits(rows, limits_.rows)) {
      kernel.split = along(rows, extents, time);
    } else if (fits(columns, limits_.columns)) {
      kernel.split = along(columns, extents, time);
    } else if (fits(rows, limits_.points)) {
      kernel.split = along(rows, extents, time);
    }
    kernel.b_for_writing = kernel.split && changes_.contains(kernel.b.buffer) && stays_in_cache(kernel.b.buffer);
  }

  // Half of a second-level cache. What has left it until it is stored would have to be written to memory for nothing.
  bool stays_in_cache(BufferId id) const {
    constexpr std::uint64_t kMostBytes = std::uint64_t{512} * 1024;
    const Buffer& buffer = plan_.buffers[id];
    return static_cast<std::uint64_t>(span_of(buffer, plan_.max_batch)) * size_of(buffer.dtype) <= kMostBytes;
  }

  KernelPlan& plan_;
  const SharingLimits& limits_;
  std::set<BufferId> changes_;  // of the state: those that the plan stores
};

}  // namespace

void split_among_threads(KernelPlan& plan, const SharingLimits& limits) { Splitter(plan, limits).run(); }

}  // namespace tarn
