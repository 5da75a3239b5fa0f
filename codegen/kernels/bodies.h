// The body of a kernel at one point, or at as many points side by side as a vector has lanes.
//
// A body is emitted by levels. A loop nest has levels 0 (outermost) to depth - 1, each of which fixes the index of one
// axis; level -1 is before all loops. A value belongs to the deepest level whose axis it depends on, and is emitted
// when that level is entered: what does not change in a loop is computed outside of it. That is sound because no point
// of a kernel reads what another one writes.
#pragma once

#include <functional>
#include <vector>

#include "codegen/kernels/loops.h"
#include "codegen/kernels/row_groups.h"
#include "passes/plan/body_lanes.h"

namespace tarn {

// The loop nest around a body. Axes are those of the body's Linear forms. A level without an axis fixes nothing: it
// holds what is computed from results.
struct Nest {
  std::vector<int> level_of_axis;  // of each axis; -1 for an axis that has one index only
  int depth = 0;
  int vector_axis = -1;  // whose indices go side by side; -1: none
  unsigned lanes = 1;
  // By axis, set by who emits the loops before emit_level: the index, for the vector axis that of lane 0.
  std::vector<llvm::Value*> index;
  // Which lanes exist; nullptr: all.
  llvm::Value* mask = nullptr;
  // No load of the innermost level is outside of its bounds: none is tested.
  bool within_bounds = false;
};

// What a body's values are besides what the plan says; independent of LLVM.
struct BodyAnalysis : LaneValues {
  std::vector<int> level;  // by value
};
// As lane_values(); `product` and `reduced` values belong to `result_level`.
BodyAnalysis analyze(const Body& body, const Nest& nest, const std::vector<ValueId>& extra, int result_level,
                     bool results_vary);

// Whether so many loads and stores have lanes that lie apart that, on a machine without instructions for them, they are
// done lane by lane (lane_accesses.h).
bool has_many_apart(const Body& body, const BodyAnalysis& analysis, int vector_axis);

class BodyEmitter {
 public:
  BodyEmitter(KernelFunction& kernel, const Body& body, Nest& nest, BodyAnalysis analysis);

  // The value of each `product` and `reduced`; called when the result level is emitted.
  std::function<llvm::Value*(const Value&)> result;

  // Values of the level; the nest has the indices of it and the levels outside of it.
  void emit_level(int level);
  void emit_stores();
  // A value of a level that was emitted: a scalar, or a vector where it varies.
  llvm::Value* value(ValueId id) const { return values_[id]; }
  llvm::Value* vector(ValueId id);

  // Indices of the innermost axis, within a range of them, at which no load of that level is outside of its bounds:
  // first the condition that does not depend on that axis, an i1, nullptr where nothing else is asked; then where they
  // begin and end, no earlier than they begin, which is nullptr where the condition says it all. Levels outside of it
  // have been entered.
  struct Inside {
    llvm::Value *condition = nullptr, *begin = nullptr, *end = nullptr;
  };
  bool has_bounds() const;
  Inside inside_bounds(const Range& range);

 private:
  llvm::Value* emit_value(const Value& value, bool varying);
  llvm::Value* emit_apply(const Value& value, bool varying);
  llvm::Value* emit_index(const Linear& linear, DType dtype);
  llvm::Value* emit_draw(const Value& value, bool varying);
  llvm::Value* emit_load(const Access& access, DType dtype);
  llvm::Value* emit_bounded_load(const Access& access, DType dtype, bool varying);
  struct LanesInside {
    llvm::Value *all, *each;
  };
  LanesInside inside(const Access& access, llvm::Value* exists);
  void narrow(Inside& found, const Bound& bound, const Range& range, std::size_t axis);
  // By store, what is to be stored: a scalar where it is one element, else a vector where there are lanes.
  std::vector<llvm::Value*> stored_values();
  void keep_old_unless_finite(std::vector<llvm::Value*>& values);
  llvm::Value* not_finite_by_lane(const std::vector<llvm::Value*>& values);
  llvm::Value* any_not_finite(const std::vector<llvm::Value*>& values);
  llvm::Value* any_lane(llvm::Value* lanes);
  llvm::Value* old_value(std::size_t store);
  void emit_store(const Store& store, llvm::Value* value);
  void find_groups();
  void emit_load_group(const RowGroup& group);
  void emit_store_group(const RowGroup& group, const std::vector<llvm::Value*>& values);
  RowAddresses rows_of(const Access& access, DType dtype);
  void update_sums(int level);
  void find_widened();

  struct Address {
    llvm::Value* first = nullptr;   // of lane 0
    llvm::Value* others = nullptr;  // elements from there, by lane; nullptr: `stride` says it
    std::int64_t stride = 0;        // 0: all lanes one element; 1: side by side
  };
  Address address_of(const Access& access, DType dtype);
  llvm::Value* linear_index(const Linear& linear);
  llvm::Value* lane_numbers(std::int64_t stride, bool wide);
  llvm::Value* mask() const;
  std::int64_t vector_stride(const Linear& linear) const;
  void add_linear(const Linear& linear);

  KernelFunction& kernel_;
  llvm::IRBuilder<>& builder_;
  const Body& body_;
  Nest& nest_;
  BodyAnalysis analysis_;
  std::vector<llvm::Value*> values_;
  bool by_lane_ = false;  // what lies apart
  // Scalars that loops further in want in every lane are put there once, outside of these: by value, nullptr for
  // others.
  std::vector<bool> is_widened_;
  std::vector<llvm::Value*> widened_;
  // Loads and stores of elements of a row; and which group a value or a store belongs to, for those in one.
  std::vector<RowGroup> load_groups_, store_groups_;
  std::map<std::uint32_t, const RowGroup*> group_of_load_, group_of_store_;
  // The distinct strides in the body, and by level (-1 first) the sum of strides * indices down to that level; nullptr
  // for 0.
  std::vector<std::vector<std::int64_t>> strides_;
  std::vector<std::vector<llvm::Value*>> sums_;
};

// emit_vector_loop() over the innermost axis of the body's nest. Where its loads have bounds, whole vectors that are
// inside of these get code of their own, which tests nothing; the body is called for either.
void emit_bounded_loop(const Emission& emission, llvm::IRBuilder<>& builder, BodyEmitter& body, Nest& nest,
                       const Range& range, const VectorLoopBody& loop_body);

}  // namespace tarn
