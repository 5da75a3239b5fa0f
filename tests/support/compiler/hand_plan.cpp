// See hand_plan.h.
#include "tests/support/compiler/hand_plan.h"

#include <cstring>

namespace tarn::testing {

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

namespace {

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

void HandPlan::add(KernelBody kernel, std::string name, const CpuTactics& tactics) {
  plan.kernels.push_back({std::move(name), std::move(kernel), 0, tactics});
}

CpuTactics along(std::uint32_t vector_axis) {
  CpuTactics tactics;
  tactics.vector_axis = vector_axis;
  return tactics;
}

CpuTactics in_form(CpuTactics::Form form) {
  CpuTactics tactics;
  tactics.form = form;
  return tactics;
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

}  // namespace tarn::testing
