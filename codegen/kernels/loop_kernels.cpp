// Loop kernels to loops. See loop_kernels.h.
#include "codegen/kernels/loop_kernels.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "codegen/kernels/bodies.h"
#include "codegen/kernels/loops.h"
#include "codegen/kernels/reductions.h"
#include "codegen/kernels/scalar_emitters.h"
#include "codegen/kernels/transpose.h"
#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

namespace {

class LoopKernelEmitter {
 public:
  LoopKernelEmitter(KernelFunction& function, const LoopKernel& kernel)
      : function_(function), builder_(function.builder), kernel_(kernel) {}

  void emit();

 private:
  void order_axes();
  void take_lanes();
  void find_single_rest();
  void make_reductions();
  bool is_vector(std::size_t axis) const { return nest_.vector_axis == static_cast<int>(axis); }
  bool is_empty(bool reduced) const;
  void set_index(std::size_t axis, llvm::Value* index, llvm::Value* mask);
  void emit_kept(std::size_t level);
  Range kept_range(std::size_t axis) const;
  bool leaves_single_points(std::size_t axis) const;
  void emit_groups_and_rest(std::size_t level, const Range& range, const VectorLoopBody& group);
  // The same kernel without vectors, at indices `rest` of the level's axis and those of `outer` of the axes before it.
  void emit_single_points(std::size_t level, const Range& rest, const Nest& outer);
  void with_bodies(const std::function<void()>& action);
  void emit_points();
  Carried emit_reduced(std::size_t level, Carried carried);
  Carried emit_split_loop(std::size_t level, const Range& range, Carried carried);
  // The reductions of one point into accumulator set number `set`.
  Carried accumulate(Carried carried, std::size_t set);
  Carried identities(unsigned lanes) const;
  std::vector<llvm::Value*> reduced_values(const Carried& carried);
  llvm::Value* position_along_reduced();

  KernelFunction& function_;
  llvm::IRBuilder<>& builder_;
  const LoopKernel& kernel_;
  std::vector<std::size_t> order_;  // axes, outermost first
  std::size_t vector_axis_ = 0;
  std::size_t kept_ = 0;         // how many of them are not reduced
  bool vector_reduced_ = false;  // the vector axis is one of the reduced: the tail is scalar
  Nest nest_, tail_nest_;
  bool single_rest_ = false;  // what is left of groups of samples is computed one by one
  std::size_t accumulators_ = 1;
  std::vector<ReductionEmitter> reductions_;
  std::vector<llvm::Value*> results_;
  BodyEmitter* body_ = nullptr;
  BodyEmitter* tail_ = nullptr;
  std::optional<Range> share_;  // of the axis that threads share
};

void LoopKernelEmitter::order_axes() {
  vector_axis_ = function_.tactics.vector_axis;
  TARN_CHECK(kernel_.axes.empty() || keeps_order(kernel_, vector_axis_), "lanes that meet points in another order");
  // Kept axes, then reduced ones; in each group the vector axis last.
  const auto rank = [&](std::size_t axis) { return std::tuple(kernel_.reduced[axis], axis == vector_axis_, axis); };
  for (std::size_t axis = 0; axis < kernel_.axes.size(); ++axis) order_.push_back(axis);
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  kept_ = static_cast<std::size_t>(std::count(kernel_.reduced.begin(), kernel_.reduced.end(), false));
  nest_.level_of_axis.resize(order_.size());
  for (std::size_t level = 0; level < order_.size(); ++level)
    nest_.level_of_axis[order_[level]] = static_cast<int>(level);
  nest_.depth = static_cast<int>(order_.size());
  nest_.index.resize(order_.size());
  tail_nest_ = nest_;
  // The level behind the kept axes is that of the results.
  tail_nest_.depth = static_cast<int>(kept_) + 1;
  for (int& level : tail_nest_.level_of_axis) level = level < static_cast<int>(kept_) ? level : -1;
}

void LoopKernelEmitter::make_reductions() {
  for (const Reduction& reduction : kernel_.reductions) {
    reductions_.emplace_back(function_.emission, builder_, reduction, kernel_.body.values[reduction.value].dtype);
  }
}

void LoopKernelEmitter::take_lanes() {
  const CpuTactics& tactics = function_.tactics;
  TARN_CHECK(tactics.lanes > 0, "nobody has chosen how many lanes a loop has");
  accumulators_ = tactics.accumulators;
  TARN_CHECK(accumulators_ == 1 || (kept_ < order_.size() && may_have_accumulators(kernel_)),
             "accumulators of what is no sum of several");
  if (order_.empty()) return;
  vector_reduced_ = kernel_.reduced[vector_axis_];
  // Lanes of a kept axis are independent: without vectors the bits are the same.
  nest_.lanes = vector_reduced_ || !function_.emission.small ? tactics.lanes : 1;
  if (nest_.lanes == 1) return;
  TARN_CHECK(may_have_lanes(kernel_, vector_axis_), "lanes that store to one element");
  nest_.vector_axis = static_cast<int>(vector_axis_);
  if (!vector_reduced_) tail_nest_.vector_axis = nest_.vector_axis;
  if (!vector_reduced_) tail_nest_.lanes = nest_.lanes;
}

// With the lanes that there are: what is left of groups of samples may go one by one.
void LoopKernelEmitter::find_single_rest() {
  const BodyAnalysis body = analyze(kernel_.body, nest_, values_of(kernel_.reductions), 0, true);
  const BodyAnalysis tail = analyze(kernel_.tail, tail_nest_, {}, 0, !vector_reduced_);
  const bool many_apart = has_many_apart(kernel_.body, body, nest_.vector_axis) ||
                          has_many_apart(kernel_.tail, tail, tail_nest_.vector_axis);
  single_rest_ =
      function_.emission.machine.single_rest || (many_apart && !function_.emission.machine.target.has_masks());
}

bool LoopKernelEmitter::is_empty(bool reduced) const {
  for (std::size_t axis = 0; axis < order_.size(); ++axis) {
    if (kernel_.reduced[axis] == reduced && kernel_.axes[axis].constant == 0) return true;
  }
  return false;
}

void LoopKernelEmitter::set_index(std::size_t axis, llvm::Value* index, llvm::Value* mask) {
  nest_.index[axis] = tail_nest_.index[axis] = index;
  if (!is_vector(axis)) return;
  nest_.mask = mask;
  if (!vector_reduced_) tail_nest_.mask = mask;
}

void LoopKernelEmitter::emit() {
  order_axes();
  take_lanes();
  find_single_rest();
  if (is_empty(false)) return;
  make_reductions();
  if (const auto& split = function_.tactics.split) share_ = own_range(function_, kernel_, split->axis);
  with_bodies([&] {
    if (!is_empty(true)) body_->emit_level(-1);
    tail_->emit_level(-1);
    emit_kept(0);
  });
}

void LoopKernelEmitter::with_bodies(const std::function<void()>& action) {
  BodyEmitter body(function_, kernel_.body, nest_,
                   analyze(kernel_.body, nest_, values_of(kernel_.reductions), 0, false));
  BodyEmitter tail(function_, kernel_.tail, tail_nest_,
                   analyze(kernel_.tail, tail_nest_, {}, static_cast<int>(kept_), tail_nest_.lanes > 1));
  tail.result = [this](const Value& value) { return results_[value.reduction]; };
  body_ = &body;
  tail_ = &tail;
  action();
}

void LoopKernelEmitter::emit_kept(std::size_t level) {
  if (level == kept_) {
    emit_points();
    return;
  }
  const std::size_t axis = order_[level];
  const auto body = [&](llvm::Value* index, llvm::Value* mask, const Carried&) {
    set_index(axis, index, mask);
    if (!is_empty(true)) body_->emit_level(static_cast<int>(level));
    tail_->emit_level(static_cast<int>(level));
    emit_kept(level + 1);
    return Carried{};
  };
  const Range range = kept_range(axis);
  if (leaves_single_points(axis)) {
    emit_groups_and_rest(level, range, body);
  } else if (level + 1 == order_.size() && (is_vector(axis) || nest_.lanes == 1)) {
    emit_bounded_loop(function_.emission, builder_, *body_, nest_, range, body);
  } else {
    emit_vector_loop(function_.emission, builder_, range, is_vector(axis) ? nest_.lanes : 1, {}, body);
  }
}

Range LoopKernelEmitter::kept_range(std::size_t axis) const {
  return share_ && function_.tactics.split->axis == axis ? *share_ : range_of(function_, kernel_.axes[axis]);
}

bool LoopKernelEmitter::leaves_single_points(std::size_t axis) const {
  const Extent& extent = kernel_.axes[axis];
  return single_rest_ && is_vector(axis) && extent.times_batch && extent.constant % nest_.lanes != 0;
}

void LoopKernelEmitter::emit_groups_and_rest(std::size_t level, const Range& range, const VectorLoopBody& group) {
  const unsigned lanes = nest_.lanes;
  llvm::Value* const whole_end = builder_.CreateAnd(range.end, function_.integer(-std::int64_t{lanes}));
  const Range whole = {range.begin, whole_end, 0, lanes};
  emit_if(builder_, builder_.CreateICmpNE(whole_end, range.begin), {},
          [&](const Carried&) { return emit_vector_loop(function_.emission, builder_, whole, lanes, {}, group); });
  emit_if(builder_, builder_.CreateICmpNE(whole_end, range.end), {}, [&](const Carried&) {
    LoopKernelEmitter(function_, kernel_).emit_single_points(level, {whole_end, range.end}, nest_);
    return Carried{};
  });
}

void LoopKernelEmitter::emit_single_points(std::size_t level, const Range& rest, const Nest& outer) {
  order_axes();
  accumulators_ = function_.tactics.accumulators;
  make_reductions();
  with_bodies([&] {
    const auto enter = [&](int at) {
      if (!is_empty(true)) body_->emit_level(at);
      tail_->emit_level(at);
    };
    enter(-1);
    for (std::size_t at = 0; at < level; ++at) {
      set_index(order_[at], outer.index[order_[at]], nullptr);
      enter(static_cast<int>(at));
    }
    emit_loop(builder_, rest, 1, {}, [&](llvm::Value* index, const Carried&) {
      set_index(order_[level], index, nullptr);
      enter(static_cast<int>(level));
      emit_kept(level + 1);
      return Carried{};
    });
  });
}

void LoopKernelEmitter::emit_points() {
  if (kept_ == order_.size() && kernel_.reductions.empty()) {
    body_->emit_stores();
    return;
  }
  Carried carried;
  for (std::size_t set = 0; set < accumulators_; ++set) {
    const Carried more = identities(nest_.lanes);
    carried.insert(carried.end(), more.begin(), more.end());
  }
  if (!is_empty(true)) carried = emit_reduced(kept_, std::move(carried));
  results_ = reduced_values(carried);
  tail_->emit_level(static_cast<int>(kept_));
  tail_->emit_stores();
}

Carried LoopKernelEmitter::emit_reduced(std::size_t level, Carried carried) {
  if (level == order_.size()) {
    carried = accumulate(std::move(carried), 0);
    body_->emit_stores();
    return carried;
  }
  const std::size_t axis = order_[level];
  const Range range = range_of(function_, kernel_.axes[axis]);
  if (level + 1 == order_.size() && accumulators_ > 1) return emit_split_loop(level, range, std::move(carried));
  const auto step = [&](llvm::Value* index, llvm::Value* mask, const Carried& values) {
    set_index(axis, index, mask);
    body_->emit_level(static_cast<int>(level));
    return emit_reduced(level + 1, values);
  };
  if (level + 1 == order_.size() && range.count > 0 && range.count <= kCosts.straight_steps && !is_vector(axis) &&
      nest_.lanes > 1 && kernel_.body.values.size() <= kCosts.small_loop_body && !has_long_chains(kernel_.body)) {
    for (std::int64_t index = 0; index < range.count; ++index) {
      carried = step(function_.integer(index), nullptr, carried);
    }
    return carried;
  }
  return emit_vector_loop(function_.emission, builder_, range, is_vector(axis) ? nest_.lanes : 1, std::move(carried),
                          step);
}

// Groups of as many steps as there are accumulators, each step into its own, then the steps that are left into the
// first.
Carried LoopKernelEmitter::emit_split_loop(std::size_t level, const Range& range, Carried carried) {
  const std::size_t axis = order_[level];
  const unsigned lanes = is_vector(axis) ? nest_.lanes : 1;
  const std::int64_t group = static_cast<std::int64_t>(accumulators_) * lanes;
  llvm::Value* const whole_end = builder_.CreateAnd(range.end, function_.integer(-group));
  const auto step = [&](llvm::Value* index, llvm::Value* mask, Carried values, std::size_t set) {
    set_index(axis, index, mask);
    body_->emit_level(static_cast<int>(level));
    return accumulate(std::move(values), set);
  };
  const auto groups = [&](const Carried& values) {
    const Range whole = {range.begin, whole_end, range.count / group * group, group};
    return emit_loop(builder_, whole, group, values, [&](llvm::Value* index, Carried inner) {
      for (std::size_t set = 0; set < accumulators_; ++set) {
        llvm::Value* const at = builder_.CreateAdd(index, function_.integer(static_cast<std::int64_t>(set * lanes)));
        inner = step(at, nullptr, std::move(inner), set);
      }
      return inner;
    });
  };
  const auto rest = [&](const Carried& values) {
    const Range left = {whole_end, range.end, range.count % group, range.multiple % lanes == 0 ? lanes : 1};
    return emit_vector_loop(
        function_.emission, builder_, left, lanes, values,
        [&](llvm::Value* index, llvm::Value* mask, const Carried& inner) { return step(index, mask, inner, 0); });
  };
  if (range.count > 0) {
    carried = groups(carried);
    return range.count % group == 0 ? carried : rest(carried);
  }
  carried = emit_if(builder_, builder_.CreateICmpNE(whole_end, function_.integer(0)), carried, groups);
  return range.multiple % group == 0 ? carried
                                     : emit_if(builder_, builder_.CreateICmpNE(whole_end, range.end), carried, rest);
}

// The row-major position along the reduced axes, as an i32 in every lane.
llvm::Value* LoopKernelEmitter::position_along_reduced() {
  llvm::Value* position = function_.integer(0);
  for (std::size_t axis = 0; axis < order_.size(); ++axis) {
    if (!kernel_.reduced[axis]) continue;
    position = builder_.CreateMul(position, function_.extent(kernel_.axes[axis]));
    position = builder_.CreateAdd(position, nest_.index[axis]);
  }
  llvm::Value* const narrow = builder_.CreateTrunc(position, builder_.getInt32Ty());
  if (nest_.lanes == 1 || !vector_reduced_) return widen(builder_, narrow, nest_.lanes);
  std::vector<llvm::Constant*> numbers;
  for (unsigned lane = 0; lane < nest_.lanes; ++lane) numbers.push_back(builder_.getInt32(lane));
  return builder_.CreateAdd(widen(builder_, narrow, nest_.lanes), llvm::ConstantVector::get(numbers));
}

Carried LoopKernelEmitter::accumulate(Carried carried, std::size_t set) {
  std::size_t width = 0;
  for (const ReductionEmitter& reduction : reductions_) width += reduction.width();
  std::size_t at = set * width;
  for (std::size_t i = 0; i < reductions_.size(); ++i) {
    const ReductionEmitter& reduction = reductions_[i];
    const auto first = carried.begin() + static_cast<std::ptrdiff_t>(at);
    const Carried old(first, first + static_cast<std::ptrdiff_t>(reduction.width()));
    llvm::Value* const index = reduction.finds_index() ? position_along_reduced() : nullptr;
    // Lanes of a kept axis that do not exist do no harm: nothing of them is stored.
    const ValueId id = kernel_.reductions[i].value;
    llvm::Value* const mask = vector_reduced_ ? nest_.mask : nullptr;
    const auto factor = [&](std::size_t number) { return body_->vector(kernel_.body.values[id].operands[number]); };
    const Carried next = reduction.is_fused() ? reduction.multiply_add(old, factor(0), factor(1), mask)
                                              : reduction.update(old, body_->vector(id), index, mask);
    std::copy(next.begin(), next.end(), first);
    at += reduction.width();
  }
  return carried;
}

Carried LoopKernelEmitter::identities(unsigned lanes) const {
  Carried all;
  for (const ReductionEmitter& reduction : reductions_) {
    const Carried one = reduction.identity(lanes);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::vector<llvm::Value*> LoopKernelEmitter::reduced_values(const Carried& carried) {
  const std::size_t width = carried.size() / accumulators_;
  std::vector<llvm::Value*> results;
  std::size_t at = 0;
  for (const ReductionEmitter& reduction : reductions_) {
    std::vector<Carried> sets;
    for (std::size_t set = 0; set < accumulators_; ++set) {
      const auto first = carried.begin() + static_cast<std::ptrdiff_t>(set * width + at);
      sets.emplace_back(first, first + static_cast<std::ptrdiff_t>(reduction.width()));
    }
    // (0 + 1) + (2 + 3)
    for (; sets.size() > 1; sets.resize(sets.size() / 2)) {
      for (std::size_t i = 0; i < sets.size() / 2; ++i) sets[i] = reduction.combine(sets[2 * i], sets[2 * i + 1]);
    }
    Carried whole = sets.front();
    if (vector_reduced_) whole = reduction.across_lanes(std::move(whole));
    results.push_back(reduction.result(whole));
    at += reduction.width();
  }
  return results;
}

}  // namespace

void emit_loop_kernel(KernelFunction& function, const LoopKernel& kernel) {
  TARN_CHECK(function.tactics.copy != CpuTactics::Copy::of_samples, "samples are copied by another emitter");
  if (function.tactics.copy == CpuTactics::Copy::by_squares) return emit_transposing_copy(function, kernel);
  LoopKernelEmitter(function, kernel).emit();
}

}  // namespace tarn
