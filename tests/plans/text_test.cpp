// The text form of kernel plans: what it looks like, that plans of all kinds read back from it, that plans written in
// it run, and what is said of texts that are wrong.
#include "passes/plan/text.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include "frontend/frontend.h"
#include "passes/pipeline.h"
#include "passes/plan/interpreter.h"
#include "passes/tactics/threads.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/hand_graph.h"
#include "tests/support/compiler/plan_graphs.h"
#include "tests/support/compiler/plan_text_support.h"
#include "tests/support/compiler/planned.h"
#include "tests/support/files.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;

KernelPlan parsed(const std::string& text) {
  Sources sources;
  Result<NamedPlan> read = parse_plan(text, "plan.txt", sources);
  EXPECT_TRUE(read.has_value()) << format(read.error(), sources);
  return read ? std::move(read->plan) : KernelPlan();
}

// Every kind of kernel, and much of what may stand in one.
constexpr const char* kText = R"(plan adapt {
  max_batch 8
  arena 64
  constants {
    0000803f 00000040 00004040 00008040
  }
  buffer input0: f32[N,4] strides [4, 1] in input 0 at 0
  buffer w: f32[4,3] strides [3, 1] in state at 64
  buffer b: f32[3] strides [1] in state at 128
  buffer constant: f32[4] strides [1] in constants at 0
  buffer "mean of x": f32[4] strides [1] in arena at 0
  buffer total: f64[] strides [] in arena at 16
  result output "mean" = "mean of x"
  result output "total" = total

kernel 0 "means" loop @ "m.tarn":3:5+2   # 160 FLOP, 144 B
  for j < 4
    over i < N
      r0 = multiply_add of (input0[i, j] * constant[j])
    then
    "mean of x"[j] = (r0 / N)
kernel 1 "total" loop   # 36 FLOP, 24 B
    over i < 4
      t3 = exp(-"mean of x"[i])
      r0 = reduce_sum of f64((t3 + (t3 * 0.5)))
      order 0 2-3 1 4-6
    then
    total = r0
kernel 2 "finite loss?" guard   # 0 FLOP, 0 B
  the step ends here unless total is finite
kernel 3 "w update" product   # 240 FLOP, 260 B
  for m < 4 n < 3
    product = sum over k < N of input0[k, m] * input0[k, n]
    w[m, n] = (w[m, n] - (product * 0.125))   if finite
    r0 = reduce_sum over m of product
    then
    b[n] = r0   if finite

remark "'total' is not fused with 'means': it needs all of its points"
}
tactics adapt {
kernel 0 "means"
  vectors along j
  lanes 4, accumulators 4
  threads share j from N = 3 on
kernel 1 "total"
  vectors along i
  lanes 1
kernel 3 "w update"
  vectors along n
  reads a in place
  prefetches b for writing
  tiles of 4 x 4 in vectors of 4, panels of 4, blocks of 4 rows and all 8 k
  around tiles: b packed for many rows, jumps every 2 k, epilogue in vectors of 4
}
)";

std::string without_comments(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at), comment = text.find("   # ", at);
    result += text.substr(at, std::min(end, comment) - at) + "\n";
    at = end + 1;
  }
  return result;
}

TEST(PlanText, LooksAsDocumented) {
  Sources sources;
  const Result<NamedPlan> read = parse_plan(kText, "plan.txt", sources);
  ASSERT_TRUE(read.has_value()) << format(read.error(), sources);
  EXPECT_EQ(read->name, "adapt");
  // Empty lines between kernels are the printer's.
  std::string expected = without_comments(kText);
  for (std::size_t at = 0; (at = expected.find("\nkernel", at)) < expected.find("\ntactics"); at += 2) {
    if (expected[at - 1] != '\n') expected.insert(at, "\n");
  }
  EXPECT_EQ(without_comments(print_whole(read->plan, read->name, read->locations.get(), sources)), expected);
  const auto& product = std::get<ContractionKernel>(read->plan.kernels[3].body);
  EXPECT_TRUE(product.epilogue.stores[0].guarded);
  const CpuTactics& tactics = read->plan.kernels[3].tactics;
  EXPECT_TRUE(tactics.rows_in_place && tactics.b_for_writing && !tactics.split);
  EXPECT_EQ(read->plan.kernels[0].tactics.split, (Split{1, 3}));
  EXPECT_TRUE(read->plan.kernels[0].body.index() == 0 &&
              std::get<LoopKernel>(read->plan.kernels[0].body).reductions[0].multiply_add);
  EXPECT_EQ((*read->locations)[read->plan.kernels[0].location].span.column, 5U);
  // Loads and numbers that are equal are one value.
  EXPECT_EQ(product.epilogue.values.size(), 5U);
}

// By NumPy's rules, worked out here: kText is a plan that runs.
TEST(PlanText, PlansWrittenByHandRun) {
  HandPlan hand(8);
  const std::vector<double> x = random_numbers(3, 32, DType::f32);
  hand.input(DType::f32, {kBatch, 4}, x);
  hand.tensor("w", DType::f32, {4, 3}, std::vector<double>(12, 0.5));
  hand.tensor("b", DType::f32, {3}, {1, 2, 3});
  hand.plan = parsed(kText);
  // Threads share what the plan says; b is read where nothing is written to it.
  hand.plan.kernels[3].tactics.rows_in_place = false;
  const Status verified = verify(hand.plan);
  ASSERT_TRUE(verified.has_value()) << verified.error().front().message;
  hand.context.batch = 8;
  const auto outcome = interpret(hand.plan, hand.program, hand.context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().front().message;
  double total = 0;
  for (std::size_t j = 0; j < 4; ++j) {
    double mean = 0;
    for (std::size_t i = 0; i < 8; ++i) mean += x[4 * i + j] * static_cast<double>(j + 1) / 8;
    EXPECT_NEAR(outcome->results[0].data[j], mean, 1e-12);
    total += 1.5 * std::exp(-mean);
  }
  EXPECT_NEAR(outcome->results[1].data[0], total, 1e-12);
  for (std::size_t n = 0; n < 3; ++n) {
    double sum = 0;
    for (std::size_t m = 0; m < 4; ++m) {
      double product = 0;
      for (std::size_t k = 0; k < 8; ++k) product += x[4 * k + m] * x[4 * k + n];
      EXPECT_NEAR(outcome->tensors.at("w").data[3 * m + n], 0.5 - 0.125 * product, 1e-12);
      sum += product;
    }
    EXPECT_NEAR(outcome->tensors.at("b").data[n], sum, 1e-12);
  }
  // Sums of 8 terms near 1 in f32.
  expect_as_interpreted(hand, 8, 1e-5, "a plan written by hand");
}

// ---------------------------------------------------------------- every field

// Everything that a plan can say, each changed in turn: the text must change, and read back.
struct FieldCase {
  const char* name;
  std::function<void(KernelPlan&)> change;
};

LoopKernel& loop_of(KernelPlan& plan) { return std::get<LoopKernel>(plan.kernels[0].body); }
ContractionKernel& product_of(KernelPlan& plan) { return std::get<ContractionKernel>(plan.kernels[3].body); }
CpuTactics& tactics_of_loop(KernelPlan& plan) { return plan.kernels[0].tactics; }
CpuTactics& tactics_of_product(KernelPlan& plan) { return plan.kernels[3].tactics; }
ContractionTiling& tiling_of_product(KernelPlan& plan) { return *tactics_of_product(plan).tiling; }

// The first three kernels, twice in a repeat in one of another.
Repeat& repeated(KernelPlan& plan) {
  Repeat inner;
  const auto behind = plan.kernels.begin() + 3;
  inner.steps.assign(plan.kernels.begin(), behind);
  inner.count = 2;
  plan.kernels.erase(plan.kernels.begin(), behind);
  Repeat outer;
  outer.steps.push_back({"inner", std::move(inner), 0});
  plan.kernels.insert(plan.kernels.begin(), {"outer", std::move(outer), 0});
  return std::get<Repeat>(std::get<Repeat>(plan.kernels[0].body).steps[0].body);
}

const std::vector<FieldCase>& field_cases() {
  static const std::vector<FieldCase> cases = {
      {"buffer name", [](KernelPlan& p) { p.buffers[0].name = "two \"words\"\n"; }},
      {"buffer name twice", [](KernelPlan& p) { p.buffers[0].name = p.buffers[1].name; }},
      {"buffer named as a number", [](KernelPlan& p) { p.buffers[0].name = "7"; }},
      {"buffer named as a word of the form", [](KernelPlan& p) { p.buffers[1].name = "order"; }},
      {"buffer named as a value", [](KernelPlan& p) { p.buffers[1].name = "t1"; }},
      {"space", [](KernelPlan& p) { p.buffers[1].space = Space::accumulators; }},
      {"output", [](KernelPlan& p) { p.buffers[1].space = Space::output; }},
      {"index", [](KernelPlan& p) { p.buffers[0].index = 3; }},
      {"index of a state", [](KernelPlan& p) { p.buffers[1].index = 3; }},
      {"offset", [](KernelPlan& p) { p.buffers[1].offset = 192; }},
      {"dtype", [](KernelPlan& p) { p.buffers[1].dtype = DType::i32; }},
      {"shape", [](KernelPlan& p) { p.buffers[1].shape = {4, 2}; }},
      {"strides", [](KernelPlan& p) { p.buffers[1].strides = {1, -4}; }},
      {"extent", [](KernelPlan& p) { loop_of(p).axes[1] = {7, true}; }},
      {"constant extent", [](KernelPlan& p) { loop_of(p).axes[0] = {1, false}; }},
      {"reduced", [](KernelPlan& p) { loop_of(p).reduced = {true, true}, tactics_of_loop(p).split.reset(); }},
      {"vector axis", [](KernelPlan& p) { tactics_of_loop(p).vector_axis = 0; }},
      {"access", [](KernelPlan& p) { loop_of(p).body.values[0].access.at.strides = {-8, 3}; }},
      {"access offset", [](KernelPlan& p) { loop_of(p).body.values[0].access.at.offset = -5; }},
      {"access of one element", [](KernelPlan& p) { loop_of(p).tail.stores[0].access.at = {{0, 0}, 2}; }},
      {"access into a scalar",
       [](KernelPlan& p) { loop_of(p).tail.stores[0].access = {5, {{0, 2}, 1}, kNoValue, 0, 0}; }},
      {"row",
       [](KernelPlan& p) {
         Value row;
         row.kind = Value::Kind::constant;
         row.dtype = DType::i32;
         row.number = 3;
         Body& body = loop_of(p).body;
         body.values.insert(body.values.begin(), row);
         for (ValueId& operand : body.values.back().operands) ++operand;
         ++loop_of(p).reductions[0].value;
         body.values[1].access.row = 0;
         body.values[1].access.row_stride = -2;
         body.values[1].access.row_limit = 9;
       }},
      {"accumulate", [](KernelPlan& p) { loop_of(p).tail.stores[0].accumulate = true; }},
      {"guarded", [](KernelPlan& p) { product_of(p).epilogue.stores[0].guarded = false; }},
      {"number", [](KernelPlan& p) { product_of(p).epilogue.values[2].number = 0.1; }},
      {"minus zero", [](KernelPlan& p) { product_of(p).epilogue.values[2].number = -0.0; }},
      {"infinity", [](KernelPlan& p) { product_of(p).epilogue.values[2].number = -HUGE_VAL; }},
      {"not a number", [](KernelPlan& p) { product_of(p).epilogue.values[2].number = std::nan(""); }},
      {"type of a number", [](KernelPlan& p) { product_of(p).epilogue.values[2].dtype = DType::i32; }},
      {"type of an operation", [](KernelPlan& p) { loop_of(p).body.values.back().dtype = DType::f64; }},
      {"type of a load", [](KernelPlan& p) { loop_of(p).body.values[0].dtype = DType::boolean; }},
      {"type of the product", [](KernelPlan& p) { product_of(p).dtype = DType::f64; }},
      {"type of a reduction", [](KernelPlan& p) { loop_of(p).reductions[0].dtype = DType::f64; }},
      {"reduction", [](KernelPlan& p) { loop_of(p).reductions[0] = {Op::argmax, 2, DType::f32}; }},
      {"value that nobody uses", [](KernelPlan& p) { loop_of(p).body.values.push_back(loop_of(p).body.values[1]); }},
      {"value that stands twice",
       [](KernelPlan& p) {
         Body& body = loop_of(p).body;
         body.values.push_back(body.values[0]);
         body.values.push_back(operation(Op::add, DType::f32, {0, 3}));
         body.stores.push_back({4, at(1, {0, 1}), false});
       }},
      {"operands", [](KernelPlan& p) { loop_of(p).body.values.back().operands = {1, 0}; }},
      {"negated number",
       [](KernelPlan& p) {
         Body& body = product_of(p).epilogue;
         body.values.push_back(operation(Op::neg, DType::f32, {2}));
         body.stores.push_back({5, at(1, {3, 1}), false});
       }},
      {"long sum",
       [](KernelPlan& p) {
         Body& body = loop_of(p).body;
         for (ValueId i = 2; i < 300; ++i) body.values.push_back(operation(Op::neg, DType::f32, {i}));
         loop_of(p).reductions[0].value = 300;
       }},
      {"order",
       [](KernelPlan& p) {
         std::swap(loop_of(p).body.values[0], loop_of(p).body.values[1]);
         std::swap(loop_of(p).body.values[2].operands[0], loop_of(p).body.values[2].operands[1]);
       }},
      {"sum of products", [](KernelPlan& p) { loop_of(p).reductions[0].multiply_add = false; }},
      {"split", [](KernelPlan& p) { tactics_of_loop(p).split.reset(); }},
      {"split from", [](KernelPlan& p) { tactics_of_loop(p).split->from_batch = 1; }},
      {"split axis", [](KernelPlan& p) { tactics_of_product(p).split = Split{1, 7}; }},
      {"lanes", [](KernelPlan& p) { tactics_of_loop(p).lanes = 8; }},
      {"accumulators", [](KernelPlan& p) { tactics_of_loop(p).accumulators = 1; }},
      {"no lanes", [](KernelPlan& p) { tactics_of_loop(p).lanes = 0, tactics_of_loop(p).accumulators = 1; }},
      {"no tiling", [](KernelPlan& p) { tactics_of_product(p).tiling.reset(); }},
      {"lanes of a tile", [](KernelPlan& p) { tiling_of_product(p).lanes = 2; }},
      {"rows of a tile", [](KernelPlan& p) { tiling_of_product(p).tile_rows = 2; }},
      {"columns of a tile", [](KernelPlan& p) { tiling_of_product(p).tile_columns = 8; }},
      {"panel", [](KernelPlan& p) { tiling_of_product(p).panel = 8; }},
      {"block of rows", [](KernelPlan& p) { tiling_of_product(p).row_block = 8; }},
      {"inner axes of a tile", [](KernelPlan& p) { tiling_of_product(p).tile_inner = 2; }},
      {"some of the first inner axis", [](KernelPlan& p) { tiling_of_product(p).first_inner = 2; }},
      {"shared inner axis", [](KernelPlan& p) { tiling_of_product(p).shared_inner = 3; }},
      {"nothing outside", [](KernelPlan& p) { tiling_of_product(p).skips_outside = true; }},
      {"panels outside", [](KernelPlan& p) { tiling_of_product(p).panels_outside = true; }},
      {"rows that are left", [](KernelPlan& p) { tiling_of_product(p).rest_rows = 2; }},
      {"block of k", [](KernelPlan& p) { tiling_of_product(p).inner_block = 5; }},
      {"several blocks", [](KernelPlan& p) { tiling_of_product(p).several_blocks = true; }},
      {"steps", [](KernelPlan& p) { tiling_of_product(p).inner_steps = 1; }},
      {"packs", [](KernelPlan& p) { tiling_of_product(p).packing = ContractionTiling::Packing::always; }},
      {"packs nothing", [](KernelPlan& p) { tiling_of_product(p).packing = ContractionTiling::Packing::never; }},
      {"streams", [](KernelPlan& p) { tiling_of_product(p).streams = true; }},
      {"epilogue of tiles", [](KernelPlan& p) { tiling_of_product(p).tile_epilogue = true; }},
      {"moved rows", [](KernelPlan& p) { tiling_of_product(p).moves_rows = true; }},
      {"rows of a", [](KernelPlan& p) { tiling_of_product(p).left_rows = 4; }},
      {"a along rows",
       [](KernelPlan& p) { tiling_of_product(p).left_rows = 4, tiling_of_product(p).computes_along_rows = true; }},
      {"fetches the epilogue", [](KernelPlan& p) { tiling_of_product(p).fetches_epilogue = true; }},
      {"fetches panels", [](KernelPlan& p) { tiling_of_product(p).fetches_panels = true; }},
      {"fetches rows", [](KernelPlan& p) { tiling_of_product(p).fetches_rows = true; }},
      {"fetches groups", [](KernelPlan& p) { tiling_of_product(p).fetches_groups = true; }},
      {"lanes of an epilogue", [](KernelPlan& p) { tiling_of_product(p).epilogue_lanes = 1; }},
      {"lanes of a", [](KernelPlan& p) { tiling_of_product(p).left_lanes = 2; }},
      {"lanes of b", [](KernelPlan& p) { tiling_of_product(p).right_lanes = 2; }},
      {"copies samples", [](KernelPlan& p) { tactics_of_loop(p).copy = CpuTactics::Copy::of_samples; }},
      {"copies by squares", [](KernelPlan& p) { tactics_of_loop(p).copy = CpuTactics::Copy::by_squares; }},
      {"no tactics",
       [](KernelPlan& p) {
         for (Kernel& kernel : p.kernels) kernel.tactics = {};
       }},
      {"no axes",
       [](KernelPlan& p) {
         p.kernels[0].body = LoopKernel();
         p.kernels[0].tactics = {};
       }},
      {"batch",
       [](KernelPlan& p) {
         ContractionKernel& product = product_of(p);
         product.batch = {{2, false}, {1, true}};
         product.a.access().at.strides.insert(product.a.access().at.strides.begin(), {5, 9});
         product.b.access().at.strides.insert(product.b.access().at.strides.begin(), {0, 1});
         for (Body* const body : {&product.epilogue, &product.tail}) *body = {};
         product.sums.clear();
       }},
      {"rows", [](KernelPlan& p) { product_of(p).rows = {{3, true}}; }},
      {"columns", [](KernelPlan& p) { product_of(p).columns = {{1, false}}; }},
      {"inner", [](KernelPlan& p) { product_of(p).inner = {{9, false}}; }},
      {"a", [](KernelPlan& p) { product_of(p).a.access().at.strides = {2, 2}; }},
      {"b", [](KernelPlan& p) { product_of(p).b.access().buffer = 1; }},
      {"form", [](KernelPlan& p) { tactics_of_product(p).form = CpuTactics::Form::inner; }},
      {"often few rows", [](KernelPlan& p) { tactics_of_product(p).often_few_rows = true; }},
      {"weights in groups", [](KernelPlan& p) { tactics_of_product(p).weights_in_groups = true; }},
      {"rows in place", [](KernelPlan& p) { tactics_of_product(p).rows_in_place = false; }},
      {"b for writing", [](KernelPlan& p) { tactics_of_product(p).b_for_writing = false; }},
      {"sums", [](KernelPlan& p) { product_of(p).tail = {}, product_of(p).sums.clear(); }},
      {"guard", [](KernelPlan& p) { std::get<FiniteGuard>(p.kernels[2].body).buffer = 0; }},
      {"repeat", [](KernelPlan& p) { repeated(p); }},
      {"count of a repeat", [](KernelPlan& p) { repeated(p).count = 3; }},
      {"carried by a repeat", [](KernelPlan& p) { repeated(p).carried = {3, 1}; }},
      {"stride along a repeat",
       [](KernelPlan& p) {
         repeated(p);
         auto& inner = std::get<Repeat>(std::get<Repeat>(p.kernels[0].body).steps[0].body);
         auto& loop = std::get<LoopKernel>(inner.steps[0].body);
         loop.body.values[0].access.at.repeat_strides = {0, -3};
         loop.tail.stores[0].access.at.repeat_strides = {2};
       }},
      {"kernel name", [](KernelPlan& p) { p.kernels[2].name = "\\"; }},
      {"max_batch", [](KernelPlan& p) { p.max_batch = 1; }},
      {"arena", [](KernelPlan& p) { p.arena_bytes = 1; }},
      {"constants", [](KernelPlan& p) { p.constants.resize(77, std::byte{0xFE}); }},
      {"no constants", [](KernelPlan& p) { p.constants.clear(); }},
      {"result kind", [](KernelPlan& p) { p.results[0].kind = ResultKind::value; }},
      {"result name", [](KernelPlan& p) { p.results[0].name = ""; }},
      {"result buffer", [](KernelPlan& p) { p.results[0].buffer = 0; }},
      {"remark", [](KernelPlan& p) { p.remarks.emplace_back("one more"); }},
  };
  return cases;
}

TEST(PlanText, EveryFieldIsInIt) {
  const KernelPlan plan = parsed(kText);
  for (const FieldCase& row : field_cases()) {
    KernelPlan changed = plan;
    row.change(changed);
    EXPECT_NE(difference_of_plans(plan, changed), "") << row.name;
    EXPECT_NE(print_whole(plan, "p"), print_whole(changed, "p")) << row.name;
    expect_reads_back(changed, row.name);
  }
}

TEST(PlanText, EveryOperationAndKindOfValueIsInIt) {
  for (const OpInfo& row : all_operations()) {
    if (row.op_class != OpClass::elementwise) continue;
    HandPlan hand;
    const BufferId y = hand.result(DType::f64, {5});
    LoopKernel kernel;
    kernel.axes = {{5, false}};
    kernel.reduced = {false};
    std::vector<ValueId> operands;
    for (int i = 0; i < row.arity; ++i)
      operands.push_back(static_cast<ValueId>(kernel.body.values.size())),
          kernel.body.values.push_back(number(i + 0.25, DType::f64));
    kernel.body.values.push_back(operation(row.op, DType::f64, operands));
    kernel.body.stores = {{static_cast<ValueId>(operands.size()), at(y, {1}), false}};
    hand.add(kernel);
    expect_reads_back(hand.plan, std::string(row.name));
  }
  // The kinds, as far as there are any.
  for (int kind = 1; kind <= static_cast<int>(Value::Kind::reduced); ++kind) {
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
      KernelPlan plan = parsed(kText);
      Value value = simple(static_cast<Value::Kind>(kind), dtype);
      if (value.kind == Value::Kind::load) value.access = at(1, {3, 1});
      if (value.kind == Value::Kind::index) value.linear = {{-2, 1}, 7};
      if (value.kind == Value::Kind::draw) {
        value.linear = {{3, 1}, 0};
        value.sample = {{0, -1}, 2};
        value.stream = std::numeric_limits<std::uint64_t>::max();
        value.distribution = dtype == DType::f64 ? Distribution::normal : Distribution::uniform;
      }
      ContractionKernel& product = product_of(plan);
      Body& body = value.kind == Value::Kind::reduced ? product.tail : product.epilogue;
      body.values.push_back(value);
      body.stores[0].value = static_cast<ValueId>(body.values.size() - 1);
      expect_reads_back(plan, fmt::format("kind {} of {}", kind, name_of(dtype)));
    }
  }
}

// ---------------------------------------------------------------- plans of graphs

TEST(PlanText, PlansOfRandomGraphsReadBack) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    PlanCaseOptions how;
    how.nodes = 5 + static_cast<int>(seed % 60);
    how.max_batch = seed % 3 == 0 ? 40 : 5;
    how.loss = seed % 2 == 0;
    const PlanCase random = random_plan_case(seed, how);
    PlanOptions options;
    options.fuse = seed % 5 != 0;
    options.in_place = seed % 4 != 0;
    options.target.vector_bytes = seed % 3 == 0 ? 64 : 16;
    KernelPlan plan = testing::planned(random.graph, random.program, options);
    // As many kernels as can be are shared among threads.
    if (seed % 2 == 0) split_among_threads(plan, {0, 1, 1, 1});
    expect_reads_back(plan, fmt::format("seed {}", seed));
    if (HasFailure()) return;
  }
}

class ExamplePlans : public ::testing::TestWithParam<std::string> {};

TEST_P(ExamplePlans, ReadBack) {
  Sources sources;
  FrontendResult result = compile_file(test::example(GetParam() + ".tarn"), {}, sources);
  ASSERT_TRUE(result.program.has_value()) << format(result.diagnostics, sources);
  assign_offsets(*result.program);
  for (const std::int64_t bytes : {16, 64}) {
    PlanOptions options;
    options.target = {bytes, 32, true};
    PassContext context;
    const auto plans = plan_program(*result.program, options, context);
    ASSERT_TRUE(plans.has_value());
    for (const auto& [name, plan] : plans->plans) expect_reads_back(plan, name);
  }
  // Places in the source read back, too.
  PassContext context;
  const auto plans = plan_program(*result.program, {}, context);
  for (const auto& [name, plan] : plans->plans) {
    const Locations& locations = *result.program->graphs.begin()->second.locations();
    const std::string text = print_whole(plan, name, &locations, sources);
    const auto read = parse_plan(text, "again.txt", sources);
    ASSERT_TRUE(read.has_value()) << format(read.error(), sources);
    EXPECT_EQ(print_whole(read->plan, read->name, read->locations.get(), sources), text);
  }
}

std::vector<std::string> all_examples() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "examples")) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".tarn" && !stem.ends_with("_weights")) names.push_back(stem);
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(PlanText, ExamplePlans, ::testing::ValuesIn(all_examples()),
                         [](const auto& row) { return row.param; });

// ---------------------------------------------------------------- texts that are wrong

// The text with `what` replaced by `by` gives the message, at the place where `at` begins.
struct WrongCase {
  const char* what;
  const char* by;
  const char* message;
  const char* at;
};

const WrongCase kWrong[] = {
    {"plan adapt", "graph adapt", "'plan' is expected here", "graph"},
    {"max_batch 8", "max_batch 0", "a batch has 1 to 2147483648 samples", "0"},
    {"max_batch 8", "max_batch -1", "a batch cannot be negative", "-1"},
    {"arena 64", "arena x", "a number of bytes is expected here", "x\n"},
    {"arena 64", "arena 99999999999999999999", "this number is out of range", "9999"},
    {"0000803f", "0000803", "a byte has two hexadecimal digits", "0000803 "},
    {"0000803f", "0000803g", "a byte has two hexadecimal digits", "0000803g"},
    {"buffer b:", "buffer w:", "there is a buffer 'w' already: each needs its number, w$2", ": f32[3]"},
    {"buffer b:", "buffer b$1:", "this is buffer 2", "1: f32[3]"},
    {"f32[4,3]", "f16[4,3]", "'f16' is no type", "f16"},
    {"f32[4,3]", "f32[4,-3]", "an extent cannot be negative", "-3"},
    {"f32[4,3]", "f32[4,N]", "[4, N] is not a shape", "f32[4,N]"},
    {"f32[4,3]", "each f32[4,3]", "a buffer holds the samples of a batch: [N, …]", "] strides [3, 1]"},
    {"strides [3, 1]", "strides [3]", "1 strides for 2 axes", "] in state"},
    {"in state at 64", "in store at 64", "'store' is no space", "store at"},
    {"in state at 64", "in state at -1", "an offset cannot be negative", "-1"},
    {"result output \"total\"", "result sum \"total\"", "'sum' is no kind of result", "sum \"total\""},
    {"\"total\" = total", "\"total\" = totals", "there is no buffer 'totals'; did you mean 'total'?", "totals"},
    {"kernel 1", "kernel 2", "this is kernel 1", "2 \"total\""},
    {"\"total\" loop", "\"total\" lop", "'lop' is no kind of kernel: loop, product, guard or repeat", "lop"},
    {"@ \"m.tarn\"", "@ m.tarn", "the name of a file is expected here", "m.tarn"},
    {"for j < 4", "for k < 4", "'k': the axes of a loop are called i, j, k, …, each once", ""},
    {"for j < 4", "for j < -4", "an extent cannot be negative", "-4"},
    {"for j < 4", "for j < 99999999999", "an extent cannot be more than 2147483648", "99999999999"},
    {"for m < 4 n < 3", "for m < 4 i < 3", "the axes of a product are called b0, b1, …, m and n", ""},
    {"kernel 0 \"means\"\n", "kernel 4 \"means\"\n", "the plan has no such kernel", "4 \"means"},
    {"kernel 0 \"means\"\n", "kernel 0 \"mean\"\n", "kernel 0 of the plan is 'means'", "\"mean\"\n"},
    {"threads share j", "threads share x", "the kernel has no axis 'x'", "x from"},
    {"threads share j", "threads j", "'share' is expected here", "j from"},
    {"N = 3 on", "N = -3 on", "a number of samples cannot be negative", "-3 on"},
    {"vectors along n", "vectors along m", "vectors of a product go along n or k", "m\n  reads"},
    {"vectors along j", "vectors along m", "the kernel has no axis 'm'", "m\n  lanes"},
    {"reads a in place", "reads b in place", "'a' is expected here", "b in place"},
    {"reads a in place", "copies samples", "a choice, a kernel or '}' is expected here", "copies samples"},
    {"sum over k < N", "sum over j < N", "the sum of a product goes over k", ""},
    {"\"total\" loop", "\"total\" repeat 0 times { loop", "a repeat has 1 to 2147483648 rounds", ""},
    {"\"total\" loop", "\"total\" repeat 2 rounds { loop", "'times' is expected here", "rounds"},
    {"\"total\" loop", "\"total\" repeat 2 times { loop", "a kernel or '}' is expected here", "loop   # 36"},
    {"\"total\" loop", "\"total\" repeat 2 times carries x { loop", "there is no buffer 'x'", "x { loop"},
    {"b[n] = r0   if finite", "b[n + s0] = r0   if finite", "there is no axis 's0' here", "s0]"},
    {"the step ends here", "the step ends there", "'here' is expected here", "there"},
    {"exp(-", "foo(-", "'foo' is no operation on elements", "foo(-"},
    {"exp(-", "contract(-", "'contract' is no operation on elements", "contract(-"},
    {"exp(-\"mean of x\"[i])", "exp()", "a value is expected here", ")\n"},
    {"exp(-\"mean of x\"[i])", "pow(1)", "',' is expected here", ")\n"},
    {"exp(-\"mean of x\"[i])", "exp(1:bool)", "the operands of exp do not fit it", "exp(1"},
    {"t3 = exp", "t2 = exp", "there is no t3 before this", "t3 +"},
    {"order 0 2-3 1 4-6", "", "t3 is value 2 of the body", ""},
    {"order 0 2-3 1 4-6", "order 0 2-3 1 4", "5 of 7 values are listed", ""},
    {"order 0 2-3 1 4-6", "order 0 2-3 1 4-7", "the body has values 0 to 6", "4-7"},
    {"order 0 2-3 1 4-6", "order 0 2-3 2 4-6", "value 2 stands twice", "2 4-6"},
    {"(t3 * 0.5)", "(t3 ? 0.5)", "a sign between two values is expected here", "? 0.5"},
    {"(t3 * 0.5)", "(t3 * 0.5", "')' is expected here", ""},
    {"reduce_sum of f64", "reduce of f64", "'reduce' is no reduction", "reduce of"},
    {"reduce_sum of f64", "batch_sum of f64", "'batch_sum' is no reduction", "batch_sum"},
    {"r0 = reduce_sum of f64", "r1 = reduce_sum of f64", "r0 is expected here", "r1"},
    {"reduce_sum over m of", "reduce_sum of", "'over' is expected here", "of product\n"},
    {"total = r0", "total = r1", "there is no r1 here", "r1"},
    {"total = r0", "total = product", "there is no product here", "product"},
    {"total = r0", "total r0", "'=' is expected here", "r0\nkernel 2"},
    {"total = r0", "r0 = reduce_sum of 1", "a tail reduces nothing", "r0 = reduce_sum of 1"},
    {"b[n] = r0   if finite", "b[n] = r0   if true", "'finite' is expected here", "true"},
    {"input0[i, j]", "input0[i]", "'input0' has 2 axes", ""},
    {"input0[i, j]", "input0[i, j, j]", "'input0' has 2 axes", ""},
    {"input0[i, j]", "input0", "'[' and where in 'input0' is expected here", "* constant"},
    {"input0[i, j]", "input0[i, m]", "there is no axis 'm' here", "m]"},
    {"input0[i, j]", "input0[element 2 + * i]", "an axis or a number is expected here", "* i"},
    {"input0[i, j]", "input0[9223372036854775807, j]", "a number cannot be more than 4611686018427387904", "9223"},
    {"input0[i, j]", "input0[4611686018427387904*i, j]", "this index is out of range", ""},
    {"input0[i, j]", "input0[element i, row 1:i32 * 4 < 99999999999]", "more than 2147483648 rows", "99999999999"},
    {"input0[k, m]", "input0[element k, row 1:i32 * 4 < 3]", "an element with a row or bounds is computed", ""},
    {"remark \"'total'", "remark 'total'", "a remark in quotation marks is expected here", "'total'"},
    {"remark \"'total'", "what \"'total'", "there is no buffer 'what'", "what"},
    {"lanes 4,", "lanes -4,", "lanes cannot be negative", "-4"},
    {"lanes 4,", "lanes 5000000000,", "lanes are too many", "5000000000"},
    {"accumulators 4", "sums 4", "'accumulators' is expected here", "sums"},
    {"4 x 4", "4 by 4", "'x' is expected here", "by"},
    {"all 8 k", "all k", "numbers of k is expected here", "k\n"},
    {"around tiles:", "around tiles", "':' is expected here", "b packed"},
    {"b packed for", "c packed for", "what there is around tiles is expected here", "c packed"},
    {"jumps every", "fetches lines every", "'for' is expected here", "lines"},
    {"points\"\n}\ntactics adapt", "points\"\n} more", "nothing is expected behind the plan but its tactics", "more"},
    {"vectors of 4\n}", "vectors of 4\n} more", "nothing is expected behind the plan but its tactics", "more"},
};

TEST(PlanText, SaysWhatIsWrongAndWhere) {
  for (const WrongCase& row : kWrong) {
    SCOPED_TRACE(fmt::format("{} -> {}", row.what, row.by));
    std::string text = kText;
    const std::size_t found = text.find(row.what);
    ASSERT_NE(found, std::string::npos);
    text.replace(found, std::string_view(row.what).size(), row.by);
    Sources sources;
    const auto read = parse_plan(text, "plan.txt", sources);
    ASSERT_FALSE(read.has_value());
    const Diagnostic& error = read.error().front();
    EXPECT_THAT(error.message, HasSubstr(row.message));
    ASSERT_TRUE(error.span);
    if (*row.at == 0) continue;
    const std::string before = text.substr(0, text.find(row.at, found));
    EXPECT_EQ(error.span.line, 1 + std::count(before.begin(), before.end(), '\n'));
    EXPECT_EQ(error.span.column, before.size() - before.rfind('\n')) << error.message;
  }
}

// A text of a few megabytes asks for no more than it is worth, however it is nested.
TEST(PlanText, DeepAndLongTextsAreBounded) {
  const std::string text = kText;
  const auto with = [&](const std::string& what, const std::string& by) {
    std::string changed = text;
    changed.replace(changed.find(what), what.size(), by);
    Sources sources;
    const auto read = parse_plan(changed, "plan.txt", sources);
    return read ? std::string() : read.error().front().message;
  };
  const std::string minus(1'000'000, '-'), open(1'000'000, '(');
  EXPECT_THAT(with("(r0 / N)", minus + "r0"), HasSubstr("more than 200 expressions"));
  EXPECT_THAT(with("(r0 / N)", open), HasSubstr("more than 200 expressions"));
  std::string rows;
  for (int i = 0; i < 100'000; ++i) rows += "input0[element 0, row ";
  EXPECT_THAT(with("(r0 / N)", rows), HasSubstr("more than 200 expressions"));
  std::string repeats;
  for (int i = 2; i < 100'000; ++i) repeats += fmt::format("repeat 2 times {{ kernel {} \"r\" ", i);
  EXPECT_THAT(with("loop   # 36", repeats), HasSubstr("more than 8 repeats in one another"));
  std::string axes;
  for (int i = 0; i < 100'000; ++i) axes += fmt::format(" i{} < 2", i);
  EXPECT_THAT(with("for j < 4", "for" + axes), HasSubstr("more than 64 axes"));
  EXPECT_THAT(with("order 0 2-3 1 4-6", "order 0-4294967295"), HasSubstr("the body has values 0 to 6"));
}

}  // namespace
}  // namespace tarn::testing
