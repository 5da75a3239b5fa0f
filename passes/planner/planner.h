// What the parts of the planner share: places, units of work and the groups that become kernels.
//
// choose_leaves() says which nodes are materialized; each has a place, and units that write it. ShortRows are those
// nodes whose units have rows for points. make_units() makes the units, and finds what each reads;
// lay_batches_innermost() puts the samples of small layers side by side, lay_samples_apart() those of windows apart;
// make_schedule() says what comes before what, and where a new value of the state must wait in the arena, and has
// lay_out_contractions() give the products their axes; group_units() fuses and orders; emit_kernels() makes the
// kernels; split_tails() cuts those in two that would go through long tails one by one; cut_kernels() those whose code
// would be very long; plan_memory() gives the offsets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "passes/planner/materialize.h"
#include "passes/planner/short_rows.h"

namespace tarn {

using PlaceId = std::uint32_t;
using UnitId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xFFFF'FFFF;

// Memory that holds the elements of a node.
struct Place {
  NodeId node = kNoNode;
  BufferId buffer = 0;
  std::vector<std::int64_t> strides;  // one an axis of the node, in elements
  std::int64_t offset = 0;            // in elements
  // Elements are read by their row-major number: the place cannot be part of another.
  bool read_flat = false;
};

// Where a unit stores its value.
struct Destination {
  BufferId buffer = 0;
  std::vector<std::int64_t> strides;  // one an axis of the unit's node
  std::int64_t offset = 0;
  PlaceId place = kNone;   // what this store fills; kNone: nobody in the plan reads it
  PlaceId whole = kNone;   // a place of which it fills a part
  bool is_result = false;  // to be kept, whoever reads it
  bool in_state = false;   // state or accumulators
};

// A read of a place; by its own point means: the unit's point reads the same element of a node with the same axes, or
// elements of the same row of a node that is computed by rows.
struct Read {
  PlaceId place = 0;
  bool own_point = false;
  friend auto operator<=>(const Read&, const Read&) = default;
};

// How the letters of a contraction become the axes of a kernel.
struct ContractionLayout {
  // Axes of the kernel: batch…, rows, columns; each stands for adjacent axes of the result, given by their numbers
  // among axes_of(result). An axis that stands for none has extent 1.
  std::vector<std::vector<std::size_t>> axes;
  std::vector<Extent> extents;
  std::vector<Extent> inner;
  PlaceId a = 0, b = 0;
  Access a_at, b_at;                                  // over batch…, rows, inner… and batch…, inner…, columns
  CpuTactics::Form form = CpuTactics::Form::columns;  // what the tactics of the kernel will be
};

struct Unit {
  enum class Kind { loop, reduction, contraction };
  Kind kind = Kind::loop;
  NodeId node = kNoNode;
  // Computes the node; else copies it from its place, or (parts of an assembled node) computes it on the side.
  bool defines = true;
  PlaceId copy_of = kNone;     // copies the element of this place, whatever the node is
  std::optional<double> fill;  // stores this number instead
  Shape filled;                // where it does so in a part of the node: the shape of that
  // Its points are rows: it computes all elements of a row of the node (passes/planner/short_rows.h).
  bool by_rows = false;
  // scatter_add: stores add up, at the row that the node says.
  NodeId row_node = kNoNode;
  std::size_t row_axis = 0;
  std::int64_t row_stride = 0, row_limit = 0;

  std::vector<Extent> axes;
  std::vector<bool> reduced;
  std::vector<Destination> targets;
  std::vector<Read> reads;  // sorted
  std::size_t terms = 0;
  bool draws = false;           // reads the step
  std::optional<UnitId> after;  // a unit whose stores this one adds to or overwrites
  std::optional<ContractionLayout> layout;
  bool dropped = false;

  // Axes that the value has: those that are not reduced.
  std::vector<Extent> kept() const;
};

// The units of a kernel. For a reduction kernel, `main` runs at every point and `tail` at every point of the kept axes.
// For a contraction, `main` is the epilogue, and the reductions are sums over its rows.
struct Group {
  std::vector<Extent> axes;
  std::vector<bool> reduced;
  std::vector<UnitId> main, tail;
  std::optional<UnitId> contraction;
  std::vector<UnitId> reductions;
  bool is_guard = false;
  std::size_t terms = 0;
  std::vector<UnitId> units() const;
};

// Why what group `after` makes of the values of group `before` does not stand in that.
struct Apart {
  std::uint32_t before = 0, after = 0;
  std::string_view why;
};

struct Planning {
  Planning(const Graph& graph, const Program& program, const PlanOptions& options);

  const Graph& graph;
  const Program& program;
  const PlanOptions& options;
  std::int64_t max_batch;
  Leaves leaves;
  ShortRows rows;

  std::vector<PlaceId> place_of;  // by node; kNone
  std::vector<Place> places;
  std::vector<Unit> units;
  std::vector<Group> groups;
  std::vector<Apart> apart;  // every pair of groups of which one needs the other, by `after` and `before`

  std::map<std::string, const TensorInfo*> tensors;  // by name; filled by tensor_buffer
  std::map<std::string, BufferId> tensor_buffers;
  BufferId loss_buffer = kNone;  // where the graph has a guard
  KernelPlan plan;

  const Shape& shape(NodeId node) const { return graph[node].type.shape; }
  PlaceId place(NodeId node);
  // The one buffer of a tensor of the program.
  BufferId tensor_buffer(const std::string& name);
  BufferId add_arena_buffer(NodeId node, std::string name);
  IterationSpace space(std::vector<Extent> axes) const { return {std::move(axes), max_batch}; }
  // The loop over a node's elements, before anybody says where they go.
  Unit loop_over(NodeId node) const;
  // Adds the loop that copies a place, element by element.
  void add_copy(PlaceId from, Destination to);
};

// The points of a unit's node that a point of the unit computes.
std::vector<Coordinates> points_of(const Planning& planning, const Unit& unit);
// Of its points: the node's, or of a part that is filled.
const Shape& shape_of(const Planning& planning, const Unit& unit);

// The element of a place that a leaf point is, for a kernel with so many axes: the address, and the bounds where the
// way led across edges. Of a gather, the stride behind those of the axes is by the row.
void set_address(Access& access, const Place& place, const Point& leaf, std::size_t axes);

// Every affine function of the axes in the body and the stores of a loop unit.
std::vector<Linear> linears_of(Planning& planning, UnitId unit);

// "tanh.5": how print-outs and messages call a node.
std::string name_of_node(const Graph& graph, NodeId node);

void make_units(Planning& planning);

// Temporaries of small layers (passes/planner/small_layers.h), where the graph has them.
void lay_batches_innermost(Planning& planning);
// Samples of arrays that products read through windows, where they are so many bytes long that caches hold them badly.
void lay_samples_apart(Planning& planning);
void lay_out_contractions(Planning& planning);

// `before` must run before `after`, or in the same kernel if own_point.
struct Dependence {
  UnitId before = 0, after = 0;
  bool own_point = false;
  bool anti = false;  // `after` overwrites what `before` reads; else `after` reads what `before` writes
};
struct Schedule {
  std::vector<std::vector<Dependence>> needs;  // by unit: what must come before it
  // Sets of units that must share one kernel, each in topological order; the sets themselves in the order in which they
  // are to be placed. A set of one is the rule.
  std::vector<std::vector<UnitId>> sets;
  bool has_guard = false;
  std::vector<bool> before_guard;  // by unit: the loss needs it
};
// Decides where new values of the state wait in the arena, lays the contractions out, and orders.
Schedule make_schedule(Planning& planning);
void group_units(Planning& planning, const Schedule& schedule);
void emit_kernels(Planning& planning);
void split_tails(KernelPlan& plan, const Target& target);
void plan_memory(KernelPlan& plan, bool in_place);

}  // namespace tarn
