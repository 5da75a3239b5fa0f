// The invariants of kernel plans. Whatever the numbers in a plan, looking at them is safe.
//
// This goes over the steps and looks at what each kind of kernel has by itself; what they are made of is for
// verify_accesses.h, verify_bodies.h and verify_dependences.h.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <set>

#include "passes/plan/kernel_plan.h"
#include "passes/plan/possible_tactics.h"
#include "passes/plan/repeat_accesses.h"
#include "passes/plan/verification.h"
#include "passes/plan/verify_accesses.h"
#include "passes/plan/verify_bodies.h"
#include "passes/plan/verify_dependences.h"

namespace tarn {

void Verification::require(bool condition, std::string_view what) {
  if (condition || errors.size() >= 20) return;
  errors.push_back(error(kernel == nullptr ? fmt::format("the plan: {}", what)
                                           : fmt::format("kernel {} '{}': {}", number, kernel->name, what)));
}

namespace {

using Extents = std::vector<Extent>;

class Verifier {
 public:
  explicit Verifier(const KernelPlan& plan) : verification_(plan) {}

  Status run() {
    verification_.require(verification_.plan.max_batch >= 1 && verification_.plan.max_batch < kMostInPlan,
                          "the largest batch has no sample, or too many");
    for (const Buffer& buffer : verification_.plan.buffers) check_buffer(verification_, buffer);
    check_steps(verification_.plan.kernels, 0);
    verification_.kernel = nullptr;
    if (verification_.is_good()) check_results();
    if (verification_.is_good()) return Done{};
    return std::move(verification_.errors);
  }

 private:
  void check_results() {
    for (const PlanResult& result : verification_.plan.results) {
      verification_.require(result.buffer < verification_.plan.buffers.size(), "a result has no buffer");
      if (!verification_.is_good()) return;
      const Buffer& buffer = verification_.plan.buffers[result.buffer];
      verification_.require(buffer.space != Space::arena || verification_.written[result.buffer],
                            fmt::format("the result '{}' is not there at the end", result.name));
    }
  }

  void check_steps(const std::vector<Kernel>& steps, std::size_t number) {
    for (const Kernel& step : steps) {
      if (!verification_.is_good()) return;
      verification_.kernel = &step;
      verification_.number = number;
      number += count_kernels(step);
      std::visit([&](const auto& body) { check(body); }, step.body);
    }
  }

  // What the two bodies of a kernel store, and what they read meanwhile.
  void check_memory(const Body& body, const Body& tail, const Extents& axes, const std::vector<bool>& reduced) {
    check_stores(verification_, body, axes);
    check_stores(verification_, tail, axes);
    if (!verification_.is_good()) return;
    check_kept(verification_, tail, reduced);
    if (!verification_.is_good()) return;
    check_dependences(verification_, body, tail, axes, reduced);
    mark_written(verification_, body);
    mark_written(verification_, tail);
  }

  void check(const LoopKernel& kernel) {
    verification_.require(kernel.reduced.size() == kernel.axes.size(), "reduced has not one mark an axis");
    verification_.require(kernel.axes.empty() || verification_.tactics().vector_axis < kernel.axes.size(),
                          "the vector axis is none of the axes");
    check_axes(verification_, kernel.axes);
    if (!verification_.is_good()) return;
    check_values(verification_, kernel.body, kernel.axes, 0, false);
    check_reductions(verification_, kernel.body, kernel.reductions, kernel.tail, kernel.axes);
    if (verification_.is_good()) check_memory(kernel.body, kernel.tail, kernel.axes, kernel.reduced);
    if (!verification_.is_good()) return;
    verification_.require(kernel.axes.empty() || keeps_order(kernel, verification_.tactics().vector_axis),
                          "lanes meet the points of an argmax in another order than that of their indices");
    check_lanes(kernel);
    verification_.require(
        verification_.tactics().copy != CpuTactics::Copy::of_samples || may_copy_samples(verification_.plan, kernel),
        "a copy of samples of what is no input, or is read elsewhere");
    verification_.require(verification_.tactics().copy != CpuTactics::Copy::by_squares ||
                              (axes_of_transposing_copy(verification_.plan, kernel) && !verification_.tactics().split),
                          "a copy by squares of what is no copy between two axes");
  }

  void check_lanes(const LoopKernel& kernel) {
    const unsigned lanes = verification_.tactics().lanes, accumulators = verification_.tactics().accumulators;
    verification_.require(lanes == 0 || std::has_single_bit(lanes), "the number of lanes is no power of two");
    verification_.require(
        lanes <= 1 || (!kernel.axes.empty() && may_have_lanes(kernel, verification_.tactics().vector_axis)),
        "lanes of a vector store to one element");
    verification_.require(std::has_single_bit(accumulators) && (accumulators == 1 || may_have_accumulators(kernel)),
                          "accumulators of what is no sum of several");
  }

  void check(const ContractionKernel& kernel) {
    verification_.require(!kernel.rows.empty() && !kernel.columns.empty() && !kernel.inner.empty(),
                          "a product has no rows, columns or inner axes");
    verification_.require(is_floating(kernel.dtype), "a product of what is no floating-point number");
    if (!verification_.is_good()) return;
    const Extents axes = axes_with(kernel, kernel.rows, kernel.columns);
    check_axes(verification_, axes);
    check_axes(verification_, kernel.inner);
    if (!verification_.is_good()) return;
    check_operand(kernel.a, axes_with(kernel, kernel.rows, kernel.inner), kernel.dtype);
    check_operand(kernel.b, axes_with(kernel, kernel.inner, kernel.columns), kernel.dtype);
    if (!verification_.is_good()) return;
    const std::vector<bool> reduced = summed_axes(kernel);
    check_values(verification_, kernel.epilogue, axes, 0, true);
    check_reductions(verification_, kernel.epilogue, kernel.sums, kernel.tail, axes);
    for (const Reduction& sum : kernel.sums) {
      verification_.require(sum.op == Op::reduce_sum && !sum.multiply_add, "a product adds up, or nothing");
    }
    verification_.require(
        kernel.sums.empty() ||
            (kernel.batch.empty() && verification_.tactics().form == CpuTactics::Form::columns && !kernel.one_column()),
        "sums of a product that has no rows side by side");
    if (verification_.is_good()) check_memory(kernel.epilogue, kernel.tail, axes, reduced);
    if (verification_.is_good()) check_operands_stay(verification_, kernel);
    if (verification_.is_good()) check_tactics(kernel);
  }

  void check_operand(const Operand& operand, const Extents& axes, DType dtype) {
    verification_.require(operand.body.stores.empty(), "an operand of a product stores something");
    check_values(verification_, operand.body, axes, 0, false);
    verification_.require(
        operand.value < operand.body.values.size() && operand.body.values[operand.value].dtype == dtype,
        "an operand of a product is no value of its type");
  }

  void check_tactics(const ContractionKernel& kernel) {
    const bool along_columns = verification_.tactics().form == CpuTactics::Form::columns;
    verification_.require(along_columns || may_dot(kernel), "dot products of what is not contiguous along k");
    verification_.require(!verification_.tactics().weights_in_groups || (along_columns && has_groups(kernel)),
                          "there are no groups of columns");
    const bool is_cut = verification_.tactics().tiling.has_value();
    const char* const wrong =
        is_cut ? wrong_tiling(kernel, verification_.tactics(), verification_.plan.max_batch) : nullptr;
    verification_.require(wrong == nullptr, wrong == nullptr ? "" : wrong);
    if (!verification_.tactics().rows_in_place) return;
    verification_.require(along_columns && kernel.batch.empty() && kernel.has_one_axis_each() && kernel.a.is_load() &&
                              verification_.plan.buffers[kernel.a.access().buffer].space == Space::input,
                          "rows in place of what is no input");
    verification_.require(!verification_.is_good() || kernel.a.access().at.repeat_strides.empty(),
                          "rows in place move along a repeat");
  }

  void check(const FiniteGuard& guard) {
    verification_.require(guard.buffer < verification_.plan.buffers.size(), "the guard has no buffer");
    verification_.require(verification_.repeats.empty(), "a guard stands in a repeat");
    if (!verification_.is_good()) return;
    const Buffer& buffer = verification_.plan.buffers[guard.buffer];
    verification_.require(buffer.space != Space::arena || verification_.written[guard.buffer],
                          "the guard comes before the loss");
    for (BufferId id = 0; id < verification_.plan.buffers.size(); ++id) {
      const Space space = verification_.plan.buffers[id].space;
      verification_.require(!verification_.written[id] || (space != Space::state && space != Space::accumulators),
                            "the state is written before the guard");
    }
  }

  void check(const Repeat& repeat) {
    const Kernel* const kernel = verification_.kernel;
    const std::size_t number = verification_.number;
    verification_.require(repeat.count >= 1 && repeat.count < kMostInPlan, "a repeat has no round, or too many");
    verification_.require(!repeat.steps.empty(), "a repeat has no steps");
    verification_.require(verification_.repeats.size() < kMostRepeats,
                          fmt::format("there are more than {} repeats around it", kMostRepeats));
    for (const BufferId buffer : repeat.carried)
      verification_.require(buffer < verification_.plan.buffers.size(), "a repeat carries no buffer");
    if (!verification_.is_good()) return;
    verification_.repeats.push_back(repeat.count);
    const std::vector<bool> before = verification_.written;
    check_steps(repeat.steps, number + 1);
    // Where a round takes places that it has found in use, the next one finds less.
    const auto is_lost = [](bool was, bool is) { return was && !is; };
    if (verification_.is_good() &&
        !std::equal(before.begin(), before.end(), verification_.written.begin(), std::not_fn(is_lost))) {
      check_steps(repeat.steps, number + 1);
    }
    verification_.kernel = kernel;
    verification_.number = number;
    if (verification_.is_good()) check_rounds(repeat);
    verification_.repeats.pop_back();
  }

  // What rounds of the innermost of those around leave for each other.
  void check_rounds(const Repeat& repeat) {
    const RepeatAccesses accesses(verification_.plan, repeat, verification_.repeats);
    const auto name = [&](BufferId buffer) { return verification_.plan.buffers[buffer].name; };
    const std::set<BufferId> found = accesses.read_of_earlier_rounds();
    const std::set<BufferId> carried(repeat.carried.begin(), repeat.carried.end());
    verification_.require(carried.size() == repeat.carried.size(), "a repeat carries a buffer twice");
    for (const BufferId buffer : found) {
      verification_.require(
          carried.contains(buffer),
          fmt::format("a round reads of '{}' what an earlier one has written: it is not carried", name(buffer)));
    }
    for (const BufferId buffer : carried) {
      verification_.require(
          found.contains(buffer),
          fmt::format("'{}' is carried: no round reads of it what an earlier one has written", name(buffer)));
    }
    for (const auto& [part, taker] : accesses.parts_in_use_elsewhere()) {
      verification_.require(
          false, fmt::format("'{}' lies where rounds have left their parts of '{}'", name(taker), name(part)));
    }
  }

  Verification verification_;
};

}  // namespace

Status verify(const KernelPlan& plan) { return Verifier(plan).run(); }

}  // namespace tarn
