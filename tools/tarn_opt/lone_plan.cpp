// See lone_plan.h.
#include "tools/tarn_opt/lone_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "ir/joined.h"
#include "passes/plan/interpreter.h"

namespace tarn {
namespace {

Type sample_type(DType dtype, Shape shape) {
  if (has_batch(shape)) shape.erase(shape.begin());
  return {dtype, true, std::move(shape)};
}

class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed) {}

  HostTensor tensor(DType dtype, const Shape& shape) {
    HostTensor result{shape, {}};
    for (std::int64_t i = element_count(shape); i > 0; --i) result.data.push_back(number(dtype));
    return result;
  }

 private:
  double number(DType dtype) {
    const auto bits = static_cast<double>(random_() >> 11U);  // of 53
    const double unit = bits / 9007199254740992.0;
    switch (dtype) {
      case DType::f32:
        return static_cast<double>(static_cast<float>(2 * unit - 1));
      case DType::f64:
        return 2 * unit - 1;
      case DType::i32:
        return static_cast<double>(static_cast<int>(10 * unit));
      case DType::boolean:
        return unit < 0.5 ? 0 : 1;
    }
    return 0;
  }

  std::mt19937_64 random_;
};

// A tensor for each buffer of the state or the accumulators, with the buffer's name and place; an input for each array.
Program program_of(const KernelPlan& plan) {
  Program program;
  program.settings.batch = plan.max_batch;
  std::set<std::string> names;
  for (BufferId id = 0; id < plan.buffers.size(); ++id) {
    const Buffer& buffer = plan.buffers[id];
    const std::string name = names.insert(buffer.name).second ? buffer.name : fmt::format("{}${}", buffer.name, id);
    if (buffer.space == Space::state || buffer.space == Space::accumulators) {
      TensorInfo tensor;
      tensor.name = name;
      tensor.kind = buffer.space == Space::state ? TensorKind::parameter : TensorKind::metric;
      tensor.type = {buffer.dtype, false, buffer.shape};
      tensor.offset = buffer.offset;
      program.tensors.push_back(std::move(tensor));
    } else if (buffer.space == Space::input) {
      while (program.inputs.size() <= buffer.index) program.inputs.push_back({});
      InputInfo& input = program.inputs[buffer.index];
      if (!input.name.empty()) continue;
      input.name = name;
      input.type = sample_type(buffer.dtype, buffer.shape);
    }
  }
  return program;
}

// A run takes memory for all of this.
Status check_size(const KernelPlan& plan) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 28;
  std::uint64_t bytes = plan.arena_bytes;
  for (const Buffer& buffer : plan.buffers) {
    constexpr std::uint32_t kMostArrays = 1000;
    if (buffer.index >= kMostArrays) return error(fmt::format("a run has at most {} arrays", kMostArrays));
    if (buffer.space == Space::arena) continue;
    bytes += buffer.offset + bytes_of(buffer, plan.max_batch);
  }
  if (bytes > kMostBytes) return error(fmt::format("a run would take more than {} MiB", kMostBytes >> 20U));
  constexpr double kMostWork = 1e9;
  double work = 0;
  for (const Kernel& kernel : plan.kernels) work += cost_of(plan, kernel).flops + cost_of(plan, kernel).bytes;
  // To begin a kernel takes as long as a hundred numbers.
  for (const KernelRuns& kernel : numbered_kernels(plan)) work += 100 * kernel.runs;
  if (work > kMostWork) return error("a run one point after the other would take too long");
  return Done{};
}

std::string result_text(const PlanResult& result, const HostTensor& value) {
  constexpr std::size_t kShown = 8;
  const std::size_t shown = std::min(value.data.size(), kShown);
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < shown; ++i) numbers.push_back(fmt::format("{}", value.data[i]));
  return fmt::format("{} \"{}\" {} = {}{}\n", name_of(result.kind), result.name, to_string(value.shape),
                     joined(numbers, ", "), shown < value.data.size() ? ", …" : "");
}

}  // namespace

Result<std::string> run_on_drawn_numbers(const KernelPlan& plan, std::int64_t batch, std::uint64_t seed) {
  if (batch < 1 || batch > plan.max_batch) {
    return error(fmt::format("the plan takes 1 to {} samples, not {}", plan.max_batch, batch));
  }
  TARN_RETURN_IF_ERROR(check_size(plan));
  const Program program = program_of(plan);
  EvaluationContext context;
  context.batch = batch;
  context.seed = seed;
  Drawn drawn(seed);
  for (const TensorInfo& tensor : program.tensors) {
    context.tensors[tensor.name] = drawn.tensor(tensor.type.dtype, tensor.type.shape);
  }
  for (const InputInfo& input : program.inputs) {
    Shape shape = input.type.shape;
    shape.insert(shape.begin(), batch);
    context.inputs[input.name] = drawn.tensor(input.type.dtype, shape);
  }
  TARN_TRY(const PlanOutcome outcome, interpret(plan, program, context));
  if (outcome.stopped) return std::string("the step ended at its guard\n");
  std::string text;
  for (std::size_t i = 0; i < outcome.results.size(); ++i) text += result_text(plan.results[i], outcome.results[i]);
  if (outcome.kept_old) text += "what is not finite was not stored\n";
  return text;
}

}  // namespace tarn
