// The text form: what it looks like, that random graphs survive it, and that no text breaks the parser.
#include "ir/text.h"

#include <cmath>
#include <limits>
#include <set>

#include "tests/ir/ir_test_support.h"

namespace tarn {
namespace {

using Integers = std::vector<std::int64_t>;

using testing::message_of;
using testing::same_place;

TEST(IrText, LooksAsDocumented) {
  Sources sources;
  const FileId file = sources.add("iris.tarn", "");
  Graph graph;
  Builder b(graph);
  const LocationId model = graph.locations()->add({{file, 9, 3, 2}, "", 0});
  b.set_location(graph.locations()->add({{file, 3, 9, 0}, "", 0}));
  const NodeId x = b.source(Op::input, {DType::f32, false, {kBatch, 4}}, {{Key::name, "x"}});
  b.set_location(0);
  const NodeId kernel = b.source(Op::tensor, {DType::f32, false, {4, 6}}, {{Key::name, "dense_1.kernel"}});
  b.set_location(graph.locations()->add({{file, 4, 18, 5}, "layer 'dense'", model}));
  const NodeId y = b.contract(x, kernel, "mk,kn->mn");
  graph.add_result(ResultKind::output, "y", y);
  graph.add_result(ResultKind::store, "dense_1.kernel", kernel);
  EXPECT_EQ(print(graph, "train", sources),
            "graph train {\n"
            "  %x: f32[N,4] = input() {name = \"x\"} @ \"iris.tarn\":3:9\n"
            "  %dense_1.kernel: f32[4,6] = tensor() {name = \"dense_1.kernel\"}\n"
            "  %2: f32[N,6] = contract(%x, %dense_1.kernel) {map = \"mk,kn->mn\"} @ \"iris.tarn\":4:18+5 in \"layer "
            "'dense'\" @ "
            "\"iris.tarn\":9:3+2\n"
            "  result output \"y\" = %2\n"
            "  result store \"dense_1.kernel\" = %dense_1.kernel\n"
            "}\n");
  EXPECT_EQ(print(graph, "train", sources, {.locations = false}).find('@'), std::string::npos);
}

// The graph's printed form, read back and printed again.
std::string reprinted(const std::string& text) {
  Sources sources;
  const Result<NamedGraph> parsed = parse_graph(text, "again.ir", sources);
  return parsed ? print(parsed->graph, parsed->name, sources) : message_of(parsed) + "\n" + text;
}

TEST(IrText, NamesThatClashOrAreNoWordsGiveWayToIds) {
  Sources sources;
  Graph graph;
  Builder b(graph);
  for (const char* name : {"x", "7", "", "two words", "a\"\\\n\x01\x7f", "input.x", "größe"}) {
    b.source(Op::tensor, {DType::f32, false, {}}, {{Key::name, name}});
    b.source(Op::input, {DType::f32, true, {}}, {{Key::name, name}});
    b.source(Op::input, {DType::f32, true, {2}}, {{Key::name, name}});
  }
  const std::string text = print(graph, "two words", sources);
  EXPECT_NE(text.find("%x: f32[] = tensor()"), std::string::npos) << text;
  EXPECT_NE(text.find("%input.x: each f32[] = input()"), std::string::npos) << text;
  EXPECT_NE(text.find("%2: each f32[2] = input() {name = \"x\"}"), std::string::npos) << text;
  EXPECT_EQ(reprinted(text), text);
}

TEST(IrText, NumbersReadBackToTheSameDouble) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {0.0,      -0.0,      0.1,          1.0 / 3, 5e-324,     -1.7976931348623157e308,
                                      infinity, -infinity, std::nan(""), 1e22,    123456789.0};
  Sources sources;
  Graph graph;
  Builder b(graph);
  const Shape shape = {static_cast<std::int64_t>(values.size())};
  b.source(Op::constant, {DType::f64, false, shape}, {{Key::values, values}});
  for (const double value : values) b.constant(value, DType::f64);
  const std::string text = print(graph, "numbers", sources);
  const Result<NamedGraph> parsed = parse_graph(text, "numbers.ir", sources);
  ASSERT_EQ(message_of(parsed), "") << text;
  ASSERT_EQ(parsed->graph.size(), graph.size());
  for (NodeId id = 0; id < graph.size(); ++id) EXPECT_EQ(parsed->graph[id].attributes, graph[id].attributes) << text;
}

// Makes nodes of random operations with random operands and attributes; what the type rules refuse is dropped.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, Sources& sources)
      : random_(seed), batched_(seed % 2 == 0), file_(sources.add("random.tarn", "")) {
    for (int i = 0; i < 4000; ++i) propose();
    for (int i = 0; i < 5; ++i) {
      const auto kind = static_cast<ResultKind>(below(4));
      graph_.add_result(kind, "result " + std::to_string(i), static_cast<NodeId>(below(graph_.size())));
    }
  }
  const Graph& graph() const { return graph_; }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  void propose() {
    const auto rows = all_operations();
    const OpInfo& row = rows[below(rows.size())];
    const std::size_t arity = row.arity == kVariadic ? 1 + below(3) : static_cast<std::size_t>(row.arity);
    if (graph_.size() == 0 && arity > 0) return;
    std::vector<NodeId> inputs;
    for (std::size_t i = 0; i < arity; ++i) inputs.push_back(operand(inputs));
    Attributes attributes;
    for (std::size_t i = 0; i < kKeyCount; ++i) {
      const Key key = static_cast<Key>(i);
      const bool optional = (row.optional_keys >> i & 1U) != 0;
      if ((row.keys >> i & 1U) != 0 && (!optional || below(2) == 0)) attributes.set(key, value_of(key));
    }
    Type requested{static_cast<DType>(below(4)), !batched_ && below(2) == 0, shape()};
    // A movement that needs a request mostly gets one that fits: the elements of the operand in one row.
    if (row.op == Op::reshape && !has_batch(graph_[inputs[0]].type.shape))
      requested.shape = {element_count(graph_[inputs[0]].type.shape)};
    // Indices and table of scatter_add hardly ever fit by chance: it undoes a gather.
    if (row.op == Op::scatter_add) {
      const NodeId gathered = static_cast<NodeId>(below(graph_.size()));
      if (graph_[gathered].op != Op::gather) return;
      inputs = {gathered, graph_[gathered].inputs[1]};
      attributes = graph_[gathered].attributes;
      requested = graph_[graph_[gathered].inputs[0]].type;
    }
    // So do the five lists of a fold: it undoes windows.
    if (row.op == Op::fold) {
      const NodeId shown = static_cast<NodeId>(below(graph_.size()));
      if (graph_[shown].op != Op::windows) return;
      inputs = {shown};
      const Integers axes = graph_[shown].attributes.integers(Key::axes);
      attributes.set(Key::axes, axes);
      for (const Key key : {Key::extents, Key::steps, Key::dilations}) attributes.set(key, Integers(axes.size(), 2));
      attributes.set(Key::before, Integers(axes.size(), 1));
    }
    builder_.set_location(location());
    static_cast<void>(builder_.try_make(row.op, inputs, attributes, &requested));
  }

  // Half of the operands have the type of the first, so that elementwise operations come about.
  NodeId operand(const std::vector<NodeId>& before) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      const NodeId id = static_cast<NodeId>(below(graph_.size()));
      if (before.empty() || graph_[id].type == graph_[before.front()].type) return id;
    }
    return static_cast<NodeId>(below(graph_.size()));
  }

  Shape shape() {
    Shape result;
    if (batched_ && below(2) == 0) result.push_back(kBatch);
    for (std::size_t i = below(3); i > 0; --i) result.push_back(static_cast<std::int64_t>(1 + below(3)));
    return result;
  }

  AttributeValue value_of(Key key) {
    static const char* const kMaps[] = {"a,a->", "ab,bc->ac", "nk,nk->n", "a,b->ab", "ab,ab->ba"};
    static const char* const kNames[] = {"x", "dense_1.kernel", "in \"quotes\"", "y"};
    static const double kNumbers[] = {0, 1, -0.0, 0.1, std::nan(""), std::numeric_limits<double>::infinity()};
    switch (kind_of(key)) {
      case 0:
        return key == Key::axis ? static_cast<std::int64_t>(below(2))
                                : static_cast<std::int64_t>(random_()) - (1LL << 31);
      case 1:
        return kNumbers[below(6)];
      case 2:
        return std::string(key == Key::map ? kMaps[below(5)] : kNames[below(4)]);
      case 3: {
        std::vector<std::int64_t> list(below(3));
        const std::size_t offset =
            key == Key::axes || key == Key::starts || key == Key::low || key == Key::high ? 0 : 1;
        for (std::size_t i = 0; i < list.size(); ++i)
          list[i] = static_cast<std::int64_t>(key == Key::axes ? i : offset + below(2));
        return list;
      }
      default: {
        std::vector<double> list(1 + below(4));
        for (double& number : list) number = kNumbers[below(6)];
        return list;
      }
    }
  }

  LocationId location() {
    LocationId id = 0;
    for (std::size_t depth = below(4); depth > 0; --depth) {
      const auto part = [&] { return static_cast<std::uint32_t>(below(50)); };
      const Span span = below(5) == 0 ? Span{} : Span{file_, part(), part(), part()};
      id = graph_.locations()->add({span, below(2) == 0 ? "" : "layer '" + std::to_string(below(9)) + "'", id});
    }
    return id;
  }

  std::mt19937 random_;
  bool batched_;
  FileId file_;
  Graph graph_;
  Builder builder_{graph_};
};

TEST(IrText, RandomGraphsReadBackTheSame) {
  std::set<Op> seen;
  for (unsigned seed = 1; seed <= 48; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Sources sources;
    const RandomGraph random(seed, sources);
    const Graph& graph = random.graph();
    ASSERT_EQ(message_of(verify(graph)), "");
    const std::string text = print(graph, "random", sources);
    const Result<NamedGraph> parsed = parse_graph(text, "random.ir", sources);
    ASSERT_EQ(message_of(parsed), "");
    ASSERT_EQ(parsed->graph.size(), graph.size());
    for (NodeId id = 0; id < graph.size(); ++id) {
      const Node& a = graph[id];
      const Node& b = parsed->graph[id];
      seen.insert(a.op);
      EXPECT_TRUE(a.op == b.op && a.type == b.type && a.inputs == b.inputs && a.attributes == b.attributes)
          << "%" << id;
      EXPECT_TRUE(same_place(*graph.locations(), a.location, *parsed->graph.locations(), b.location)) << "%" << id;
    }
    EXPECT_EQ(parsed->graph.results(), graph.results());
    EXPECT_EQ(print(parsed->graph, "random", sources), text);
  }
  for (const OpInfo& row : all_operations()) EXPECT_TRUE(seen.count(row.op)) << row.name << " never came about";
}

TEST(IrText, DamagedTextNeverBreaksTheParser) {
  Sources printed;
  std::string text = print(RandomGraph(3, printed).graph(), "random", printed);
  text.resize(std::min<std::size_t>(text.size(), 6000));
  text = text.substr(0, text.rfind('\n')) + "\n}\n";
  std::mt19937 random(17);
  const std::string alphabet = "%:=(){}[]@\"\\,+-.0123456789Nabcdefinrstx# \n\xC3";
  int accepted = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = text;
    for (std::size_t edits = random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          damaged.erase(at, 1 + random() % 40);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 40));
      }
    }
    Sources sources;
    const Result<NamedGraph> parsed = parse_graph(damaged, "damaged.ir", sources);
    if (!parsed) {
      ASSERT_FALSE(parsed.error().empty());
      continue;
    }
    ++accepted;
    ASSERT_EQ(reprinted(print(parsed->graph, parsed->name, sources)), print(parsed->graph, parsed->name, sources))
        << "round " << round;
  }
  EXPECT_GT(accepted, 100);
}

TEST(IrText, ErrorsNameThePlace) {
  struct Case {
    std::string text;
    std::uint32_t line, column;
    std::string message;
  };
  const Case cases[] = {
      {"", 1, 1, "'graph' is missing at the end"},
      {"graph t {", 1, 10, "a node, 'result' or '}' is missing at the end"},
      {"# made by a pass\ngraph t { } x", 2, 13, "nothing is expected behind the graph"},
      {"graph t {\n  %a: f32[2] = noise()\n}", 2, 16, "'noise' is no operation"},
      {"graph t {\n  %a: f16[2] = iota()\n}", 2, 7, "'f16' is no type"},
      {"graph t {\n  %ä: f32[2] = iota()\n}", 2, 4, "the name of a node is expected here"},
      {"graph t {\n  %a: f32[2] = iota() {colour = 1}\n}", 2, 24, "'colour' is no attribute"},
      {"graph t {\n  %a: f32[2] = iota() {axis = 0, axis = 0}\n}", 2, 34, "'axis' stands twice"},
      {"graph t {\n  %a: f32[2] = iota() {axis = x}\n}", 2, 31, "an integer is expected here"},
      {"graph t {\n  %a: f32[2] = iota() {axis = 99999999999999999999}\n}", 2, 31, "this number is out of range"},
      {"graph t {\n  %a: f32[] = constant() {value = 1e999}\n}", 2, 35, "this number is out of range"},
      {"graph t {\n  %a: f32[-3] = iota() {axis = 0}\n}", 2, 11, "an extent cannot be negative"},
      {"graph t {\n  %a: f32[2] = exp(%b)\n}", 2, 21, "there is no %b before this"},
      {"graph t {\n  %a: f32[2] = iota() {axis = 0}\n  %a: f32[2] = exp(%a)\n}", 3, 4, "%a is there already"},
      {"graph t {\n  %a: f32[2] = iota() {axis = 0}\n  %b: f32[3] = exp(%a)\n}", 3, 16,
       "the type of %b is f32[2], not f32[3]"},
      {"graph t {\n  %a: f32[] = tensor() {name = \"w}\n}", 2, 32, "this string does not end"},
      {"graph t {\n  %a: f32[] = tensor() {name = \"\\q\"}\n}", 2, 32, "this string has an unknown escape"},
      {"graph t {\n  result profit \"x\" = %a\n}", 2, 10, "'profit' is no kind of result"},
  };
  for (const Case& c : cases) {
    Sources sources;
    const Result<NamedGraph> parsed = parse_graph(c.text, "bad.ir", sources);
    ASSERT_FALSE(parsed.has_value()) << c.text;
    const Diagnostic& error = parsed.error().front();
    EXPECT_EQ(error.message, c.message) << c.text;
    EXPECT_EQ(sources.name(error.span.file), "bad.ir");
    EXPECT_EQ(error.span.line, c.line) << c.text;
    EXPECT_EQ(error.span.column, c.column) << c.text;
  }
}

TEST(IrText, FormsDoNotMix) {
  EXPECT_EQ(
      message_of(testing::parse_body("%a: each f32[] = input() {name = \"a\"} %b: f32[N] = input() {name = \"b\"}")),
      "%1 = input: has a batch axis, but %0 is a value of one sample");
}

}  // namespace
}  // namespace tarn
