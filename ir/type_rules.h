// Type rules: one function for each name in the type column of ops.def, and the checks they share.
//
// A rule may take it that number of operands and attributes are right (infer_type checks them), and that operand types
// are well formed. Rules hold in both forms. Per sample: the result is per sample where an operand is. Batched: kBatch
// is an extent that equals only itself, stands first, and is neither sliced, padded, reversed, joined nor reshaped into
// others.
#pragma once

#include <span>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/op.h"
#include "ir/type.h"

namespace tarn {

// Well formed and within kMaxRank and, for one sample, kMaxElements.
Status check_shape(const Shape& shape);
// The same, and not both per sample and batched.
Status check_type(const Type& type);
// The letters of a contraction's map.
struct ContractionMap {
  std::string_view a, b, result;
};
// Splits "mk,kn->mn"; the views point into `map`. Letters are a-z and A-Z, none twice in one part, those of the result
// in an operand.
Result<ContractionMap> parse_contraction_map(std::string_view map);

namespace type_rules {
#define ELEMENTWISE(name, arity, rule, ...) Result<Type> rule(std::span<const Type>, const Attributes&, const Type*);
#define OPERATION(name, op_class, arity, keys, rule, ...) \
  Result<Type> rule(std::span<const Type>, const Attributes&, const Type*);
#include "ir/ops.def"
}  // namespace type_rules

}  // namespace tarn
