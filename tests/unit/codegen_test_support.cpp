// See codegen_test_support.h.
#include "tests/unit/codegen_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "codegen/workspace.h"
#include "passes/plan_interpreter.h"
#include "passes/rows_in_place.h"
#include "passes/threading.h"

namespace tarn::testing {

namespace {

void write_element(std::byte* to, DType dtype, double value) {
  const auto put = [&](auto typed) { std::memcpy(to, &typed, sizeof(typed)); };
  switch (dtype) {
    case DType::f32:
      return put(static_cast<float>(value));
    case DType::f64:
      return put(value);
    case DType::i32:
      return put(static_cast<std::int32_t>(value));
    case DType::boolean:
      return put(static_cast<std::uint8_t>(value != 0));
  }
}

double read_element(const std::byte* from, DType dtype) {
  const auto get = [&](auto typed) {
    std::memcpy(&typed, from, sizeof(typed));
    return static_cast<double>(typed);
  };
  switch (dtype) {
    case DType::f32:
      return get(float{});
    case DType::f64:
      return get(double{});
    case DType::i32:
      return get(std::int32_t{});
    case DType::boolean:
      return get(std::uint8_t{});
  }
  return 0;
}

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

// 64-byte aligned memory with a guard behind it that a run must leave alone.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t size) : size_(size), storage_(size + 128 + kGuard, std::byte{0xA5}) {
    data_ = storage_.data() + (-reinterpret_cast<std::uintptr_t>(storage_.data()) & 63U);
    std::fill(data_, data_ + size, std::byte{0});
  }
  std::byte* data() { return data_; }
  bool intact() const {
    return std::all_of(data_ + size_, data_ + size_ + kGuard, [](std::byte b) { return b == std::byte{0xA5}; });
  }

 private:
  static constexpr std::size_t kGuard = 256;
  std::size_t size_;
  std::vector<std::byte> storage_;
  std::byte* data_;
};

Shape sample_shape(const Shape& shape) { return has_batch(shape) ? Shape(shape.begin() + 1, shape.end()) : shape; }

}  // namespace

HandPlan::HandPlan(std::int64_t max_batch) {
  plan.max_batch = max_batch;
  program.name = "test";
  program.settings.batch = max_batch;
}

BufferId HandPlan::input(DType dtype, const Shape& shape, std::vector<double> values) {
  const auto index = static_cast<std::uint32_t>(program.inputs.size());
  InputInfo info;
  info.name = "input" + std::to_string(index);
  info.type = {dtype, true, sample_shape(shape)};
  context.inputs[info.name] = {with_batch(shape, plan.max_batch), std::move(values)};
  plan.buffers.push_back({info.name, Space::input, index, 0, dtype, shape, row_major_strides(shape)});
  program.inputs.push_back(std::move(info));
  return static_cast<BufferId>(plan.buffers.size() - 1);
}

BufferId HandPlan::tensor(const std::string& name, DType dtype, const Shape& shape, std::vector<double> values) {
  TensorInfo info;
  info.name = name;
  info.type = {dtype, false, shape};
  program.tensors.push_back(std::move(info));
  assign_offsets(program);
  context.tensors[name] = {shape, std::move(values)};
  plan.buffers.push_back(
      {name, Space::state, 0, program.tensors.back().offset, dtype, shape, row_major_strides(shape)});
  return static_cast<BufferId>(plan.buffers.size() - 1);
}

BufferId HandPlan::constant(DType dtype, const Shape& shape, const std::vector<double>& values) {
  const std::size_t offset = aligned(plan.constants.size());
  plan.constants.resize(offset + values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    write_element(&plan.constants[offset + i * size_of(dtype)], dtype, values[i]);
  }
  plan.buffers.push_back({"constant", Space::constants, 0, offset, dtype, shape, row_major_strides(shape)});
  return static_cast<BufferId>(plan.buffers.size() - 1);
}

BufferId HandPlan::result(DType dtype, const Shape& shape) {
  const auto elements = static_cast<std::uint64_t>(element_count(with_batch(shape, plan.max_batch)));
  plan.buffers.push_back({"result", Space::arena, 0, plan.arena_bytes, dtype, shape, row_major_strides(shape)});
  plan.arena_bytes += aligned(elements * size_of(dtype));
  const auto id = static_cast<BufferId>(plan.buffers.size() - 1);
  plan.results.push_back({ResultKind::output, "result" + std::to_string(plan.results.size()), id});
  return id;
}

void HandPlan::add(KernelBody kernel, std::string name) {
  plan.kernels.push_back({std::move(name), std::move(kernel)});
}

Linear row_major(const Shape& shape) { return {row_major_strides(shape), 0}; }

Access at(BufferId buffer, std::vector<std::int64_t> strides, std::int64_t offset) {
  Access access;
  access.buffer = buffer;
  access.at = {std::move(strides), offset};
  return access;
}

Value load(BufferId buffer, std::vector<std::int64_t> strides, DType dtype, std::int64_t offset) {
  Value value = simple(Value::Kind::load, dtype);
  value.access = at(buffer, std::move(strides), offset);
  return value;
}

Value operation(Op op, DType dtype, std::vector<ValueId> operands) {
  Value value = simple(Value::Kind::operation, dtype);
  value.op = op;
  value.operands = std::move(operands);
  return value;
}

Value number(double number, DType dtype) {
  Value value = simple(Value::Kind::constant, dtype);
  value.number = number;
  return value;
}

Value simple(Value::Kind kind, DType dtype) {
  Value value;
  value.kind = kind;
  value.dtype = dtype;
  return value;
}

NativePlan::NativePlan(const HandPlan& hand, const CodegenOptions& options, std::string function, bool shared)
    : hand_(hand), function_(std::move(function)) {
  ProgramPlan plans;
  plans.plans[function_] = hand.plan;
  if (shared) {
    split_among_threads(plans.plans[function_], {0, 2, 64, 2});
    read_rows_in_place(plans.plans[function_], 1);
    const Status valid = verify(plans.plans[function_]);
    EXPECT_TRUE(valid.has_value()) << valid.error().front().message;
  }
  plans.accumulator_bytes = aligned(metric_bytes(hand.program));
  const Result<Target> target = target_of(options);
  EXPECT_TRUE(target.has_value());
  auto compiled = compile_native(hand.program, plans, options, {function_});
  EXPECT_TRUE(compiled.has_value()) << compiled.error().front().message;
  if (!compiled.has_value() || !target.has_value()) return;
  native_ = std::move(*compiled);
  arena_ = workspace_layout(hand.program, plans, *target).arena;
}

namespace {

// NaNs are the same, whatever their bits.
bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) {
    return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y) || (std::isnan(x) && std::isnan(y));
  });
}

}  // namespace

NativeRun run_native(const HandPlan& hand, const CodegenOptions& options, std::int64_t batch,
                     const std::string& function) {
  NativeRun alone = NativePlan(hand, options, function).run(hand.context, batch);
  const NativePlan shared(hand, options, function, /*shared=*/true);
  for (const int parts : {1, 2, 3, 8}) {
    const NativeRun run = shared.run(hand.context, batch, parts);
    EXPECT_EQ(run.outcome, alone.outcome);
    EXPECT_EQ(run.results.size(), alone.results.size());
    for (std::size_t i = 0; i < std::min(run.results.size(), alone.results.size()); ++i) {
      EXPECT_TRUE(same_bits(run.results[i].data, alone.results[i].data))
          << "result " << i << " in " << parts << " parts, " << options.cpu << ", batch " << batch;
    }
    for (const auto& [name, values] : alone.tensors) {
      EXPECT_TRUE(same_bits(run.tensors.at(name).data, values.data))
          << name << " in " << parts << " parts, " << options.cpu << ", batch " << batch;
    }
  }
  return alone;
}

NativeRun NativePlan::run(const EvaluationContext& context, std::int64_t batch, int parts) const {
  if (native_ == nullptr) return {};
  GuardedBytes state(state_bytes(hand_.program)), workspace(native_->workspace_bytes(parts));
  std::memcpy(state.data() + offsetof(StateHeader, seed), &context.seed, sizeof(std::uint64_t));
  for (const TensorInfo& tensor : hand_.program.tensors) {
    std::byte* const base = (tensor.kind == TensorKind::metric ? workspace.data() : state.data()) + tensor.offset;
    const auto found = context.tensors.find(tensor.name);
    if (found == context.tensors.end()) continue;
    const std::vector<double>& values = found->second.data;
    for (std::size_t i = 0; i < values.size(); ++i) {
      write_element(base + i * size_of(tensor.type.dtype), tensor.type.dtype, values[i]);
    }
  }
  // Inputs end where their memory ends, so that address sanitizers see reads beyond.
  std::vector<std::vector<std::byte>> arrays;
  std::vector<const void*> pointers;
  for (const InputInfo& input : hand_.program.inputs) {
    const std::vector<double>& values = context.inputs.at(input.name).data;
    const std::size_t size = size_of(input.type.dtype);
    std::vector<std::byte> bytes(values.size() * size);
    for (std::size_t i = 0; i < values.size(); ++i) write_element(&bytes[i * size], input.type.dtype, values[i]);
    arrays.push_back(std::move(bytes));
    pointers.push_back(arrays.back().data());
  }
  Control control;
  control.first_sample = context.first_sample;
  control.threads = parts;
  control.parallel_for = [](void* /*context*/, std::size_t count, void (*body)(void*, std::size_t), void* argument) {
    while (count > 0) body(argument, --count);
  };
  NativeRun run;
  if (function_ == "init") {
    native_->init()(state.data(), workspace.data());
  } else {
    const auto entry = function_ == "train" ? native_->train() : native_->adapt();
    run.outcome = static_cast<Outcome>(
        entry(state.data(), workspace.data(), pointers.data(), nullptr, static_cast<std::uint64_t>(batch), &control));
  }
  EXPECT_TRUE(state.intact() && workspace.intact()) << "memory behind the state or the workspace was written";
  for (const PlanResult& result : hand_.plan.results) {
    const Buffer& buffer = hand_.plan.buffers[result.buffer];
    const std::byte* const base = buffer.space == Space::state          ? state.data()
                                  : buffer.space == Space::accumulators ? workspace.data()
                                                                        : workspace.data() + arena_;
    run.results.push_back(read_buffer(base + buffer.offset, buffer, batch));
  }
  for (const TensorInfo& tensor : hand_.program.tensors) {
    std::byte* const base = (tensor.kind == TensorKind::metric ? workspace.data() : state.data()) + tensor.offset;
    HostTensor values{tensor.type.shape, {}};
    for (std::int64_t i = 0; i < element_count(tensor.type.shape); ++i) {
      values.data.push_back(
          read_element(base + static_cast<std::size_t>(i) * size_of(tensor.type.dtype), tensor.type.dtype));
    }
    run.tensors[tensor.name] = std::move(values);
  }
  return run;
}

void move_outputs_to_arena(KernelPlan& plan, std::int64_t max_batch) {
  std::vector<std::uint64_t> sizes;
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    sizes.resize(std::max<std::size_t>(sizes.size(), buffer.index + 1));
    const auto elements = static_cast<std::uint64_t>(element_count(with_batch(buffer.shape, max_batch)));
    sizes[buffer.index] = std::max(sizes[buffer.index], buffer.offset + elements * size_of(buffer.dtype));
  }
  std::vector<std::uint64_t> starts;
  for (const std::uint64_t size : sizes) {
    starts.push_back(plan.arena_bytes);
    plan.arena_bytes += aligned(size);
  }
  for (Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    buffer.space = Space::arena;
    buffer.offset += starts[buffer.index];
  }
}

const std::vector<std::string>& cpus() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> names = {"native", "x86-64"};
    const std::vector<std::string> features = host_features();
    const auto has = [&](const char* name) {
      return std::find(features.begin(), features.end(), name) != features.end();
    };
    // A machine with AVX-512 has it in "native" already.
    if (has("avx2") && has("fma")) names.emplace_back("x86-64-v3");
    return names;
  }();
  return list;
}

CodegenOptions options_for(const std::string& cpu) {
  CodegenOptions options;
  options.cpu = cpu;
  options.verify = true;
  return options;
}

std::vector<double> random_numbers(std::uint64_t seed, std::size_t count, DType dtype, double limit) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> distribution(-limit, limit);
  std::vector<double> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = distribution(engine);
    switch (dtype) {
      case DType::f32:
        numbers.push_back(static_cast<float>(x));
        break;
      case DType::f64:
        numbers.push_back(x);
        break;
      case DType::i32:
        numbers.push_back(std::round(x));
        break;
      case DType::boolean:
        numbers.push_back(x > 0 ? 1 : 0);
        break;
    }
  }
  return numbers;
}

namespace {

void expect_near(const HostTensor& actual, const HostTensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.data.size(), expected.data.size()) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i], e = expected.data[i];
    const bool same = a == e || (std::isnan(a) && std::isnan(e)) || std::fabs(a - e) <= tolerance * (1 + std::fabs(e));
    ASSERT_TRUE(same) << what << ": element " << i << " is " << a << ", expected " << e;
  }
}

}  // namespace

void expect_as_interpreted(const HandPlan& hand, std::int64_t batch, double tolerance, const std::string& what) {
  EvaluationContext context = hand.context;
  context.batch = batch;
  for (const InputInfo& input : hand.program.inputs) {
    HostTensor& values = context.inputs.at(input.name);
    if (values.shape.size() != input.type.shape.size() + 1) continue;
    values.shape.front() = batch;
    values.data.resize(static_cast<std::size_t>(element_count(values.shape)));
  }
  const Result<PlanOutcome> expected = interpret(hand.plan, hand.program, context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  for (const std::string& cpu : cpus()) {
    const NativeRun run = run_native(hand, options_for(cpu), batch);
    const std::string where = fmt::format("{} on {}, batch {}", what, cpu, batch);
    ASSERT_EQ(run.results.size(), expected->results.size()) << where;
    for (std::size_t i = 0; i < run.results.size(); ++i) {
      expect_near(run.results[i], expected->results[i], tolerance, fmt::format("{}, result {}", where, i));
    }
    for (const auto& [name, values] : expected->tensors) {
      expect_near(run.tensors.at(name), values, tolerance, fmt::format("{}, tensor {}", where, name));
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

std::shared_ptr<Model> compiled_model(const std::string& text, const std::string& cpu, DType float_type) {
  Sources sources;
  ModelOptions options;
  options.codegen = options_for(cpu);
  options.float_type = float_type;
  auto model = Model::compile_text("model.tarn", text, options, {"init"}, sources);
  EXPECT_TRUE(model.has_value()) << (model ? "" : format(model.error(), sources));
  return model ? *model : nullptr;
}

}  // namespace tarn::testing
