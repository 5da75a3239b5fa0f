// Gradient rules: one function for each name in the gradient column of ops.def. See GradientRule in op.h.
//
// `none` stops gradients. `no_gradient` is never called: the table holds nullptr in its place.
#pragma once

#include <vector>

#include "ir/builder.h"

namespace tarn::gradient_rules {

#define ELEMENTWISE(name, arity, rule, gradient, ...) \
  std::vector<NodeId> gradient(Builder& builder, NodeId node, NodeId gradient_of_node);
#define OPERATION(name, op_class, arity, keys, rule, gradient, ...) \
  std::vector<NodeId> gradient(Builder& builder, NodeId node, NodeId gradient_of_node);
#include "ir/ops.def"

}  // namespace tarn::gradient_rules
