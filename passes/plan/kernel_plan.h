// The kernel plan: what fusion makes of an optimized graph, and all that code generation gets to see.
//
// A plan is a list of kernels that run one after the other on buffers. A kernel is an iteration space with a body: a
// list of scalar values computed at every point, stores, and reductions. All addresses are affine in the loop indices.
// Invariants (verify(KernelPlan)): a value's operands come before it in its body; strides stand for every axis of their
// kernel; a buffer in the arena is written before it is read; points of different parts of a split store apart; no
// kernel writes an element that another point of the same kernel reads, except the element at its own point, after
// reading it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "ir/op.h"
#include "ir/program.h"
#include "passes/plan/target.h"

namespace tarn {

// Where a buffer lies. Each space has one base address in a call.
enum class Space : std::uint8_t {
  state,         // the tensors of the program; offset = TensorInfo::offset
  accumulators,  // metric tensors, at the start of the workspace; offset = TensorInfo::offset
  arena,         // temporaries, in the workspace behind the accumulators
  input,         // rows of the call's array number `index`
  output,        // rows of the call's output number `index`
  constants,     // read-only data of the plan
};

using BufferId = std::uint32_t;

struct Buffer {
  std::string name;  // for print-outs: the tensor, input or node it holds
  Space space = Space::arena;
  std::uint32_t index = 0;
  std::uint64_t offset = 0;           // bytes from the base of the space
  DType dtype = DType::f32;           // booleans take a byte
  Shape shape;                        // kBatch may stand first
  std::vector<std::int64_t> strides;  // in elements, one an axis; with room for the largest batch
};

// constant, or constant * N.
struct Extent {
  std::int64_t constant = 1;
  bool times_batch = false;
  friend bool operator==(const Extent&, const Extent&) = default;
};

// offset + sum of strides[i] * index of axis i: of elements in a buffer, or a number in its own right.
struct Linear {
  std::vector<std::int64_t> strides;
  std::int64_t offset = 0;
  friend bool operator==(const Linear&, const Linear&) = default;
};

using ValueId = std::uint32_t;  // index into the values of the same body
inline constexpr ValueId kNoValue = 0xFFFF'FFFF;

struct Access {
  BufferId buffer = 0;
  Linear at;
  // gather and scatter: `row`, an i32 value of the body, clamped to [0, row_limit), times row_stride is added.
  // kNoValue: none.
  ValueId row = kNoValue;
  std::int64_t row_stride = 0, row_limit = 0;
};

struct Value {
  enum class Kind : std::uint8_t {
    operation,   // an elementwise `op` of `operands`
    constant,    // `number`
    load,        // the element at `access`
    index,       // `linear` as a number of type dtype
    batch_size,  // N
    // Element `linear`, sample `sample` of `stream`, of the `distribution`; see ir/random.h. Where `sample` has a
    // stride, the number of the call's first sample is added to it; without strides the draw is the same for all
    // samples.
    draw,
    product,  // contraction epilogue: the sum of products at this point
    reduced,  // tail: the result of reduction number `reduction`
  };
  Kind kind = Kind::operation;
  Op op = Op::add;
  DType dtype = DType::f32;
  std::vector<ValueId> operands;
  double number = 0;
  Access access;
  Linear linear;
  Linear sample;
  std::uint64_t stream = 0;
  Distribution distribution = Distribution::uniform;
  std::uint32_t reduction = 0;
};

struct Store {
  ValueId value = 0;
  Access access;
  // Adds to what is there instead of replacing it (scatter_add); points run in order of their indices.
  bool accumulate = false;
  // Keeps what is there where a value that one of the body's guarded stores has for this point is NaN or infinite, and
  // says so: guarded_stores.h.
  bool guarded = false;
};

struct Body {
  std::vector<Value> values;
  std::vector<Store> stores;
};

struct Reduction {
  Op op = Op::reduce_sum;    // reduce_sum, reduce_prod, reduce_max, reduce_min, argmax, argmin
  ValueId value = 0;         // of the body
  DType dtype = DType::f32;  // of the result; argmax, argmin: i32
};

// How threads share a kernel: each has a part of one axis (of a contraction's batch…, rows, columns), from a number of
// samples on that makes it worth while. Parts of a loop's vector axis begin at multiples of kSplitVectors.
struct Split {
  std::uint32_t axis = 0;
  std::int64_t from_batch = 1;
};
// As many elements as the longest vector has bytes: whole vectors of any type, and whole cache lines.
inline constexpr std::int64_t kSplitVectors = 64;

// for every point of `axes`: body. Where `reduced` marks axes, the reductions run over them, and the tail runs once for
// every point of the other axes. Sums are taken in the order that docs/architecture.md says, which depends on the shape
// and the vector width only.
struct LoopKernel {
  std::vector<Extent> axes;   // outermost first
  std::vector<bool> reduced;  // one an axis
  // The axis whose points go side by side into a vector: the one along which most accesses are contiguous. Meaningless
  // without axes.
  std::uint32_t vector_axis = 0;
  Body body;
  std::vector<Reduction> reductions;
  Body tail;  // strides stand for all axes; those of reduced axes are 0
  // Copies an input of which no other kernel reads anything, axes samples and units: the samples may be taken from
  // wherever they are.
  bool copies_samples = false;
  std::optional<Split> split;
};

// product[b…, m, n] = sum over k of a[b…, m, k] * b[b…, k, n]; then the epilogue at every [b…, m, n]. Where there are
// `sums`, over the rows of values of the epilogue, the tail runs once for every column: so is the gradient of a bias
// the sum of what a product of gradients delivers. There are then no batch axes, and the rows are samples.
struct ContractionKernel {
  std::vector<Extent> batch;
  Extent rows, columns, inner;
  DType dtype = DType::f32;
  Access a;  // strides over batch…, rows, inner
  Access b;  // strides over batch…, inner, columns
  // Which axis goes into the vector lanes. columns: b (or, with stride 0 or other, by gathering) and the stores run
  // along it; inner: a dot product per element.
  enum class Form : std::uint8_t { columns, inner } form = Form::columns;
  // Rows are samples, and calls with very few are as likely as others: prediction.
  bool often_few_rows = false;
  // `a` is an input whose samples may be anywhere: rows_in_place.h.
  bool rows_in_place = false;
  // Cache lines of `b` are asked for as if they were to be written: threading.h.
  bool b_for_writing = false;
  Body epilogue;  // axes: batch…, rows, columns
  std::vector<Reduction> sums;
  Body tail;  // strides stand for the same axes; those of the rows are 0
  std::optional<Split> split;

  bool one_column() const { return !columns.times_batch && columns.constant == 1; }
};

// The step ends here, with nothing of the state written yet, where the scalar in the buffer is not finite. (What is not
// finite only behind this is for guarded stores.)
struct FiniteGuard {
  BufferId buffer = 0;
};

using KernelBody = std::variant<LoopKernel, ContractionKernel, FiniteGuard>;

struct Kernel {
  std::string name;  // "dense_1.kernel update": for print-outs, profiles and symbols
  KernelBody body;
  LocationId location = 0;
};

// Where a result of the graph lies when the plan has run: a store in the state or the accumulators, an output in the
// output of its number, the loss in the arena, a value in output number 0 behind the values before it, as f64.
struct PlanResult {
  ResultKind kind = ResultKind::output;
  std::string name;
  BufferId buffer = 0;
};

struct KernelPlan {
  std::vector<Buffer> buffers;
  std::vector<Kernel> kernels;
  std::int64_t max_batch = 1;
  std::uint64_t arena_bytes = 0;     // 64-byte aligned
  std::vector<std::byte> constants;  // the space of that name, 64-byte aligned
  std::vector<PlanResult> results;   // in the order of the graph's results
  // Why neighbouring kernels were not fused, in words, for `show --stage fused`.
  std::vector<std::string> remarks;
};

// Copies that make packed weights of a state; packed_weights.h says what for.
struct PackedWeights {
  // `rows` rows of row_bytes, from byte `from` of a state on: group by group, of each row group_bytes, from byte `to`
  // of the packed weights on. What is copied as it is has one row, which is one group.
  struct Tensor {
    std::uint64_t from = 0, to = 0, rows = 1, row_bytes = 0, group_bytes = 0;
    bool in_groups() const { return group_bytes != row_bytes; }
    friend bool operator==(const Tensor&, const Tensor&) = default;
  };
  std::vector<Tensor> tensors;
  std::uint64_t bytes = 0;  // 64-byte aligned
  // Whether anything lies otherwise than in a state.
  bool in_groups() const {
    return std::any_of(tensors.begin(), tensors.end(), [](const Tensor& t) { return t.in_groups(); });
  }
  friend bool operator==(const PackedWeights&, const PackedWeights&) = default;
};

// A plan for each graph of the program (ir/program_functions.def); and where that is faster predict_packed, which reads
// packed weights where `predict` reads a state.
struct ProgramPlan {
  std::map<std::string, KernelPlan> plans;
  PackedWeights packed;                 // of predict_packed
  std::uint64_t accumulator_bytes = 0;  // 64-byte aligned
};

// Calls visit(Body&) for each body of a kernel, in the order in which they run.
template <class AnyKernel, class Visit>
void for_each_body(AnyKernel& kernel, const Visit& visit) {
  if (auto* const loop = std::get_if<LoopKernel>(&kernel)) {
    visit(loop->body);
    visit(loop->tail);
  } else if (auto* const product = std::get_if<ContractionKernel>(&kernel)) {
    visit(product->epilogue);
    visit(product->tail);
  }
}

// Calls visit(BufferId&) for every access: in a body those of its loads, then those of its stores; in a KernelBody
// those of the operands of a product, then those of its bodies.
template <class Part, class Visit>
void for_each_buffer(Part& part, const Visit& visit) {
  if constexpr (std::is_same_v<std::remove_const_t<Part>, Body>) {
    for (auto& value : part.values) {
      if (value.kind == Value::Kind::load) visit(value.access.buffer);
    }
    for (auto& store : part.stores) visit(store.access.buffer);
  } else {
    if (auto* const product = std::get_if<ContractionKernel>(&part)) {
      visit(product->a.buffer);
      visit(product->b.buffer);
    }
    if (auto* const guard = std::get_if<FiniteGuard>(&part)) visit(guard->buffer);
    for_each_body(part, [&](auto& body) { for_each_buffer(body, visit); });
  }
}

// Calls visit(Linear&) for every affine function of the axes in a body.
template <class BodyType, class Visit>
void for_each_linear(BodyType& body, Visit visit) {
  for (auto& value : body.values) {
    switch (value.kind) {
      case Value::Kind::load:
        visit(value.access.at);
        break;
      case Value::Kind::index:
        visit(value.linear);
        break;
      case Value::Kind::draw:
        visit(value.linear);
        visit(value.sample);
        break;
      case Value::Kind::operation:
      case Value::Kind::constant:
      case Value::Kind::batch_size:
      case Value::Kind::product:
      case Value::Kind::reduced:
        break;
    }
  }
  for (auto& store : body.stores) visit(store.access.at);
}

// One past the last element of a buffer, at the largest batch.
std::int64_t span_of(const Buffer& buffer, std::int64_t max_batch);

// By input, whether products read it where the caller has it (ContractionKernel::rows_in_place).
std::vector<bool> inputs_in_place(const KernelPlan& plan, std::size_t inputs);

// Whether the plan stores nothing that stays: then calls with one sample are as likely as others.
bool stores_nothing(const KernelPlan& plan);

// Copies from a state into memory of packed.bytes.
void copy_packed(const PackedWeights& packed, std::span<const std::byte> state, std::span<std::byte> to);

// How threads share a kernel, whatever it is.
std::optional<Split> split_of(const Kernel& kernel);
// Whether threads share any kernel.
bool is_shared(const KernelPlan& plan);
bool is_shared(const ProgramPlan& plan);

Status verify(const KernelPlan& plan);
// FLOPs (a transcendental counts as one) and bytes moved by a kernel at the largest batch.
struct KernelCost {
  double flops = 0, bytes = 0;
};
KernelCost cost_of(const KernelPlan& plan, const Kernel& kernel);
// The text behind `show --stage fused`: kernels as loops over equations, with bytes and FLOPs.
std::string print(const KernelPlan& plan);
// The text behind `show --stage memory`: buffers with offset, size and lifetime.
std::string print_memory(const KernelPlan& plan);

}  // namespace tarn
