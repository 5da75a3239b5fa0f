// Inputs of which nothing but samples, one behind the other, is read. See rows_in_place.h.
#include "passes/tactics/rows_in_place.h"

#include <map>

namespace tarn {

namespace {

struct Readers {
  std::vector<CpuTactics*> products;  // that can take samples from anywhere
  bool others = false;
};

class Finder {
 public:
  Finder(KernelPlan& plan, const Target& target, const CostModel& costs)
      : plan_(plan), target_(target), costs_(costs) {}

  void run() {
    for_each_kernel(plan_.kernels, [&](Kernel& kernel) {
      kernel.tactics.rows_in_place = false;
      by_kind(
          kernel.body, [&](LoopKernel&) { note_others(kernel.body, false); },
          [&](ContractionKernel& product) {
            const bool takes = takes_samples(product, kernel.tactics);
            if (takes) readers_[plan_.buffers[product.a.access().buffer].index].products.push_back(&kernel.tactics);
            note_others(kernel.body, takes);
          },
          [&](FiniteGuard&) { note_others(kernel.body, false); }, [](Repeat&) {});
    });
    for (const auto& [input, readers] : readers_) {
      if (readers.others) continue;
      for (CpuTactics* tactics : readers.products) tactics->rows_in_place = true;
    }
  }

 private:
  void note_others(const KernelBody& kernel, bool without_first) {
    std::size_t reads = 0;
    for_each_buffer(kernel, [&](BufferId id) {
      const Buffer& buffer = plan_.buffers[id];
      // The first access of a product is `a`.
      if (!(without_first && reads++ == 0) && buffer.space == Space::input) readers_[buffer.index].others = true;
    });
  }

  // Whether `a` is an input, with whole samples along the rows or along k, and its elements along the other.
  bool takes_samples(const ContractionKernel& kernel, const CpuTactics& tactics) const {
    if (tactics.often_few_rows || tactics.form != CpuTactics::Form::columns) return false;
    if (!kernel.a.is_load() || !kernel.batch.empty() || !kernel.has_one_axis_each()) return false;
    const Linear& at = kernel.a.access().at;
    const Buffer& buffer = plan_.buffers[kernel.a.access().buffer];
    if (buffer.space != Space::input || at.offset != 0 || !at.repeat_strides.empty()) return false;
    const Extent &rows = kernel.rows[0], &inner = kernel.inner[0];
    const std::int64_t sample = buffer.strides.front(),
                       bytes = sample * static_cast<std::int64_t>(size_of(kernel.dtype));
    const auto samples = [](const Extent& extent) { return extent.times_batch && extent.constant == 1; };
    const bool along_rows = samples(rows) && !inner.times_batch && at.strides == std::vector{sample, std::int64_t{1}};
    // Rows of whole pages fall on few places in a cache: there, parts of them are copied (tiling.h).
    const bool along_inner = samples(inner) && !rows.times_batch && bytes % target_.page_bytes != 0 &&
                             at.strides == std::vector{std::int64_t{1}, sample};
    return bytes >= costs_.long_sample && (along_rows || along_inner);
  }

  KernelPlan& plan_;
  const Target& target_;
  const CostModel& costs_;
  std::map<std::uint32_t, Readers> readers_;  // by input
};

}  // namespace

void read_rows_in_place(KernelPlan& plan, const Target& target, const CostModel& costs) {
  Finder(plan, target, costs).run();
}

}  // namespace tarn
