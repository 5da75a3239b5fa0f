// The axis along which threads share a kernel. See threads.h.
#include "passes/tactics/threads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "passes/plan/access.h"
#include "passes/tactics/product_form.h"

namespace tarn {

namespace {

double nanoseconds(const KernelCost& cost, const CostModel& costs) {
  return std::max(cost.flops / costs.flops_per_nanosecond, cost.bytes / costs.bytes_per_nanosecond);
}

// No two points with different indices of the axis store to one element.
bool stores_apart(const Body& body, std::size_t axis) {
  return std::all_of(body.stores.begin(), body.stores.end(), [&](const Store& store) {
    return !store.accumulate && store.access.row == kNoValue && store.access.at.strides[axis] != 0;
  });
}

class Splitter {
 public:
  Splitter(KernelPlan& plan, const Target& target, const CostModel& costs)
      : plan_(plan), target_(target), costs_(costs) {}

  void run(std::vector<std::string>* reasons) {
    for (const Kernel& kernel : plan_.kernels) {
      for_each_body(kernel.body, [&](const Body& body) {
        for (const Store& store : body.stores) {
          if (plan_.buffers[store.access.buffer].space == Space::state) changes_.insert(store.access.buffer);
        }
      });
    }
    // Those in a repeat are shared each time that they run.
    for_each_kernel(plan_.kernels, [&](Kernel& kernel) {
      share(kernel);
      if (reasons != nullptr) reasons->push_back(reason(kernel.tactics));
    });
  }

 private:
  void share(Kernel& kernel) {
    CpuTactics& tactics = kernel.tactics;
    tactics.split.reset();
    tactics.b_for_writing = false;
    time_ = nanoseconds(cost_of(plan_, kernel), costs_);
    // The squares of a copy are one function's.
    if (time_ < costs_.shared_time || tactics.copy == CpuTactics::Copy::by_squares) return;
    by_kind(
        kernel.body, [&](const LoopKernel& loop) { split(loop, tactics); },
        [&](const ContractionKernel& product) { split(product, tactics); }, [](const FiniteGuard&) {},
        [](const Repeat&) {});
  }

  // Of the kernel at hand.
  std::string reason(const CpuTactics& tactics) const {
    if (tactics.split) return fmt::format("{:.0f} ns of work", time_);
    if (time_ < costs_.shared_time) {
      return fmt::format("{:.0f} ns of work; from {:.0f} on a second thread pays", time_, costs_.shared_time);
    }
    return tactics.copy == CpuTactics::Copy::by_squares ? "the squares of a copy are one function's"
                                                        : "no axis is long enough, with stores apart";
  }

  std::int64_t points(const Extent& extent) const { return largest(extent, plan_.max_batch); }

  // Time goes with the number of samples where there is an axis of samples.
  template <class Extents>
  Split along(std::size_t axis, const Extents& extents) const {
    const bool of_samples = std::any_of(extents.begin(), extents.end(), [](const Extent& e) { return e.times_batch; });
    const double share = of_samples && time_ > 0 ? costs_.shared_time / time_ : 0;
    const double samples = std::ceil(share * static_cast<double>(plan_.max_batch));
    return {static_cast<std::uint32_t>(axis), std::max<std::int64_t>(static_cast<std::int64_t>(samples), 1)};
  }

  // The outermost axis that is long enough; the one that vectors go along last, since its parts are whole vectors.
  void split(const LoopKernel& kernel, CpuTactics& tactics) const {
    std::vector<std::size_t> candidates;
    for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
      const bool free = !kernel.reduced[axis] && stores_apart(kernel.body, axis) && stores_apart(kernel.tail, axis);
      const std::int64_t unit = axis == tactics.vector_axis ? kSplitVectors : 1;
      if (free && points(kernel.axes[axis]) >= unit * costs_.shared_points) candidates.push_back(axis);
    }
    if (candidates.empty()) return;
    const auto outermost = std::min_element(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(a == tactics.vector_axis, a) < std::pair(b == tactics.vector_axis, b);
    });
    tactics.split = along(*outermost, kernel.axes);
  }

  // Threads that share columns pack parts of b of their own; those that share rows each pack all of it.
  void split(const ContractionKernel& kernel, CpuTactics& tactics) const {
    const std::size_t rows = kernel.row_axis(), columns = kernel.column_axis();
    const std::vector<Extent> axes = axes_with(kernel, kernel.rows, kernel.columns);
    // Groups are columns of one matrix.
    const std::int64_t groups = tactics.weights_in_groups ? points(axes[0]) : 1;
    const auto fits = [&](std::size_t axis, std::int64_t fewest) {
      const std::int64_t count = points(axes[axis]) * (axis == columns ? groups : 1);
      return count >= fewest && stores_apart(kernel.epilogue, axis) && stores_apart(kernel.tail, axis);
    };
    std::vector<Extent> extents = axes;
    extents.insert(extents.end(), kernel.inner.begin(), kernel.inner.end());
    // What is a loop around the tiles: each part has whole ones.
    std::optional<std::size_t> around;
    for (std::size_t axis = columns; axis-- > 0;) {
      if (axis != rows && fits(axis, costs_.shared_points)) around = axis;
    }
    if (tactics.weights_in_groups) {
      const bool pays = fits(columns, costs_.shared_columns) || fits(rows, costs_.shared_points);
      if (pays) tactics.split = along(groups >= costs_.shared_groups ? 0 : rows, extents);
    } else if (around) {
      tactics.split = along(*around, extents);
    } else if (fits(rows, costs_.shared_rows)) {
      tactics.split = along(rows, extents);
    } else if (fits(columns, costs_.shared_columns)) {
      tactics.split = along(columns, extents);
    } else if (fits(rows, costs_.shared_points)) {
      tactics.split = along(rows, extents);
    }
    if (!tactics.split || !kernel.b.is_load()) return;
    const BufferId b = kernel.b.access().buffer;
    tactics.b_for_writing = changes_.contains(b) && stays_in_cache(plan_.buffers[b]);
  }

  // What has left half of the second-level cache until it is stored would have to be written to memory for nothing.
  bool stays_in_cache(const Buffer& buffer) const {
    return static_cast<std::int64_t>(bytes_of(buffer, plan_.max_batch)) <= target_.second_cache_bytes / 2;
  }

  KernelPlan& plan_;
  const Target& target_;
  const CostModel& costs_;
  double time_ = 0;             // of the kernel at hand
  std::set<BufferId> changes_;  // of the state: those that the plan stores
};

}  // namespace

void split_among_threads(KernelPlan& plan, const Target& target, const CostModel& costs,
                         std::vector<std::string>* reasons) {
  Splitter(plan, target, costs).run(reasons);
}

}  // namespace tarn
