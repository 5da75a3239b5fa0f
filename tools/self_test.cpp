// Runs the reference evaluator on made-up samples and writes what it gives into a C program. See self_test.h.
#include "tools/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "ir/random.h"
#include "passes/pipeline.h"

namespace tarn {

namespace {

constexpr int kSteps = 3;

// Whole numbers where the type or an index asks for them; else multiples of 1/64 in [0, 1), which every type holds
// exactly.
std::vector<double> made_up_values(const InterfaceArray& array, std::int64_t samples) {
  std::vector<double> values(static_cast<std::size_t>(array.elements * samples));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t bits = mix_bits(stream_of(array.name, i));
    if (array.index_limit > 0) {
      values[i] = static_cast<double>(bits % static_cast<std::uint64_t>(array.index_limit));
    } else if (is_floating(array.type.dtype)) {
      values[i] = static_cast<double>(bits % 64) / 64;
    } else {
      values[i] = static_cast<double>(bits % 2);
    }
  }
  return values;
}

std::string number(double value) {
  if (std::isnan(value)) return "(0.0 / zero)";
  if (std::isinf(value)) return value > 0 ? "(1.0 / zero)" : "(-1.0 / zero)";
  return fmt::format("{:.17g}", value);
}

std::string list_of(const std::vector<double>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}{:.17g}", i == 0 ? "" : i % 8 == 0 ? ",\n    " : ", ", values[i]);
  }
  return text;
}

class SelfTestWriter {
 public:
  SelfTestWriter(const Program& program, const ModelInterface& interface, const SelfTestOptions& options)
      : program_(program), api_(interface), options_(options), samples_(std::min<std::int64_t>(interface.batch, 4)) {}

  Result<std::string> write() {
    TARN_RETURN_IF_ERROR(prepare());
    if (api_.has_predict) {
      TARN_RETURN_IF_ERROR(check_predict("before training"));
    }
    if (api_.has_evaluate) {
      TARN_RETURN_IF_ERROR(check_evaluate());
    }
    if (api_.has_train) {
      for (int step = 0; step < kSteps; ++step) TARN_RETURN_IF_ERROR(check_step(step));
      if (api_.has_predict) {
        TARN_RETURN_IF_ERROR(check_predict("after training"));
      }
    }
    return assemble();
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
    if (const auto step = context_.tensors.find("step"); name == "train" && step != context_.tensors.end())
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
    context_.batch = samples_;
    for (const auto* group : {&api_.inputs, &api_.targets}) {
      for (const InterfaceArray& array : *group) {
        HostTensor tensor{array.type.shape, made_up_values(array, samples_)};
        tensor.shape.insert(tensor.shape.begin(), samples_);
        context_.inputs[array.name] = std::move(tensor);
      }
    }
    return Done{};
  }

  Status check_predict(const char* when) {
    TARN_TRY(const Values values, run("predict"));
    body_ += fmt::format("  {}_predict({}workspace", api_.prefix, api_.has_state() ? "state, " : "");
    for (const auto* group : {&api_.inputs, &api_.outputs}) {
      for (const InterfaceArray& array : *group) body_ += ", " + variable(array);
    }
    body_ += ", SAMPLES);\n";
    for (const InterfaceArray& output : api_.outputs) {
      const HostTensor* expected = values.find(ResultKind::output, output.name);
      TARN_CHECK(expected != nullptr, "the predict graph has no output '" + output.name + "'");
      const std::string table = fmt::format("expected_{}", tables_++);
      data_ +=
          fmt::format("static const double {}[{}] = {{\n    ", table, std::max<std::size_t>(expected->data.size(), 1));
      for (std::size_t i = 0; i < expected->data.size(); ++i) {
        const double value = std::isfinite(expected->data[i]) ? expected->data[i] : 0;
        data_ += fmt::format("{}{:.17g}", i == 0 ? "" : i % 4 == 0 ? ",\n    " : ", ", value);
      }
      data_ += expected->data.empty() ? "0};\n" : "};\n";
      const bool finite = std::ranges::all_of(expected->data, [](double value) { return std::isfinite(value); });
      if (!finite || expected->data.empty()) continue;
      body_ += fmt::format("  for (i = 0; i < {}; ++i) check(\"{} {}\", i, {}[i], {}[i]);\n", expected->data.size(),
                           output.name, when, variable(output), table);
    }
    return Done{};
  }

  std::string samples_of_training() const {
    std::string text;
    for (const auto* group : {&api_.inputs, &api_.targets}) {
      for (const InterfaceArray& array : *group) text += ", " + variable(array);
    }
    return text;
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

  Status check_evaluate() {
    TARN_TRY(const Values values, run("evaluate"));
    TARN_TRY(const double loss, reported_loss(values));
    body_ += fmt::format("  check(\"evaluate\", 0, {}_evaluate(state, workspace{}, SAMPLES, NULL), {});\n", api_.prefix,
                         samples_of_training(), number(loss));
    return Done{};
  }

  Status check_step(int step) {
    TARN_TRY(const Values values, run("train"));
    const HostTensor* loss = values.find(ResultKind::loss, "loss");
    TARN_CHECK(loss != nullptr, "the train graph has no loss");
    double expected = loss->data.front();
    if (std::isfinite(expected)) {
      TARN_TRY(expected, reported_loss(values));
    }
    body_ += fmt::format("  check(\"train_step\", {}, {}_train_step(state, workspace{}, SAMPLES), {});\n", step,
                         api_.prefix, samples_of_training(), number(expected));
    return Done{};
  }

  // Names of the model cannot meet those of the program.
  static std::string variable(const InterfaceArray& array) { return "array_" + array.parameter; }

  std::string assemble() const;

  const Program& program_;
  const ModelInterface& api_;
  const SelfTestOptions& options_;
  const std::int64_t samples_;
  EvaluationContext context_;
  std::string data_, body_;
  int tables_ = 0;
};

std::string SelfTestWriter::assemble() const {
  std::string text = fmt::format(
      "/* Self-test of the compiled model '{}': compares it with what the reference evaluator of tarn gave in double\n"
      " * precision. Exit status 0: all results agree. */\n#include \"{}\"\n\n#include <stdio.h>\n\n"
      "#define SAMPLES {}\n\n",
      api_.model, options_.header, samples_);
  for (const auto* group : {&api_.inputs, &api_.targets}) {
    if (group == &api_.targets && !api_.has_train && !api_.has_evaluate) continue;
    for (const InterfaceArray& array : *group) {
      const std::vector<double>& values = context_.inputs.at(array.name).data;
      text += fmt::format("static const {} {}[{}] = {{\n    {}}};\n", c_type(array.type.dtype), variable(array),
                          std::max<std::size_t>(values.size(), 1), values.empty() ? "0" : list_of(values));
    }
  }
  if (api_.has_predict) {
    for (const InterfaceArray& output : api_.outputs) {
      text += fmt::format("static {} {}[{}];\n", c_type(output.type.dtype), variable(output),
                          std::max<std::int64_t>(output.elements * samples_, 1));
    }
  }
  const bool is_double = api_.real == DType::f64 || (!api_.outputs.empty() && api_.outputs[0].type.dtype == DType::f64);
  text += data_;
  text += fmt::format(
      R"(
static {2}unsigned char workspace_memory[{0}_WORKSPACE_BYTES + {0}_ALIGNMENT];
static volatile double zero = 0;
static unsigned checks, failures;

static void* aligned(unsigned char* memory) {{
  return memory + ({0}_ALIGNMENT - (uintptr_t)memory % {0}_ALIGNMENT) % {0}_ALIGNMENT;
}}

/* Sums of the model's length, rounded to {3}, differ by less than this from the same in double precision. */
static void check(const char* what, size_t at, double actual, double expected) {{
  const double difference = actual > expected ? actual - expected : expected - actual;
  const double size = expected < 0 ? -expected : expected;
  const int both_nan = actual != actual && expected != expected;
  ++checks;
  if (both_nan || actual == expected || difference <= {1} * (1 + size)) return;
  ++failures;
  printf("%s %u: %.9g, expected %.9g\n", what, (unsigned)at, actual, expected);
}}

int main(void) {{
)",
      api_.macro_prefix, is_double ? "1e-9" : "1e-4",
      api_.has_state()
          ? fmt::format("unsigned char state_memory[{0}_STATE_BYTES + {0}_ALIGNMENT];\nstatic ", api_.macro_prefix)
          : "",
      is_double ? "double" : "float");
  if (api_.has_state()) text += "  void* const state = aligned(state_memory);\n";
  text += "  void* const workspace = aligned(workspace_memory);\n  size_t i;\n";
  if (api_.has_state()) {
    text += fmt::format(
        "  {0}_init(state, UINT64_C({1}));\n"
        "  check(\"check\", 0, {0}_check(state, {0}_state_bytes()), {2}_GOOD);\n",
        api_.prefix, options_.seed, api_.macro_prefix);
  }
  text += body_;
  text += fmt::format(
      "  check(\"workspace_bytes\", 0, (double){0}_workspace_bytes(), {1}_WORKSPACE_BYTES);\n"
      "  i = checks - failures;\n"
      "  printf(\"{0}: %u of %u checks passed\\n\", (unsigned)i, checks);\n"
      "  (void)zero;\n"
      "  return failures == 0 ? 0 : 1;\n}}\n",
      api_.prefix, api_.macro_prefix);
  return text;
}

}  // namespace

Result<std::string> self_test(const Program& program, const ModelInterface& interface, const SelfTestOptions& options) {
  if (interface.has_state() && !interface.has_init)
    return error("a self-test needs `init` among the functions, or built-in weights");
  return SelfTestWriter(program, interface, options).write();
}

}  // namespace tarn
