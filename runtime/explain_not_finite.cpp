// Says where a NaN or an infinity came from: the failed step is run again, in double precision, by the reference
// evaluator.
#include <fmt/format.h>

#include <cfloat>
#include <cmath>

#include "ir/evaluator.h"
#include "passes/pipeline.h"
#include "runtime/training.h"

namespace tarn {

namespace {

HostTensor rows_as_doubles(const InputInfo& input, const void* array, const std::vector<std::uint64_t>& rows) {
  HostTensor tensor;
  tensor.shape = input.type.shape;
  tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(rows.size()));
  const auto size = static_cast<std::size_t>(element_count(input.type.shape));
  for (std::uint64_t row : rows) {
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t at = row * size + i;
      switch (input.type.dtype) {
        case DType::f32:
          tensor.data.push_back(static_cast<const float*>(array)[at]);
          break;
        case DType::f64:
          tensor.data.push_back(static_cast<const double*>(array)[at]);
          break;
        case DType::i32:
          tensor.data.push_back(static_cast<const std::int32_t*>(array)[at]);
          break;
        case DType::boolean:
          tensor.data.push_back(static_cast<const std::uint8_t*>(array)[at]);
          break;
      }
    }
  }
  return tensor;
}

// An f32 value beyond the range of f32 is infinite in the compiled code, though not in the evaluator.
bool is_finite_as(double value, DType dtype) {
  return std::isfinite(value) && (dtype != DType::f32 || std::fabs(value) <= static_cast<double>(FLT_MAX));
}

bool all_finite(const HostTensor& tensor, DType dtype) {
  for (double value : tensor.data) {
    if (!is_finite_as(value, dtype)) return false;
  }
  return true;
}

EvaluationContext context_of(const Session& session, const Rows& rows, const std::vector<std::uint64_t>& batch) {
  EvaluationContext context;
  context.batch = static_cast<std::int64_t>(batch.size());
  context.seed = session.seed();
  context.step = static_cast<std::uint64_t>(session.scalar("step"));
  const Program& program = session.program();
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    context.inputs[program.inputs[i].name] = rows_as_doubles(program.inputs[i], rows.arrays[i], batch);
  }
  for (const TensorInfo& tensor : program.tensors) {
    HostTensor value;
    value.shape = tensor.type.shape;
    if (tensor.kind == TensorKind::metric) {
      value.data.assign(static_cast<std::size_t>(element_count(tensor.type.shape)), tensor.initial);
    } else {
      value.data = session.tensor(tensor.name).to_doubles();
    }
    context.tensors[tensor.name] = std::move(value);
  }
  return context;
}

}  // namespace

Diagnostic explain_not_finite(const Session& session, const Rows& rows, const std::uint32_t* order, std::uint64_t first,
                              std::int64_t epoch) {
  const Program& program = session.program();
  const auto batch_size = static_cast<std::uint64_t>(program.settings.batch);
  Diagnostic failure;
  failure.message =
      fmt::format("the loss became NaN or infinite in epoch {}, batch {}; training stopped before that step", epoch,
                  first / batch_size + 1);
  std::vector<std::uint64_t> batch;
  for (std::uint64_t i = first; i < std::min(first + batch_size, rows.count); ++i)
    batch.push_back(order ? order[i] : i);
  const EvaluationContext context = context_of(session, rows, batch);
  for (const auto& [name, value] : context.inputs) {
    if (all_finite(value, program.find_input(name)->type.dtype)) continue;
    failure.notes.push_back({{}, fmt::format("the data of '{}' hold a NaN or an infinity in this batch", name)});
    return failure;
  }
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind != TensorKind::parameter || all_finite(context.tensors.at(tensor.name), tensor.type.dtype))
      continue;
    failure.notes.push_back(
        {{},
         fmt::format("'{}' holds a NaN or an infinity: the step before made it; a smaller learning rate or "
                     "clip_global_norm may help",
                     tensor.name)});
    return failure;
  }
  PassContext passes;
  Result<Graph> lowered = lower_meaning(program.graphs.at("train"), passes);
  if (!lowered) return failure;
  Result<std::vector<HostTensor>> values = evaluate_nodes(*lowered, context);
  if (!values) return failure;
  for (NodeId id = 0; id < lowered->size(); ++id) {
    const Node& node = (*lowered)[id];
    if (!is_floating(node.type.dtype) || info(node.op).op_class == OpClass::source) continue;
    if ((*values)[id].data.empty() || all_finite((*values)[id], node.type.dtype)) continue;
    failure.span = lowered->locations()->outermost(node.location);
    failure.notes = lowered->locations()->backtrace(node.location);
    failure.notes.insert(failure.notes.begin(),
                         {{}, fmt::format("the first operation that gave one is '{}'", name_of(node.op))});
    break;
  }
  return failure;
}

}  // namespace tarn
