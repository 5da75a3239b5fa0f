// The primitive operations as names of the language: what the prelude is written in. elaborate/builtin.h says what a
// row is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "frontend/elaborate/builtin.h"

namespace tarn::elaboration {

// The tables, by theme; all_builtins() joins them.
std::span<const Builtin> elementwise_builtins();  // elementwise.cpp
std::span<const Builtin> reduction_builtins();    // reduction.cpp
std::span<const Builtin> shape_builtins();        // shape.cpp
std::span<const Builtin> other_builtins();        // other.cpp

// einsum.cpp: a product of two operands, or a sum and transposition of one, by letters.
Value run_einsum(BuiltinCall& call);
// windows.cpp
Value run_windows(BuiltinCall& call);
Value run_fold(BuiltinCall& call);
// value_ranges.cpp
Value run_takes(BuiltinCall& call);
// gather.cpp
Value run_gather(BuiltinCall& call);

// shape.cpp: the result that is made of elements of the first argument. What is made of scalars of the optimizer alone
// stays weak, where it keeps their type (TensorValue::weak). No node: an error has been said.
Value moved(BuiltinCall& call, std::optional<NodeId> node);

// Axes counted from either end as an ascending list; none given: all. An error says what is wrong.
std::optional<std::vector<std::int64_t>> axes_argument(BuiltinCall& call, std::size_t argument, const Shape& shape);
// One axis counted from either end.
std::optional<std::int64_t> axis_argument(BuiltinCall& call, std::size_t argument, std::int64_t otherwise,
                                          std::size_t rank);

}  // namespace tarn::elaboration
