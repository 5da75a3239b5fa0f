// Self-tests in C and in JavaScript. See self_test_programs.h.
#include "codegen/model/self_test_programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "codegen/model/js_module.h"

namespace tarn {

namespace {

using Function = SelfTest::Call::Function;

std::string tolerance_text(DType precision) { return fmt::format("{:g}", tolerance_of(precision)); }

// "float", "double", or both where results of a model have both.
std::string precisions_of(const SelfTest& test) {
  std::set<DType> precisions;
  for (const SelfTest::Call& call : test.calls) precisions.insert(call.precisions.begin(), call.precisions.end());
  std::string text;
  for (const auto& [precision, name] : {std::pair(DType::f32, "float"), std::pair(DType::f64, "double")}) {
    if (precisions.contains(precision))
      text += fmt::format("{}{} to {}", text.empty() ? "" : ", ", name, tolerance_text(precision));
  }
  return text;
}

std::string list_of(const std::vector<double>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}{:.17g}", i == 0 ? "" : i % 8 == 0 ? ",\n    " : ", ", values[i]);
  }
  return text;
}

// Arrays that the calls of the test are given.
std::vector<const InterfaceArray*> arrays_of(const ModelInterface& api) {
  std::vector<const InterfaceArray*> arrays;
  for (const InterfaceArray& array : api.inputs) arrays.push_back(&array);
  if (!api.has_train && !api.has_evaluate) return arrays;
  for (const InterfaceArray& array : api.targets) arrays.push_back(&array);
  return arrays;
}

class CProgram {
 public:
  CProgram(const SelfTest& test, const ModelInterface& interface) : test_(test), api_(interface) {}

  std::string text(const std::string& header) {
    add_calls();
    return opening(header) + tables_ + main_function();
  }

 private:
  // Names of the model cannot meet those of the program.
  static std::string variable(const InterfaceArray& array) { return "array_" + array.parameter; }

  static std::string number(double value) {
    if (std::isnan(value)) return "(0.0 / zero)";
    if (std::isinf(value)) return value > 0 ? "(1.0 / zero)" : "(-1.0 / zero)";
    return fmt::format("{:.17g}", value);
  }

  std::string training_arguments() const {
    std::string text;
    for (const InterfaceArray* array : arrays_of(api_)) text += ", " + variable(*array);
    return text;
  }

  void add_calls() {
    int step = 0;
    for (const SelfTest::Call& call : test_.calls) {
      switch (call.function) {
        case Function::predict:
          add_prediction(call);
          break;
        case Function::evaluate:
          calls_ += fmt::format("  check(\"evaluate\", 0, {}_evaluate(state, workspace{}, SAMPLES, NULL), {}, {});\n",
                                api_.prefix, training_arguments(), number(call.loss),
                                tolerance_text(call.precisions.front()));
          break;
        case Function::train_step:
          calls_ += fmt::format("  check(\"train_step\", {}, {}_train_step(state, workspace{}, SAMPLES), {}, {});\n",
                                step++, api_.prefix, training_arguments(), number(call.loss),
                                tolerance_text(call.precisions.front()));
          break;
      }
    }
  }

  void add_prediction(const SelfTest::Call& call) {
    calls_ += fmt::format("  {}_predict({}workspace", api_.prefix, api_.has_state() ? "state, " : "");
    for (const auto* group : {&api_.inputs, &api_.outputs}) {
      for (const InterfaceArray& array : *group) calls_ += ", " + variable(array);
    }
    calls_ += ", SAMPLES);\n";
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      const std::vector<double>& expected = call.outputs[i];
      if (expected.empty()) continue;
      const std::string table = fmt::format("expected_{}", table_count_++);
      tables_ += fmt::format("static const double {}[{}] = {{\n    {}}};\n", table, expected.size(), list_of(expected));
      calls_ += fmt::format("  for (i = 0; i < {}; ++i) check(\"{} {}\", i, {}[i], {}[i], {});\n", expected.size(),
                            api_.outputs[i].name, call.when, variable(api_.outputs[i]), table,
                            tolerance_text(call.precisions[i]));
    }
  }

  std::string opening(const std::string& header) const;
  std::string main_function() const;

  const SelfTest& test_;
  const ModelInterface& api_;
  std::string tables_, calls_;
  int table_count_ = 0;
};

std::string CProgram::opening(const std::string& header) const {
  std::string text = fmt::format(
      "/* Self-test of the compiled model '{}': compares it with what the reference evaluator of tarn gave in double\n"
      " * precision. Exit status 0: all results agree. */\n#include \"{}\"\n\n#include <stdio.h>\n\n"
      "#define SAMPLES {}\n\n",
      api_.model, header, test_.samples);
  for (const InterfaceArray* array : arrays_of(api_)) {
    const std::vector<double>& values = test_.arrays.at(array->name);
    text += fmt::format("static const {} {}[{}] = {{\n    {}}};\n", c_type(array->type.dtype), variable(*array),
                        std::max<std::size_t>(values.size(), 1), values.empty() ? "0" : list_of(values));
  }
  if (!api_.has_predict) return text;
  for (const InterfaceArray& output : api_.outputs) {
    text += fmt::format("static {} {}[{}];\n", c_type(output.type.dtype), variable(output),
                        std::max<std::int64_t>(output.elements * test_.samples, 1));
  }
  return text;
}

std::string CProgram::main_function() const {
  std::string text = fmt::format(
      R"(
static {1}unsigned char workspace_memory[{0}_WORKSPACE_BYTES + {0}_ALIGNMENT];
static volatile double zero = 0;
static unsigned checks, failures;

static void* aligned(unsigned char* memory) {{
  return memory + ({0}_ALIGNMENT - (uintptr_t)memory % {0}_ALIGNMENT) % {0}_ALIGNMENT;
}}

/* Sums of the model's length, rounded to the precision of a result, differ by less than the tolerance from the same in
 * double precision. */
static void check(const char* what, size_t at, double actual, double expected, double tolerance) {{
  const double difference = actual > expected ? actual - expected : expected - actual;
  const double size = expected < 0 ? -expected : expected;
  const int both_nan = actual != actual && expected != expected;
  ++checks;
  if (both_nan || actual == expected || difference <= tolerance * (1 + size)) return;
  ++failures;
  printf("%s %u: %.9g, expected %.9g\n", what, (unsigned)at, actual, expected);
}}

int main(void) {{
)",
      api_.macro_prefix,
      api_.has_state()
          ? fmt::format("unsigned char state_memory[{0}_STATE_BYTES + {0}_ALIGNMENT];\nstatic ", api_.macro_prefix)
          : "");
  if (api_.has_state()) text += "  void* const state = aligned(state_memory);\n";
  text += "  void* const workspace = aligned(workspace_memory);\n  size_t i;\n";
  if (api_.has_state()) {
    text += fmt::format(
        "  {0}_init(state, UINT64_C({1}));\n"
        "  check(\"check\", 0, {0}_check(state, {0}_state_bytes()), {2}_GOOD, 0);\n",
        api_.prefix, test_.seed, api_.macro_prefix);
  }
  text += calls_;
  text += fmt::format(
      "  check(\"workspace_bytes\", 0, (double){0}_workspace_bytes(), {1}_WORKSPACE_BYTES, 0);\n"
      "  i = checks - failures;\n"
      "  printf(\"{0}: %u of %u checks passed ({2})\\n\", (unsigned)i, checks);\n"
      "  (void)zero;\n"
      "  return failures == 0 ? 0 : 1;\n}}\n",
      api_.prefix, api_.macro_prefix, precisions_of(test_));
  return text;
}

std::string js_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return fmt::format("{:.17g}", value);
}

}  // namespace

std::string c_program_of(const SelfTest& test, const ModelInterface& interface, const std::string& header) {
  return CProgram(test, interface).text(header);
}

std::string js_program_of(const SelfTest& test, const ModelInterface& interface, const std::string& module) {
  std::string text = fmt::format(
      "// Self-test of the compiled model '{}' in WebAssembly, for Node: compares it with what the reference evaluator "
      "of\n"
      "// tarn gave in double precision. Exit status 0: all results agree.\n"
      "import {{ load }} from {};\n\nconst samples = {{\n",
      interface.model, js_string("./" + module));
  for (const InterfaceArray* array : arrays_of(interface)) {
    text += fmt::format("  {}: [{}],\n", js_string(array->name), list_of(test.arrays.at(array->name)));
  }
  text += fmt::format("  count: {},\n}};\n\nconst calls = [\n", test.samples);
  for (const SelfTest::Call& call : test.calls) {
    if (call.function != Function::predict) {
      text += fmt::format("  {{ function: \"{}\", loss: {}, tolerance: {} }},\n",
                          call.function == Function::evaluate ? "evaluate" : "trainStep", js_number(call.loss),
                          tolerance_text(call.precisions.front()));
      continue;
    }
    text += fmt::format("  {{ function: \"predict\", when: \"{}\", outputs: {{\n", call.when);
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      if (call.outputs[i].empty()) continue;
      text += fmt::format("    {}: {{ tolerance: {}, values: [{}] }},\n", js_string(interface.outputs[i].name),
                          tolerance_text(call.precisions[i]), list_of(call.outputs[i]));
    }
    text += "  } },\n";
  }
  text += fmt::format(R"(];

let checks = 0, failures = 0;

// Sums of the model's length, rounded to the precision of a result, differ by less than the tolerance from the same in
// double precision.
function check(what, actual, expected, tolerance) {{
  ++checks;
  if (Object.is(actual, expected) || Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected))) return;
  ++failures;
  console.log(`${{what}}: ${{actual}}, expected ${{expected}}`);
}}

const model = await load({{ seed: {1}n }});
for (const call of calls) {{
  const result = model[call.function](samples);
  if (call.function === "predict") {{
    for (const [name, {{ tolerance, values }}] of Object.entries(call.outputs)) {{
      values.forEach((value, i) => check(`${{name}} ${{call.when}} ${{i}}`, result[name][i], value, tolerance));
    }}
  }} else {{
    check(call.function, call.function === "evaluate" ? result.loss : result, call.loss, call.tolerance);
  }}
}}
console.log(`{0}: ${{checks - failures}} of ${{checks}} checks passed ({2})`);
process.exitCode = failures === 0 ? 0 : 1;
)",
                      interface.prefix, test.seed, precisions_of(test));
  return text;
}

}  // namespace tarn
