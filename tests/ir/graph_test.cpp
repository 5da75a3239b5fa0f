// The graph and what makes it: hash-consing, reachability, locations, verification, the builder's conveniences,
// attributes, and the tensor table of a program.
#include <gmock/gmock.h>

#include <limits>

#include "ir/program.h"
#include "tests/ir/ir_test_support.h"

namespace tarn {
namespace {

using ::testing::ElementsAre;
using testing::message_of;
using Integers = std::vector<std::int64_t>;

Type floats(Shape shape) { return {DType::f32, false, std::move(shape)}; }

NodeId tensor(Builder& b, const std::string& name, Shape shape) {
  return b.source(Op::tensor, floats(std::move(shape)), {{Key::name, name}});
}

TEST(IrGraph, EqualNodesMergeAndOthersDoNot) {
  Graph graph;
  Builder b(graph);
  const NodeId x = tensor(b, "x", {2}), y = tensor(b, "y", {2});
  EXPECT_NE(x, y);
  EXPECT_EQ(tensor(b, "x", {2}), x);
  EXPECT_EQ(b.add(x, y), b.add(x, y));
  EXPECT_NE(b.add(x, y), b.add(y, x));
  EXPECT_NE(b.add(x, y), b.sub(x, y));
  EXPECT_EQ(b.constant(1, DType::f32), b.constant(1, DType::f32));
  EXPECT_NE(b.constant(1, DType::f32), b.constant(1, DType::f64));
  EXPECT_NE(b.constant(0.0, DType::f32), b.constant(-0.0, DType::f32));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(b.constant(nan, DType::f32), b.constant(-nan, DType::f32));
  const auto draw = [&](std::int64_t stream) {
    return b.source(Op::random_uniform, floats({2}), {{Key::stream, stream}});
  };
  EXPECT_NE(draw(1), draw(2));
}

TEST(IrGraph, LocationsStayOutOfTheKey) {
  Graph graph;
  Builder b(graph);
  b.set_location(graph.locations()->add({{1, 2, 3, 4}, "", 0}));
  const NodeId first = tensor(b, "x", {2});
  b.set_location(graph.locations()->add({{1, 9, 9, 9}, "", 0}));
  EXPECT_EQ(tensor(b, "x", {2}), first);
  EXPECT_EQ((*graph.locations())[graph[first].location].span, (Span{1, 2, 3, 4}));
}

TEST(IrGraph, ReachabilityAndUses) {
  Graph graph;
  Builder b(graph);
  const NodeId x = tensor(b, "x", {2});
  const NodeId unused = b.unary(Op::exp, x);
  const NodeId y = b.mul(x, x);
  graph.add_result(ResultKind::output, "y", y);
  graph.add_result(ResultKind::store, "x", y);
  EXPECT_THAT(graph.reachable(), ElementsAre(true, false, true));
  EXPECT_THAT(graph.use_counts(), ElementsAre(2, 0, 2));
  EXPECT_EQ(graph.result(ResultKind::store, "x"), y);
  EXPECT_EQ(graph.result(ResultKind::store, "y"), kNoNode);
  EXPECT_NE(unused, y);
}

TEST(IrGraph, LocationsKnowTheirCallers) {
  Locations locations;
  const LocationId model = locations.add({{1, 9, 3, 2}, "", 0});
  const LocationId layer = locations.add({{2, 4, 18, 5}, "layer 'dense'", model});
  const LocationId function = locations.add({{2, 1, 1, 1}, "function 'relu'", layer});
  EXPECT_EQ(locations.add({{2, 4, 18, 5}, "layer 'dense'", model}), layer);
  EXPECT_NE(locations.add({{2, 4, 18, 5}, "layer 'dense'", 0}), layer);
  EXPECT_EQ(locations.outermost(function), (Span{1, 9, 3, 2}));
  EXPECT_EQ(locations.outermost(0), Span{});
  const std::vector<Note> notes = locations.backtrace(function);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0].message, "in function 'relu', called here");
  EXPECT_EQ(notes[0].span, (Span{2, 4, 18, 5}));
  EXPECT_EQ(notes[1].message, "in layer 'dense', called here");
  EXPECT_EQ(notes[1].span, (Span{1, 9, 3, 2}));
}

TEST(IrVerify, NamesTheNodeThatIsWrong) {
  struct Case {
    Node node;
    std::string message;
  };
  const Case cases[] = {
      {{Op::exp, floats({3}), {0}, {}, 0}, "%2 = exp: the type is f32[3], but must be f32[2]"},
      {{Op::exp, floats({2}), {0}, {{Key::axis, std::int64_t{0}}}, 0}, "%2 = exp: 'exp' has no attribute 'axis'"},
      {{Op::add, floats({2}), {0}, {}, 0}, "%2 = add: 'add' takes 2 operands, not 1"},
      {{Op::input, floats({2, -7}), {}, {{Key::name, "z"}}, 0}, "%2 = input: [2, -7] is not a shape"},
      {{Op::input, {DType::f32, true, {}}, {}, {{Key::name, "z"}}, 0},
       "%1 = input: has a batch axis, but %2 is a value of one sample"},
  };
  for (const Case& c : cases) {
    Graph graph;
    Builder b(graph);
    tensor(b, "x", {2});
    b.source(Op::input, floats({kBatch}), {{Key::name, "n"}});
    EXPECT_EQ(message_of(verify(graph)), "");
    graph.add(c.node);
    EXPECT_EQ(message_of(verify(graph)), c.message);
  }
}

TEST(IrVerify, ResultsMustExist) {
  Graph graph;
  graph.add_result(ResultKind::store, "w", 7);
  EXPECT_EQ(message_of(verify(graph)), "result store \"w\" is %7, which does not exist");
}

TEST(IrVerify, ReportsThePlaceAndTheCalls) {
  Graph graph;
  const LocationId model = graph.locations()->add({{1, 9, 3, 2}, "", 0});
  const LocationId layer = graph.locations()->add({{2, 4, 18, 5}, "layer 'dense'", model});
  graph.add({Op::batch_size, floats({3}), {}, {}, layer});
  const Status status = verify(graph);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error()[0].span, (Span{2, 4, 18, 5}));
  ASSERT_EQ(status.error()[0].notes.size(), 1U);
  EXPECT_EQ(status.error()[0].notes[0].message, "in layer 'dense', called here");
}

TEST(IrBuilder, ScalarsAreBroadcast) {
  Graph graph;
  Builder b(graph);
  const NodeId x = b.source(Op::input, floats({kBatch, 3}), {{Key::name, "x"}});
  const NodeId two = b.constant(2, DType::f32);
  EXPECT_EQ(b.shape(b.mul(x, two)), (Shape{kBatch, 3}));
  EXPECT_EQ(b.shape(b.mul(two, x)), (Shape{kBatch, 3}));
  EXPECT_EQ(b.shape(b.mul(two, two)), Shape{});
  const NodeId positive = b.binary(Op::less, b.constant(0, DType::f32), x);
  EXPECT_EQ(b.shape(b.where(positive, two, two)), (Shape{kBatch, 3}));
  const NodeId always = b.source(Op::constant, {DType::boolean, false, {}}, {{Key::value, 1.0}});
  EXPECT_EQ(b.shape(b.where(always, two, x)), (Shape{kBatch, 3}));
  EXPECT_EQ(b.type(b.constant_like(2, x)), b.type(x));
}

TEST(IrBuilder, WhatChangesNothingReturnsTheOperand) {
  Graph graph;
  Builder b(graph);
  const NodeId x = tensor(b, "x", {2, 3});
  EXPECT_EQ(b.sum(x, {}), x);
  EXPECT_EQ(b.reshape(x, {2, 3}), x);
  EXPECT_EQ(b.broadcast(x, {2, 3}, {0, 1}), x);
  EXPECT_EQ(b.broadcast_to(x, {2, 3}), x);
  EXPECT_EQ(b.transpose(x, {0, 1}), x);
  EXPECT_EQ(b.convert(x, DType::f32), x);
  EXPECT_EQ(b.sum(x, {1, 0}), b.sum(x, {0, 1}));
}

TEST(IrBuilder, BroadcastToAlignsAtTheEnd) {
  struct Case {
    Shape from, to;
    std::vector<double> expected;
  };
  // numpy.broadcast_to(numpy.arange(n).reshape(from), to)
  const Case cases[] = {
      {{3}, {2, 3}, {0, 1, 2, 0, 1, 2}},
      {{2, 1}, {2, 3}, {0, 0, 0, 1, 1, 1}},
      {{1, 3}, {2, 3}, {0, 1, 2, 0, 1, 2}},
      {{2, 1, 2}, {2, 2, 2}, {0, 1, 0, 1, 2, 3, 2, 3}},
      {{1}, {1, 1}, {0}},
      {{}, {2}, {0, 0}},
      {{1, 3}, {kBatch, 3}, {0, 1, 2, 0, 1, 2}},
  };
  for (const Case& c : cases) {
    Graph graph;
    Builder b(graph);
    std::vector<double> values(static_cast<std::size_t>(element_count(c.from)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
    const NodeId a = b.source(Op::constant, floats(c.from), {{Key::values, values}});
    graph.add_result(ResultKind::value, "y", b.broadcast_to(a, c.to));
    EvaluationContext context;
    context.batch = 2;
    const auto found = evaluate(graph, context);
    ASSERT_EQ(message_of(found), "");
    EXPECT_EQ(found->front().data, c.expected) << to_string(c.from) << " to " << to_string(c.to);
    EXPECT_EQ(found->front().shape, with_batch(c.to, 2));
  }
}

TEST(IrBuilder, BroadcastShapes) {
  struct Case {
    Shape a, b;
    std::string expected;
  };
  const Case cases[] = {
      {{3}, {2, 3}, "[2, 3]"},
      {{2, 1}, {3}, "[2, 3]"},
      {{}, {4}, "[4]"},
      {{kBatch, 1}, {1, 3}, "[N, 3]"},
      {{3}, {4}, "shapes do not agree: [3] and [4]"},
      {{2, 3}, {2}, "shapes do not agree: [2, 3] and [2]"},
      {{kBatch, 3}, {2, 3}, "shapes do not agree: [N, 3] and [2, 3]"},
      {{0}, {1}, "[0]"},
  };
  for (const Case& c : cases) {
    for (const auto& [a, b] : {std::pair(c.a, c.b), std::pair(c.b, c.a)}) {
      const Result<Shape> found = Builder::broadcast_shapes(a, b);
      if (found) {
        EXPECT_EQ(to_string(*found), c.expected);
      } else if (a == c.a) {
        EXPECT_EQ(message_of(found), c.expected);
      }
    }
  }
}

TEST(IrBuilderDeathTest, RefusalsOfTypeRulesAreBugs) {
  Graph graph;
  Builder b(graph);
  const NodeId x = tensor(b, "x", {2}), y = tensor(b, "y", {3});
  EXPECT_DEATH(b.make(Op::add, {x, y}), "add: shapes do not agree: \\[2\\] and \\[3\\]");
}

TEST(IrAttributes, SortedAndCompared) {
  Attributes a;
  a.set(Key::strides, Integers{1});
  a.set(Key::axis, std::int64_t{3});
  a.set(Key::axis, std::int64_t{4});
  ASSERT_EQ(a.entries().size(), 2U);
  EXPECT_EQ(a.entries()[0].first, Key::axis);
  EXPECT_EQ(a.integer(Key::axis), 4);
  const Attributes b = {{Key::axis, std::int64_t{4}}, {Key::strides, Integers{1}}};
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_FALSE(a == (Attributes{{Key::axis, std::int64_t{4}}}));
  EXPECT_FALSE((Attributes{{Key::values, std::vector<double>{0.0}}}) ==
               (Attributes{{Key::values, std::vector<double>{-0.0}}}));
  for (std::size_t i = 0; i < kKeyCount; ++i) EXPECT_EQ(key_named(name_of(static_cast<Key>(i))), static_cast<Key>(i));
  EXPECT_EQ(key_named("colour"), std::nullopt);
}

TEST(IrOperations, TableIsConsistent) {
  EXPECT_EQ(op_named("no_such_operation"), std::nullopt);
  for (const OpInfo& row : all_operations()) {
    EXPECT_EQ(&info(row.op), &row) << "rows stand in the order of the enum";
    EXPECT_EQ(op_named(row.name), row.op);
    EXPECT_EQ(row.scalar != nullptr, row.op_class == OpClass::elementwise) << row.name;
    EXPECT_EQ(row.tensor != nullptr, row.scalar == nullptr && row.view_rule == nullptr) << row.name;
    EXPECT_TRUE(row.view_rule != nullptr || row.op_class != OpClass::view) << row.name;
    EXPECT_EQ(row.view_attributes != nullptr, row.view_rule != nullptr) << row.name;
    EXPECT_EQ(row.arity == 0, row.op_class == OpClass::source || row.op_class == OpClass::draw) << row.name;
    EXPECT_FALSE(row.documentation.empty()) << row.name;
  }
}

TEST(IrProgram, OffsetsAreAlignedAndSeparateForMetrics) {
  Program program;
  const auto add = [&](const std::string& name, TensorKind kind, Type type) {
    TensorInfo info;
    info.name = name;
    info.kind = kind;
    info.type = std::move(type);
    program.tensors.push_back(info);
  };
  add("kernel", TensorKind::parameter, floats({4, 6}));
  add("seen", TensorKind::metric, {DType::f64, false, {}});
  add("step", TensorKind::counter, {DType::f64, false, {}});
  add("flags", TensorKind::state, {DType::boolean, false, {65}});
  add("hits", TensorKind::metric, {DType::f64, false, {10}});
  assign_offsets(program);
  // A header of 64 bytes; 96 bytes of kernel end at 160, so that the next multiple of 64 is 192.
  EXPECT_EQ(program.find_tensor("kernel")->offset, 64U);
  EXPECT_EQ(program.find_tensor("step")->offset, 192U);
  EXPECT_EQ(program.find_tensor("flags")->offset, 256U);
  EXPECT_EQ(state_bytes(program), 384U);
  EXPECT_EQ(program.find_tensor("seen")->offset, 0U);
  EXPECT_EQ(program.find_tensor("hits")->offset, 64U);
  EXPECT_EQ(metric_bytes(program), 192U);
  EXPECT_EQ(program.find_tensor("none"), nullptr);

  const std::uint64_t hash = layout_hash(program);
  program.tensors[0].type.shape = {6, 4};
  EXPECT_NE(layout_hash(program), hash);
  program.tensors[0].type.shape = {4, 6};
  program.tensors[0].name = "kernel2";
  EXPECT_NE(layout_hash(program), hash);
  program.tensors[0].name = "kernel";
  program.tensors[4].name = "misses";
  EXPECT_EQ(layout_hash(program), hash) << "metrics are not part of a state";
}

}  // namespace
}  // namespace tarn
