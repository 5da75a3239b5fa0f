// Runs the reference evaluator on made-up samples. See self_test.h.
#include "tools/driver/self_test.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "ir/program_functions.h"
#include "ir/random.h"
#include "passes/pipeline.h"

namespace tarn {

namespace {

constexpr int kSteps = 3;

// Whole numbers where the type or what reads them asks for them; else multiples of 1/64 in [0, 1), which every type
// holds exactly.
std::vector<double> made_up_values(const InterfaceArray& array, std::int64_t samples) {
  std::vector<double> values(static_cast<std::size_t>(array.elements * samples));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t bits = mix_bits(stream_of(array.name, i));
    const ValueRange& range = array.range_of(i % static_cast<std::size_t>(array.elements));
    if (range.counts()) {
      values[i] = static_cast<double>(bits % static_cast<std::uint64_t>(range.count));
    } else if (range.kind == ValueRange::Kind::sign) {
      values[i] = bits % 2 == 0 ? 1 : -1;
    } else if (is_floating(array.type.dtype)) {
      values[i] = static_cast<double>(bits % 64) / 64;
    } else {
      values[i] = static_cast<double>(bits % 2);
    }
  }
  return values;
}

// What a value is computed in: f32 where any operation on the way is. What only moves or converts rounds to its own
// type, as in f64(tanh(x)).
DType precision_of(const Graph& graph, NodeId node) {
  const std::vector<bool> needed = graph.reachable_from(node);
  for (NodeId id = 0; id <= node; ++id) {
    const Node& n = graph[id];
    if (!needed[id] || n.type.dtype != DType::f32) continue;
    const OpClass kind = info(n.op).op_class;
    const bool computes = kind == OpClass::elementwise || kind == OpClass::reduction || kind == OpClass::contraction;
    // A parameter of f32 is rounded after each step.
    if (computes || n.op == Op::tensor) return DType::f32;
  }
  return DType::f64;
}

class SelfTestMaker {
 public:
  SelfTestMaker(const Program& program, const ModelInterface& interface, const SelfTestOptions& options)
      : program_(program), api_(interface), options_(options) {
    test_.seed = options.seed;
    test_.samples = std::min<std::int64_t>(interface.batch, 4);
  }

  Result<SelfTest> make() {
    TARN_RETURN_IF_ERROR(prepare());
    if (api_.has_predict) {
      TARN_RETURN_IF_ERROR(add_predict("before training"));
    }
    if (api_.has_evaluate) {
      TARN_RETURN_IF_ERROR(add_evaluate());
    }
    if (api_.has_train) {
      for (int step = 0; step < kSteps; ++step) TARN_RETURN_IF_ERROR(add_step());
      if (api_.has_predict) {
        TARN_RETURN_IF_ERROR(add_predict("after training"));
      }
    }
    return std::move(test_);
  }

 private:
  // A result of the evaluator, by kind and name.
  struct Values {
    Graph graph;
    std::vector<HostTensor> tensors;
    const HostTensor* find(ResultKind kind, std::string_view name) const {
      for (std::size_t i = 0; i < graph.results().size(); ++i) {
        if (graph.results()[i].kind == kind && graph.results()[i].name == name) return &tensors[i];
      }
      return nullptr;
    }
  };

  Result<Values> run(const std::string& name) {
    PassContext passes;
    passes.graph_name = name;
    TARN_TRY(Graph graph, lower_meaning(program_.graphs.at(name), passes));
    context_.step = 0;
    if (const auto step = context_.tensors.find("step");
        function_named(name).has(kCountsSteps) && step != context_.tensors.end())
      context_.step = static_cast<std::uint64_t>(step->second.data.front());
    TARN_TRY(std::vector<HostTensor> tensors, evaluate(graph, context_));
    return Values{std::move(graph), std::move(tensors)};
  }

  void keep_stores(const Values& values) {
    for (std::size_t i = 0; i < values.tensors.size(); ++i) {
      const GraphResult& result = values.graph.results()[i];
      if (result.kind == ResultKind::store) context_.tensors[result.name] = values.tensors[i];
    }
  }

  void reset_accumulators() {
    for (const TensorInfo& tensor : program_.tensors) {
      if (tensor.kind != TensorKind::metric) continue;
      const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
      context_.tensors[tensor.name] = {tensor.type.shape, std::vector<double>(count, tensor.initial)};
    }
  }

  // Where accumulators start, weights as they are at first, and samples.
  Status prepare() {
    context_.seed = options_.seed;
    reset_accumulators();
    if (api_.is_baked) {
      context_.tensors.insert(options_.weights.begin(), options_.weights.end());
    } else if (program_.graphs.contains("init")) {
      TARN_TRY(const Values values, run("init"));
      keep_stores(values);
    }
    context_.batch = test_.samples;
    for (const auto* group : {&api_.inputs, &api_.targets}) {
      for (const InterfaceArray& array : *group) {
        HostTensor tensor{array.type.shape, made_up_values(array, test_.samples)};
        tensor.shape.insert(tensor.shape.begin(), test_.samples);
        test_.arrays[array.name] = tensor.data;
        context_.inputs[array.name] = std::move(tensor);
      }
    }
    return Done{};
  }

  Status add_predict(const char* when) {
    TARN_TRY(const Values values, run("predict"));
    SelfTest::Call call{SelfTest::Call::Function::predict, when};
    for (const InterfaceArray& output : api_.outputs) {
      const HostTensor* expected = values.find(ResultKind::output, output.name);
      TARN_CHECK(expected != nullptr, "the predict graph has no output '" + output.name + "'");
      const bool finite = std::ranges::all_of(expected->data, [](double value) { return std::isfinite(value); });
      call.outputs.push_back(finite ? expected->data : std::vector<double>());
      call.precisions.push_back(precision_of(values.graph, values.graph.result(ResultKind::output, output.name)));
    }
    test_.calls.push_back(std::move(call));
    return Done{};
  }

  DType precision_of_loss(const Values& values) const {
    if (api_.real == DType::f32) return DType::f32;
    return precision_of(values.graph, values.graph.result(ResultKind::loss, "loss"));
  }

  // The accumulators of a batch make the loss, as they do in the code under test.
  Result<double> reported_loss(const Values& values) {
    keep_stores(values);
    TARN_TRY(const Values report, run("report"));
    reset_accumulators();
    const HostTensor* loss = report.find(ResultKind::value, program_.metrics.front().name);
    TARN_CHECK(loss != nullptr, "the report graph has no loss");
    return loss->data.front();
  }

  Status add_evaluate() {
    TARN_TRY(const Values values, run("evaluate"));
    TARN_TRY(const double loss, reported_loss(values));
    test_.calls.push_back({SelfTest::Call::Function::evaluate, "", {}, loss, {precision_of_loss(values)}});
    return Done{};
  }

  Status add_step() {
    TARN_TRY(const Values values, run("train"));
    const HostTensor* loss = values.find(ResultKind::loss, "loss");
    TARN_CHECK(loss != nullptr, "the train graph has no loss");
    double expected = loss->data.front();
    if (std::isfinite(expected)) {
      TARN_TRY(expected, reported_loss(values));
    }
    test_.calls.push_back({SelfTest::Call::Function::train_step, "", {}, expected, {precision_of_loss(values)}});
    return Done{};
  }

  const Program& program_;
  const ModelInterface& api_;
  const SelfTestOptions& options_;
  SelfTest test_;
  EvaluationContext context_;
};

}  // namespace

Result<SelfTest> make_self_test(const Program& program, const ModelInterface& interface,
                                const SelfTestOptions& options) {
  if (interface.has_state() && !interface.has_init)
    return error("a self-test needs `init` among the functions, or built-in weights");
  return SelfTestMaker(program, interface, options).make();
}

}  // namespace tarn
