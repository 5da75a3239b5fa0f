// Reference evaluations of whole tensors: one function for each name in the evaluation column of ops.def. See
// TensorFunction in op.h.
#pragma once

#include <span>

#include "ir/evaluator.h"
#include "ir/op.h"
#include "ir/views.h"

namespace tarn::tensor_functions {

#define ELEMENTWISE(...)
#define VIEW(...)
#define FILLED_VIEW(...)
#define OPERATION(name, op_class, arity, keys, rule, gradient, evaluation, ...) \
  HostTensor evaluation(const EvaluationContext& context, const Node& node,     \
                        std::span<const HostTensor* const> operands);
#include "ir/ops.def"

// All views: each element of the result, whose shape is given with its samples, by its own coordinates in the operand.
HostTensor view(const ViewMap& map, const HostTensor& x, const Shape& shape);

}  // namespace tarn::tensor_functions
