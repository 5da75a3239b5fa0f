// Reference evaluations of whole tensors: one function for each name in the evaluation column of ops.def. See
// TensorFunction in op.h.
#pragma once

#include <span>

#include "ir/evaluator.h"
#include "ir/op.h"

namespace tarn::tensor_functions {

#define ELEMENTWISE(...)
#define OPERATION(name, op_class, arity, keys, rule, gradient, evaluation, ...) \
  HostTensor evaluation(const EvaluationContext& context, const Node& node,     \
                        std::span<const HostTensor* const> operands);
#include "ir/ops.def"

}  // namespace tarn::tensor_functions
