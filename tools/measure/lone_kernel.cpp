// See lone_kernel.h.
#include "tools/measure/lone_kernel.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "passes/tactics/choose.h"

namespace tarn {

Value load_from(BufferId tensor, std::vector<std::int64_t> strides) {
  Value value;
  value.kind = Value::Kind::load;
  value.access.buffer = tensor;
  value.access.at.strides = std::move(strides);
  return value;
}

Store store_to(BufferId tensor, ValueId value, std::vector<std::int64_t> strides) {
  Store store;
  store.value = value;
  store.access.buffer = tensor;
  store.access.at.strides = std::move(strides);
  return store;
}

// The function `adapt` takes any kernels, and calls them once.
Result<LoneKernel> LoneKernel::compile(KernelBody body, const std::vector<std::int64_t>& tensors,
                                       const CodegenOptions& options) {
  Program program;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TensorInfo tensor;
    tensor.name = "t" + std::to_string(i);
    tensor.type.shape = {tensors[i]};
    program.tensors.push_back(tensor);
  }
  assign_offsets(program);
  ProgramPlan plans;
  KernelPlan& plan = plans.plans["adapt"];
  for (const TensorInfo& tensor : program.tensors)
    plan.buffers.push_back({tensor.name, Space::state, 0, tensor.offset, DType::f32, tensor.type.shape, {1}});
  plan.kernels.push_back({"lone", std::move(body), 0});
  TARN_TRY(const Target target, target_of(options));
  choose_cpu_tactics(plan, target);
  LoneKernel kernel;
  TARN_TRY(kernel.native_, compile_native(program, plans, options, {"adapt"}));
  kernel.state_.resize(state_bytes(program));
  const std::span<float> floats(reinterpret_cast<float*>(kernel.state_.data()), kernel.state_.size() / sizeof(float));
  for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i % 17) / 16;
  kernel.workspace_.assign(std::max<std::uint64_t>(kernel.native_->workspace_bytes(), 64), std::byte{0});
  return kernel;
}

void LoneKernel::run() {
  const void* const none[] = {nullptr};
  native_->adapt()(state_.data(), workspace_.data(), none, nullptr, 1, nullptr);
}

}  // namespace tarn
