// The kernel plan: what fusion makes of an optimized graph, and all that code generation gets to see. It says what is
// computed; how, is for the tactics of each kernel to say (passes/plan/cpu_tactics.h).
//
// A plan is a tree: a list of kernels that run one after the other on buffers, where one may be a repeat of further
// kernels. A kernel is an iteration space with bodies (passes/plan/body.h).
// Invariants (verify(KernelPlan)), beside those of bodies: a buffer in the arena is written before it is read; points
// of different parts of a split store apart; no kernel writes an element that another point of the same kernel reads,
// except the element at its own point, after reading it; a round reads what earlier ones of its repeat have written
// only where the repeat carries the buffer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "ir/op.h"
#include "ir/program.h"
#include "passes/plan/body.h"
#include "passes/plan/cpu_tactics.h"
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

struct Buffer {
  std::string name;  // for print-outs: the tensor, input or node it holds
  Space space = Space::arena;
  std::uint32_t index = 0;
  std::uint64_t offset = 0;           // bytes from the base of the space
  DType dtype = DType::f32;           // booleans take a byte
  Shape shape;                        // kBatch may stand first
  std::vector<std::int64_t> strides;  // in elements, one an axis; with room for the largest batch
};

// for every point of `axes`: body. Where `reduced` marks axes, the reductions run over them, and the tail runs once for
// every point of the other axes. Sums are taken in the order that docs/architecture.md says, which depends on the shape
// and the vector width only.
struct LoopKernel {
  std::vector<Extent> axes;   // outermost first
  std::vector<bool> reduced;  // one an axis
  Body body;
  std::vector<Reduction> reductions;
  Body tail;  // strides stand for all axes; those of reduced axes are 0
};

// product[b…, m…, n…] = sum over k… of a[b…, m…, k…] * b[b…, k…, n…]; then the epilogue at every [b…, m…, n…]. There
// may be several axes of each role; of rows, columns and inner axes there is one at least, and the last is the one that
// is cut into tiles. The sum is one chain in the order of the inner axes. Where there are `sums`, over the rows of
// values of the epilogue, the tail runs once for every column: so is the gradient of a bias the sum of what a product
// of gradients delivers. There are then no batch axes.
struct ContractionKernel {
  std::vector<Extent> batch, rows, columns, inner;
  DType dtype = DType::f32;
  Operand a;      // over batch…, rows…, inner…
  Operand b;      // over batch…, inner…, columns…
  Body epilogue;  // over batch…, rows…, columns…
  std::vector<Reduction> sums;
  Body tail;  // over the same axes; strides of the rows are 0

  // Numbers of the last axes: of the rows in `a` and the epilogue, of the columns in the epilogue, of the inner axes in
  // `a` and in `b`, of the columns in `b`.
  std::size_t row_axis() const { return batch.size() + rows.size() - 1; }
  std::size_t column_axis() const { return row_axis() + columns.size(); }
  std::size_t inner_axis_of_a() const { return inner_axis_of_a(inner.size() - 1); }
  std::size_t inner_axis_of_b() const { return inner_axis_of_b(inner.size() - 1); }
  std::size_t column_axis_of_b() const { return inner_axis_of_b() + columns.size(); }
  // Those of any inner axis.
  std::size_t inner_axis_of_a(std::size_t number) const { return batch.size() + rows.size() + number; }
  std::size_t inner_axis_of_b(std::size_t number) const { return batch.size() + number; }
  // No role but that of the batch has more than one axis.
  bool has_one_axis_each() const { return rows.size() == 1 && columns.size() == 1 && inner.size() == 1; }
  // A product of two matrices as they stand in memory, or a batch of such.
  bool is_of_matrices() const { return has_one_axis_each() && a.is_load() && b.is_load(); }
  bool one_column() const { return columns.size() == 1 && columns[0] == Extent{}; }
};

// The step ends here, with nothing of the state written yet, where the scalar in the buffer is not finite. (What is not
// finite only behind this is for guarded stores.)
struct FiniteGuard {
  BufferId buffer = 0;
};

struct Kernel;

// `count` times, at least once: the steps, one after the other. Round t is index t of this repeat in their Linears.
// `carried`: every buffer of which a round reads what an earlier one has written. What else a round reads has
// been written before the repeat or in the same round.
struct Repeat {
  std::int64_t count = 1;
  std::vector<Kernel> steps;
  std::vector<BufferId> carried;
};
// No kernel has more repeats around it than this.
inline constexpr std::size_t kMostRepeats = 8;

using KernelBody = std::variant<LoopKernel, ContractionKernel, FiniteGuard, Repeat>;

struct Kernel {
  std::string name;  // "dense_1.kernel update": for print-outs, profiles and symbols
  KernelBody body;
  LocationId location = 0;
  CpuTactics tactics = {};
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

// The type of a part of something that may be const.
template <class Whole, class Part>
using PartOf = std::conditional_t<std::is_const_v<Whole>, const Part, Part>;

// Calls that one of the functions which takes this kind of kernel. There is one for each kind, so that whoever goes
// over kernels says what is to become of every kind, or does not compile.
template <class AnyBody, class... Functions>
decltype(auto) by_kind(AnyBody& body, Functions... functions) {
  struct Cases : Functions... {
    using Functions::operator()...;
  };
  return std::visit(Cases{functions...}, body);
}

// The kernels in a kernel; nullptr where it is one by itself.
template <class AnyKernel>
auto* steps_of(AnyKernel& kernel) {
  using Steps = PartOf<AnyKernel, std::vector<Kernel>>;
  constexpr Steps* kNoSteps = nullptr;
  return by_kind(
      kernel.body, [](const LoopKernel&) { return kNoSteps; }, [](const ContractionKernel&) { return kNoSteps; },
      [](const FiniteGuard&) { return kNoSteps; },
      [](PartOf<AnyKernel, Repeat>& repeat) -> Steps* { return &repeat.steps; });
}

// Calls visit(Kernel&) for each kernel, a repeat before those in it. That is the order in which kernels are numbered.
template <class Kernels, class Visit>
void for_each_kernel(Kernels& kernels, const Visit& visit) {
  for (auto& kernel : kernels) {
    visit(kernel);
    if (auto* const steps = steps_of(kernel)) for_each_kernel(*steps, visit);
  }
}

// Calls visit(ContractionKernel&, CpuTactics&) for each product, visit(LoopKernel&, CpuTactics&) for each loop, those
// in repeats too.
template <class Kernels, class Visit>
void for_each_product(Kernels& kernels, const Visit& visit) {
  for_each_kernel(kernels, [&](auto& kernel) {
    by_kind(
        kernel.body, [](const LoopKernel&) {},
        [&](PartOf<Kernels, ContractionKernel>& product) { visit(product, kernel.tactics); }, [](const FiniteGuard&) {},
        [](const Repeat&) {});
  });
}
template <class Kernels, class Visit>
void for_each_loop(Kernels& kernels, const Visit& visit) {
  for_each_kernel(kernels, [&](auto& kernel) {
    by_kind(
        kernel.body, [&](PartOf<Kernels, LoopKernel>& loop) { visit(loop, kernel.tactics); },
        [](const ContractionKernel&) {}, [](const FiniteGuard&) {}, [](const Repeat&) {});
  });
}

// Puts what replacement(Kernel&, LoopKernel&) gives in the place of each loop, those in repeats too; nothing: it stays.
template <class Replacement>
void replace_loops(std::vector<Kernel>& kernels, const Replacement& replacement) {
  std::vector<Kernel> result;
  for (Kernel& kernel : kernels) {
    std::vector<Kernel> parts;
    by_kind(
        kernel.body, [&](LoopKernel& loop) { parts = replacement(kernel, loop); }, [](ContractionKernel&) {},
        [](FiniteGuard&) {}, [&](Repeat& repeat) { replace_loops(repeat.steps, replacement); });
    if (parts.empty()) parts.push_back(std::move(kernel));
    std::move(parts.begin(), parts.end(), std::back_inserter(result));
  }
  kernels = std::move(result);
}

// Calls visit(Body&) for each body of a kernel, in the order in which they run, those of the operands of a product
// first; in a repeat of one round.
template <class AnyKernel, class Visit>
void for_each_body(AnyKernel& kernel, const Visit& visit) {
  by_kind(
      kernel,
      [&](PartOf<AnyKernel, LoopKernel>& loop) {
        visit(loop.body);
        visit(loop.tail);
      },
      [&](PartOf<AnyKernel, ContractionKernel>& product) {
        visit(product.a.body);
        visit(product.b.body);
        visit(product.epilogue);
        visit(product.tail);
      },
      [](const FiniteGuard&) {},
      [&](PartOf<AnyKernel, Repeat>& repeat) {
        for (auto& step : repeat.steps) for_each_body(step.body, visit);
      });
}

// Calls visit(BufferId&) for every access: in a body those of its loads, then those of its stores; in a KernelBody
// those of its bodies; in a repeat those of its steps, then what it carries.
template <class Part, class Visit>
void for_each_buffer(Part& part, const Visit& visit) {
  if constexpr (std::is_same_v<std::remove_const_t<Part>, Body>) {
    for (auto& value : part.values) {
      if (value.kind == Value::Kind::load) visit(value.access.buffer);
    }
    for (auto& store : part.stores) visit(store.access.buffer);
  } else {
    const auto visit_body = [&](auto& body) { for_each_buffer(body, visit); };
    by_kind(
        part, [&](PartOf<Part, LoopKernel>&) { for_each_body(part, visit_body); },
        [&](PartOf<Part, ContractionKernel>&) { for_each_body(part, visit_body); },
        [&](PartOf<Part, FiniteGuard>& guard) { visit(guard.buffer); },
        [&](PartOf<Part, Repeat>& repeat) {
          for (auto& step : repeat.steps) for_each_buffer(step.body, visit);
          for (auto& buffer : repeat.carried) visit(buffer);
        });
  }
}

// A kernel and how often it runs in one run of its plan, by number.
struct KernelRuns {
  const Kernel* kernel = nullptr;
  double runs = 1;
};
std::vector<KernelRuns> numbered_kernels(const KernelPlan& plan);
// How many numbers a kernel takes, with those in it.
std::size_t count_kernels(const Kernel& kernel);

// One past the last element of a buffer, at the largest batch; as many elements in bytes.
std::int64_t span_of(const Buffer& buffer, std::int64_t max_batch);
std::uint64_t bytes_of(const Buffer& buffer, std::int64_t max_batch);
// Whether two buffers lie in the same memory, and in the same bytes of it.
bool share_bytes(const Buffer& a, const Buffer& b, std::int64_t max_batch);

// The axes of a part of a product: those of its batch, and those of two other roles.
std::vector<Extent> axes_with(const ContractionKernel& kernel, const std::vector<Extent>& first,
                              const std::vector<Extent>& second);
// By axis of the epilogue: whether sums go along it.
std::vector<bool> summed_axes(const ContractionKernel& kernel);

// By input, whether products read it where the caller has it (CpuTactics::rows_in_place).
std::vector<bool> inputs_in_place(const KernelPlan& plan, std::size_t inputs);

// Whether the plan stores nothing that stays: then calls with one sample are as likely as others.
bool stores_nothing(const KernelPlan& plan);

// Copies from a state into memory of packed.bytes.
void copy_packed(const PackedWeights& packed, std::span<const std::byte> state, std::span<std::byte> to);

// Whether threads share any kernel.
bool is_shared(const KernelPlan& plan);
bool is_shared(const ProgramPlan& plan);

Status verify(const KernelPlan& plan);
// FLOPs (a transcendental counts as one) and bytes moved by a kernel at the largest batch; by a repeat, in all of its
// rounds.
struct KernelCost {
  double flops = 0, bytes = 0;
};
KernelCost cost_of(const KernelPlan& plan, const Kernel& kernel);
// The text behind `show --stage fused`: kernels as loops over equations, with bytes and FLOPs, and with the locations
// of the graph that was planned also with the line and the layer that each comes from.
std::string print(const KernelPlan& plan, const Locations* locations = nullptr, const Sources& sources = Sources());
// The text behind `show --stage memory`: buffers with offset, size and lifetime.
std::string print_memory(const KernelPlan& plan);

}  // namespace tarn
