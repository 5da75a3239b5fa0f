// See choose.h. The choices stand in files of their own; this one puts them in order and gives reasons.
#include "passes/tactics/choose.h"

#include <fmt/format.h>

#include "ir/joined.h"
#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"
#include "passes/tactics/product_form.h"
#include "passes/tactics/rows_in_place.h"
#include "passes/tactics/threads.h"
#include "passes/tactics/tiling.h"
#include "passes/tactics/vector_axis.h"

namespace tarn {
namespace {

class Chooser {
 public:
  Chooser(KernelPlan& plan, const Target& target, const CostModel& costs, std::vector<TacticsReasons>* reasons)
      : plan_(plan), target_(target), costs_(costs), reasons_(reasons) {}

  void run() {
    if (reasons_ != nullptr) reasons_->clear();
    for_each_kernel(plan_.kernels, [&](Kernel& kernel) {
      kernel.tactics = {};
      TacticsReasons* const reasons = reasons_ == nullptr ? nullptr : &reasons_->emplace_back();
      std::visit([&](const auto& body) { choose(body, kernel.tactics, reasons); }, kernel.body);
    });
    std::vector<std::string> shares;
    split_among_threads(plan_, target_, costs_, reasons_ == nullptr ? nullptr : &shares);
    // Where products and sums are two instructions, tiles have no register left for the addresses of rows. What stores
    // nothing gathers no rows.
    if (target_.has_fma && !stores_nothing(plan_)) read_rows_in_place(plan_, target_, costs_);
    if (reasons_ != nullptr) explain(shares);
    choose_tilings(plan_, target_, costs_, reasons_);
  }

 private:
  // Narrow samples, one behind the other, to samples side by side: vectors would gain nothing over units one by one.
  // (Where nothing is stored, samples come in no order, and lie behind each other.)
  bool copies_samples(const LoopKernel& kernel) const {
    if (!may_copy_samples(plan_, kernel) || stores_nothing(plan_)) return false;
    const Body& body = kernel.body;
    const std::int64_t lanes = target_.vector_bytes / static_cast<std::int64_t>(size_of(body.values.front().dtype));
    return body.stores.front().access.at.strides[0] == 1 && kernel.axes[1].constant < costs_.narrow_vectors * lanes;
  }

  bool copies_by_squares(const LoopKernel& kernel) const {
    double count = 1;
    for (const Extent& extent : kernel.axes) count *= static_cast<double>(largest(extent, plan_.max_batch));
    return count >= static_cast<double>(costs_.transposed_elements) && axes_of_transposing_copy(plan_, kernel);
  }

  void choose(const LoopKernel& kernel, CpuTactics& tactics, TacticsReasons* reasons) const {
    const VectorAxis vectors = best_vector_axis(kernel, target_, plan_.max_batch, costs_);
    tactics.vector_axis = static_cast<std::uint32_t>(vectors.axis);
    if (copies_samples(kernel)) {
      tactics.copy = CpuTactics::Copy::of_samples;
    } else if (copies_by_squares(kernel)) {
      tactics.copy = CpuTactics::Copy::by_squares;
    }
    if (reasons == nullptr) return;
    if (vectors.is_ordered) {
      reasons->vectors = "a lane meets its points in the order of their indices";
    } else if (vectors.costs.size() == 1) {
      reasons->vectors = "its only axis";
    } else if (!vectors.costs.empty()) {
      std::vector<std::string> costs;
      for (const double cost : vectors.costs) costs.push_back(fmt::format("{:.3g}", cost));
      reasons->vectors = fmt::format("operations a point, by axis: {}", joined(costs, ", "));
    }
    if (tactics.copy == CpuTactics::Copy::of_samples) reasons->copy = "nothing else reads the input";
    if (tactics.copy == CpuTactics::Copy::by_squares) reasons->copy = "rows on either side lie along different axes";
  }

  void choose(const ContractionKernel& kernel, CpuTactics& tactics, TacticsReasons* reasons) const {
    const ProductTimes times = times_of_product(kernel, plan_.max_batch, target_, costs_);
    tactics.form = form_of(kernel, times, plan_.max_batch);
    const bool of_samples =
        std::any_of(kernel.rows.begin(), kernel.rows.end(), [](const Extent& e) { return e.times_batch; });
    tactics.often_few_rows = of_samples && stores_nothing(plan_);
    tactics.weights_in_groups = tactics.often_few_rows && has_groups(kernel);
    if (reasons == nullptr) return;
    if (!kernel.sums.empty()) {
      reasons->vectors = "sums go down the rows";
    } else if (times.can_dot) {
      reasons->vectors = fmt::format("{:.3g} operations along n, {:.3g} along k", times.by_columns, times.by_inner);
    } else if (!kernel.a.is_load() || !kernel.b.is_load()) {
      reasons->vectors = "a or b is computed";
    } else {
      reasons->vectors = "a or b is not contiguous along k";
    }
    if (tactics.weights_in_groups) {
      reasons->rows = "nothing is stored: calls with one sample are as likely, and columns lie in groups";
    } else if (tactics.often_few_rows) {
      reasons->rows = "nothing is stored: calls with one sample are as likely";
    }
  }

  void choose(const FiniteGuard&, CpuTactics&, TacticsReasons*) const {}
  void choose(const Repeat&, CpuTactics&, TacticsReasons*) const {}

  void explain(const std::vector<std::string>& shares) const {
    const std::vector<KernelRuns> kernels = numbered_kernels(plan_);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      TacticsReasons& reasons = (*reasons_)[i];
      reasons.threads = shares[i];
      const CpuTactics& tactics = kernels[i].kernel->tactics;
      by_kind(
          kernels[i].kernel->body, [](const LoopKernel&) {},
          [&](const ContractionKernel& product) {
            if (!tactics.rows_in_place) return;
            const auto bytes = static_cast<std::int64_t>(size_of(product.dtype)) *
                               plan_.buffers[product.a.access().buffer].strides.front();
            reasons.rows = fmt::format("samples of {} bytes, which only products read", bytes);
          },
          [](const FiniteGuard&) {}, [](const Repeat&) {});
      if (tactics.b_for_writing) reasons.b = "another thread stores what this one reads of it";
    }
  }

  KernelPlan& plan_;
  const Target& target_;
  const CostModel& costs_;
  std::vector<TacticsReasons>* reasons_;
};

}  // namespace

void choose_cpu_tactics(KernelPlan& plan, const Target& target, const CostModel& costs,
                        std::vector<TacticsReasons>* reasons) {
  Chooser(plan, target, costs, reasons).run();
}

}  // namespace tarn
