// Inputs of which nothing but samples, one behind the other, is read. See rows_in_place.h.
#include "passes/planner/rows_in_place.h"

#include <map>

namespace tarn {

namespace {

struct Readers {
  std::vector<ContractionKernel*> products;  // that can take samples from anywhere
  bool others = false;
};

class Finder {
 public:
  Finder(KernelPlan& plan, std::int64_t least_bytes) : plan_(plan), least_bytes_(least_bytes) {}

  void run() {
    for (Kernel& kernel : plan_.kernels) {
      auto* const product = std::get_if<ContractionKernel>(&kernel.body);
      const bool takes = product != nullptr && takes_samples(*product);
      if (takes) readers_[plan_.buffers[product->a.buffer].index].products.push_back(product);
      std::size_t reads = 0;
      for_each_buffer(kernel.body, [&](BufferId id) {
        const Buffer& buffer = plan_.buffers[id];
        // The first access of a product is `a`.
        if (!(takes && reads++ == 0) && buffer.space == Space::input) readers_[buffer.index].others = true;
      });
    }
    for (const auto& [input, readers] : readers_) {
      if (readers.others) continue;
      for (ContractionKernel* product : readers.products) product->rows_in_place = true;
    }
  }

 private:
  // Whether `a` is an input, with whole samples along the rows or along k, and its elements along the other.
  bool takes_samples(const ContractionKernel& kernel) const {
    const Buffer& buffer = plan_.buffers[kernel.a.buffer];
    if (buffer.space != Space::input || !kernel.batch.empty() || kernel.form != ContractionKernel::Form::columns ||
        kernel.often_few_rows || kernel.a.row != kNoValue || kernel.a.at.offset != 0) {
      return false;
    }
    const std::int64_t sample = buffer.strides.front(),
                       bytes = sample * static_cast<std::int64_t>(size_of(kernel.dtype));
    const auto samples = [](const Extent& extent) { return extent.times_batch && extent.constant == 1; };
    const bool along_rows = samples(kernel.rows) && !kernel.inner.times_batch &&
                            kernel.a.at.strides == std::vector{sample, std::int64_t{1}};
    // Rows of whole pages fall on few places in a cache: there, parts of them are copied (contraction/schedule.h).
    constexpr std::int64_t kPage = 4096;
    const bool along_inner = samples(kernel.inner) && !kernel.rows.times_batch && bytes % kPage != 0 &&
                             kernel.a.at.strides == std::vector{std::int64_t{1}, sample};
    return bytes >= least_bytes_ && (along_rows || along_inner);
  }

  KernelPlan& plan_;
  const std::int64_t least_bytes_;
  std::map<std::uint32_t, Readers> readers_;  // by input
};

}  // namespace

void read_rows_in_place(KernelPlan& plan, std::int64_t least_bytes) { Finder(plan, least_bytes).run(); }

}  // namespace tarn
