// See native_plan.h.
#include "tests/support/compiler/native_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "codegen/program/workspace.h"
#include "passes/tactics/rows_in_place.h"
#include "passes/tactics/threads.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/guarded_arrays.h"
#include "tests/support/compiler/plan_text_support.h"

namespace tarn::testing {

namespace {

HostTensor read_buffer(const std::byte* base, const Buffer& buffer, std::int64_t batch) {
  HostTensor values{with_batch(buffer.shape, batch), {}};
  const std::vector<std::int64_t> dense = row_major_strides(values.shape);
  for (std::int64_t i = 0; i < element_count(values.shape); ++i) {
    std::int64_t element = 0;
    for (std::size_t axis = 0; axis < dense.size(); ++axis) {
      element += i / dense[axis] % values.shape[axis] * buffer.strides[axis];
    }
    values.data.push_back(read_element(base + static_cast<std::size_t>(element) * size_of(buffer.dtype), buffer.dtype));
  }
  return values;
}

// NaNs are the same, whatever their bits.
bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) {
    return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y) || (std::isnan(x) && std::isnan(y));
  });
}

}  // namespace

void expect_same_bits(const NativeRun& run, const NativeRun& expected, const std::string& what) {
  EXPECT_EQ(run.outcome, expected.outcome) << what;
  ASSERT_EQ(run.results.size(), expected.results.size()) << what;
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    EXPECT_TRUE(same_bits(run.results[i].data, expected.results[i].data)) << "result " << i << " " << what;
  }
  for (const auto& [name, values] : expected.tensors) {
    EXPECT_TRUE(same_bits(run.tensors.at(name).data, values.data)) << name << " " << what;
  }
}

namespace {

// What a run has for the state, the workspace, the arrays of inputs and those of regions that are apart.
class RunMemory {
 public:
  RunMemory(const HandPlan& hand, const std::vector<SpreadRegion>& regions, std::uint64_t workspace_bytes,
            std::uint64_t arena)
      : hand_(hand), regions_(regions), arena_(arena), state_(state_bytes(hand.program)), workspace_(workspace_bytes) {
    std::fill(state_.begin(), state_.end(), std::byte{0});
    std::fill_n(workspace_.begin(), metric_bytes(hand.program), std::byte{0});
  }

  void fill(const EvaluationContext& context, std::int64_t batch) {
    std::memcpy(state_.data() + offsetof(StateHeader, seed), &context.seed, sizeof(std::uint64_t));
    for (const TensorInfo& tensor : hand_.program.tensors) {
      const auto found = context.tensors.find(tensor.name);
      if (found != context.tensors.end()) write(base_of(tensor), tensor.type.dtype, found->second.data);
    }
    for (std::size_t i = 0; i < hand_.program.inputs.size() - regions_.size(); ++i) {
      const InputInfo& input = hand_.program.inputs[i];
      std::vector<double> values = context.inputs.at(input.name).data;
      values.resize(std::min(values.size(), static_cast<std::size_t>(batch * element_count(input.type.shape))));
      arrays_.emplace_back(values.size() * size_of(input.type.dtype));
      write(arrays_.back().data(), input.type.dtype, values);
    }
    for (const SpreadRegion& region : regions_) {
      arrays_.emplace_back(region.end - region.begin);
      if (const std::byte* const from = bytes_of(region.space); from != nullptr) {
        std::copy(from + region.begin, from + region.end, arrays_.back().begin());
      }
    }
  }

  std::byte* state() { return state_.data(); }
  std::byte* workspace() { return workspace_.data(); }
  std::vector<const void*> arrays() const {
    std::vector<const void*> pointers;
    for (const auto& array : arrays_) pointers.push_back(array.data());
    return pointers;
  }
  const std::byte* address_of(const Buffer& buffer) const {
    if (buffer.space == Space::input) return arrays_[buffer.index].data() + buffer.offset;
    return (buffer.space == Space::arena ? workspace_.data() + arena_ : bytes_of(buffer.space)) + buffer.offset;
  }
  HostTensor read(const TensorInfo& tensor) const {
    const Space space = space_of(tensor);
    const std::byte* from = bytes_of(space) + tensor.offset;
    for (const SpreadRegion& region : regions_) {
      if (region.space == space && region.begin == tensor.offset) from = arrays_[region.input].data();
    }
    HostTensor values{tensor.type.shape, {}};
    for (std::int64_t i = 0; i < element_count(tensor.type.shape); ++i) {
      const auto element = static_cast<std::size_t>(i) * size_of(tensor.type.dtype);
      values.data.push_back(read_element(from + element, tensor.type.dtype));
    }
    return values;
  }

 private:
  static Space space_of(const TensorInfo& tensor) {
    return tensor.kind == TensorKind::metric ? Space::accumulators : Space::state;
  }
  std::byte* base_of(const TensorInfo& tensor) {
    return (space_of(tensor) == Space::state ? state_.data() : workspace_.data()) + tensor.offset;
  }
  // Of the spaces whose bytes a run starts with.
  const std::byte* bytes_of(Space space) const {
    if (space == Space::state) return state_.data();
    if (space == Space::accumulators) return workspace_.data();
    return space == Space::constants ? hand_.plan.constants.data() : nullptr;
  }
  static void write(std::byte* to, DType dtype, const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) write_element(to + i * size_of(dtype), dtype, values[i]);
  }

  const HandPlan& hand_;
  const std::vector<SpreadRegion>& regions_;
  std::uint64_t arena_;
  GuardedVector<std::byte> state_, workspace_;
  std::vector<GuardedVector<std::byte>> arrays_;
};

}  // namespace

NativePlan::NativePlan(const HandPlan& hand, const CodegenOptions& options, std::string function, Memory memory)
    : hand_(hand), function_(std::move(function)) {
  if (memory == Memory::apart) {
    CostModel costs;
    costs.shared_time = 0;
    costs.shared_points = costs.shared_columns = 2;
    costs.shared_rows = 64;
    costs.long_sample = 1;
    split_among_threads(hand_.plan, Target{}, costs);
    read_rows_in_place(hand_.plan, Target{}, costs);
    const Status valid = verify(hand_.plan);
    EXPECT_TRUE(valid.has_value()) << valid.error().front().message;
    // `init` is given no arrays.
    if (function_ != "init") regions_ = spread_buffers(hand_.program, hand_.plan);
  }
  const Result<Target> target = target_of(options);
  EXPECT_TRUE(target.has_value());
  if (!target.has_value()) return;
  choose_tilings(hand_.plan, *target);
  expect_reads_back(hand_.plan);
  ProgramPlan plans;
  plans.plans[function_] = hand_.plan;
  plans.accumulator_bytes = aligned(metric_bytes(hand_.program));
  auto compiled = compile_native(hand_.program, plans, options, {function_});
  EXPECT_TRUE(compiled.has_value()) << compiled.error().front().message;
  if (!compiled.has_value()) return;
  native_ = std::move(*compiled);
  arena_ = workspace_layout(hand_.program, plans, *target).arena;
}

NativeRun NativePlan::run(const EvaluationContext& context, std::int64_t batch, int parts) const {
  if (native_ == nullptr) return {};
  const auto guarded_at = [&](test::GuardedEnd end) {
    const GuardAt guard(end);
    return run_once(context, batch, parts);
  };
  NativeRun run = guarded_at(test::GuardedEnd::back);
  expect_same_bits(guarded_at(test::GuardedEnd::front), run, "where buffers lie elsewhere");
  return run;
}

NativeRun NativePlan::run_once(const EvaluationContext& context, std::int64_t batch, int parts) const {
  RunMemory memory(hand_, regions_, native_->workspace_bytes(parts), arena_);
  memory.fill(context, batch);
  const std::vector<const void*> arrays = memory.arrays();
  Control control;
  control.first_sample = context.first_sample;
  control.threads = parts;
  control.parallel_for = [](void* /*context*/, std::size_t count, void (*body)(void*, std::size_t), void* argument) {
    while (count > 0) body(argument, --count);
  };
  NativeRun run;
  if (function_ == "init") {
    native_->init()(memory.state(), memory.workspace());
  } else {
    const auto entry = function_ == "train" ? native_->train() : native_->adapt();
    run.outcome = static_cast<Outcome>(
        entry(memory.state(), memory.workspace(), arrays.data(), nullptr, static_cast<std::uint64_t>(batch), &control));
  }
  for (const PlanResult& result : hand_.plan.results) {
    const Buffer& buffer = hand_.plan.buffers[result.buffer];
    run.results.push_back(read_buffer(memory.address_of(buffer), buffer, batch));
  }
  for (const TensorInfo& tensor : hand_.program.tensors) run.tensors[tensor.name] = memory.read(tensor);
  return run;
}

NativeRun run_native(const HandPlan& hand, const CodegenOptions& options, std::int64_t batch,
                     const std::string& function) {
  NativeRun together = NativePlan(hand, options, function).run(hand.context, batch);
  const NativePlan apart(hand, options, function, NativePlan::Memory::apart);
  for (const int parts : {1, 2, 3, 8}) {
    expect_same_bits(apart.run(hand.context, batch, parts), together,
                     "in " + std::to_string(parts) + " parts, " + options.cpu + ", batch " + std::to_string(batch));
  }
  return together;
}

}  // namespace tarn::testing
