// Gradient rules: one function for each name in the gradient column of ops.def. See GradientRule in op.h; rules that
// are formulas stand in the table.
//
// `none` stops gradients. `no_gradient` is never called: the table holds nullptr in its place.
#pragma once

#include <vector>

#include "ir/builder.h"

namespace tarn::gradient_rules {

#define RULE(name) std::vector<NodeId> name(Builder& builder, NodeId node, NodeId gradient_of_node);
#define BY(...)
#define ELEMENTWISE(name, arity, rule, gradient, ...) gradient
#define OPERATION(name, op_class, arity, keys, rule, gradient, ...) RULE(gradient)
#include "ir/ops.def"
#undef RULE
#undef BY

}  // namespace tarn::gradient_rules
