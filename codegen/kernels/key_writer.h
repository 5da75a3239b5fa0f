// All of a kernel plan that decides about its code, written one behind the other. Structures are taken apart by
// structured bindings, so that a field added to one of them is a compile error here until it is written as well.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

class KeyWriter {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void put(const std::string& text) {
    put(text.size());
    bytes_ += text;
  }
  void put(const std::vector<bool>& values) {
    put(values.size());
    for (const bool value : values) put(value);
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    put(values.size());
    for (const T& value : values) put(value);
  }
  void put(const Type& type) {
    const auto& [dtype, per_sample, shape] = type;
    put_all(dtype, per_sample, shape);
  }
  void put(const Extent& extent) {
    const auto& [constant, times_batch] = extent;
    put_all(constant, times_batch);
  }
  void put(const Linear& linear) {
    const auto& [strides, offset, repeat_strides] = linear;
    put_all(strides, offset, repeat_strides);
  }
  void put(const Buffer& buffer) {
    const auto& [name, space, index, offset, dtype, shape, strides] = buffer;
    put_all(space, index, offset, dtype, shape, strides);
  }
  void put(const Access& access) {
    const auto& [buffer, at, row, row_stride, row_limit, bounds, fill] = access;
    put_all(buffer, at, row, row_stride, row_limit, bounds, fill);
  }
  void put(const Bound& bound) {
    const auto& [index, limit, stride] = bound;
    put_all(index, limit, stride);
  }
  void put(const Operand& operand) {
    const auto& [body, value] = operand;
    put_all(body, value);
  }
  void put(const Value& value) {
    const auto& [kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction] = value;
    put_all(kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction);
  }
  void put(const Store& store) {
    const auto& [value, access, accumulate, guarded] = store;
    put_all(value, access, accumulate, guarded);
  }
  void put(const Body& body) {
    const auto& [values, stores] = body;
    put_all(values, stores);
  }
  void put(const Reduction& reduction) {
    const auto& [op, value, dtype, multiply_add] = reduction;
    put_all(op, value, dtype, multiply_add);
  }
  void put(const std::optional<Split>& split) {
    put(split.has_value());
    if (!split) return;
    const auto& [axis, from_batch] = *split;
    put_all(axis, from_batch);
  }
  void put(const std::optional<ContractionTiling>& tiling) {
    put(tiling.has_value());
    if (!tiling) return;
    const auto& [lanes, tile_rows, tile_columns, panel, panels_outside, row_block, tile_inner, first_inner,
                 shared_inner, inner_block, several_blocks, inner_steps, packing, streams, tile_epilogue, moves_rows,
                 rest_rows, left_rows, computes_along_rows, skips_outside, fetches_epilogue, fetches_panels,
                 fetches_rows, fetches_groups, epilogue_lanes, left_lanes, right_lanes] = *tiling;
    put_all(lanes, tile_rows, tile_columns, panel, panels_outside, row_block, tile_inner, first_inner, shared_inner,
            inner_block, several_blocks, inner_steps, packing, streams, tile_epilogue, moves_rows, rest_rows, left_rows,
            computes_along_rows, skips_outside, fetches_epilogue, fetches_panels, fetches_rows, fetches_groups,
            epilogue_lanes, left_lanes, right_lanes);
  }
  void put(const LoopKernel& kernel) {
    const auto& [axes, reduced, body, reductions, tail] = kernel;
    put_all(axes, reduced, body, reductions, tail);
  }
  void put(const ContractionKernel& kernel) {
    const auto& [batch, rows, columns, inner, dtype, a, b, epilogue, sums, tail] = kernel;
    put_all(batch, rows, columns, inner, dtype, a, b, epilogue, sums, tail);
  }
  void put(const FiniteGuard& guard) {
    const auto& [buffer] = guard;
    put(buffer);
  }
  void put(const Repeat& repeat) {
    const auto& [count, steps, carried] = repeat;
    put_all(count, steps, carried);
  }
  void put(const KernelBody& body) {
    put(body.index());
    std::visit([this](const auto& kind) { put(kind); }, body);
  }
  void put(const CpuTactics& tactics) {
    const auto& [split, vector_axis, lanes, accumulators, copy, form, often_few_rows, weights_in_groups, rows_in_place,
                 b_for_writing, tiling] = tactics;
    put_all(split, vector_axis, lanes, accumulators, copy, form, often_few_rows, weights_in_groups, rows_in_place,
            b_for_writing, tiling);
  }
  void put(const Kernel& kernel) {
    const auto& [name, body, location, tactics] = kernel;
    put_all(body, tactics);
  }
  void put(const KernelPlan& plan) {
    const auto& [buffers, kernels, max_batch, arena_bytes, constants, results, remarks] = plan;
    put_all(buffers, kernels, max_batch, arena_bytes, constants);
  }
  template <typename... Values>
  void put_all(const Values&... values) {
    (put(values), ...);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace tarn
