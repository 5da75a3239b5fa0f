// Models that `tarn compile` has made: a shared object called in this process, and WebAssembly in Node. See
// trajectory.h.
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tests/models/arrays.h"
#include "tests/models/trajectory.h"
#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn::models {

namespace {

using testing::GuardedVector;

Status compile(const Subject& subject, const std::string& output, const std::string& options) {
  const std::string source = output + ".tarn";
  test::write_text(source, subject.model.text);
  std::string command = fmt::format("'{}' compile '{}' -o '{}' --prefix m --no-cache --seed {} {}", test::driver(),
                                    source, output, subject.model.seed, options);
  if (subject.model.float_type == DType::f64) command += " --precision f64";
  for (const auto& [key, value] : subject.model.overrides) command += fmt::format(" --set '{}={}'", key, value);
  const test::Finished done = test::run(command);
  if (done.status != 0) return error(done.output);
  return Done{};
}

// The functions of a shared object. All their arguments are pointers and sizes, and it does no harm to give more than a
// function takes (both x86-64 and AArch64 have the caller remove them).
class SharedObject {
 public:
  explicit SharedObject(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject() {
    if (handle_ != nullptr) dlclose(handle_);
  }
  bool is_open() const { return handle_ != nullptr; }

  using Arguments = std::vector<std::uintptr_t>;
  template <class Returned>
  Returned call(const std::string& name, const Arguments& arguments = {}) const {
    void* const address = dlsym(handle_, ("m_" + name).c_str());
    TARN_CHECK(address != nullptr, "no function m_" + name);
    TARN_CHECK(arguments.size() <= kMost, "a model of so many arrays");
    std::array<std::uintptr_t, kMost> a{};
    std::ranges::copy(arguments, a.begin());
    using Function = Returned (*)(std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t,
                                  std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t,
                                  std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t,
                                  std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t);
    return reinterpret_cast<Function>(address)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
                                               a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19]);
  }

 private:
  static constexpr std::size_t kMost = 20;
  void* handle_;
};

// The struct of the header.
struct ModelControl {
  std::int32_t stop = 0, threads = 0;
  std::uint64_t batches_done = 0, reserved = 0;
  void (*parallel_for)(void*, std::size_t, void (*)(void*, std::size_t), void*) = nullptr;
  void* context = nullptr;
};

template <class T>
std::uintptr_t number_of(T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

class SharedObjectEpoch {
 public:
  SharedObjectEpoch(const Subject& subject, const SharedObject& code, bool is_single, int threads)
      : subject_(subject),
        code_(code),
        is_single_(is_single),
        state_(code.call<std::size_t>("state_bytes")),
        workspace_(std::max<std::size_t>(code.call<std::size_t>("workspace_bytes"), kAlignment)),
        rows_(subject) {
    std::ranges::fill(state_, std::byte{0});
    control_.threads = threads;
    control_.parallel_for = run_parts_backwards;
  }

  Result<Trajectory> go() {
    const auto rows = static_cast<std::uintptr_t>(subject_.model.rows);
    code_.call<void>("init", {number_of(state_.data()), subject_.model.seed});
    append_state(subject_.program, state_.data(), "initial ", seen_);
    if (subject_.program.graphs.contains("adapt")) {
      SharedObject::Arguments arguments = with_arrays(true);
      arguments.push_back(rows);
      if (code_.call<int>("adapt", arguments) != 0) return error("not finite: adapt");
      append_state(subject_.program, state_.data(), "fitted ", seen_);
    }
    TARN_RETURN_IF_ERROR(run_with_metrics("train_epoch", "training "));
    TARN_RETURN_IF_ERROR(run_with_metrics("evaluate", "evaluation "));
    OutputArrays outputs(subject_);
    SharedObject::Arguments arguments = with_arrays(true);
    for (std::size_t i = 0; i < outputs.size(); ++i) arguments.push_back(number_of(outputs.pointers()[i]));
    arguments.push_back(rows);
    code_.call<void>("predict", arguments);
    outputs.append_to(seen_);
    return std::move(seen_);
  }

 private:
  // State, workspace, inputs; then targets and weights of samples, unless inputs alone are wanted.
  SharedObject::Arguments with_arrays(bool inputs_alone) const {
    SharedObject::Arguments arguments = {number_of(state_.data()), number_of(workspace_.data())};
    for (const bool of_inputs : {true, false}) {
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        const bool is_input = subject_.program.inputs[i].role == InputRole::input;
        if (is_input == of_inputs && (is_input || !inputs_alone)) arguments.push_back(number_of(rows_.pointers()[i]));
      }
    }
    return arguments;
  }

  Status run_with_metrics(const std::string& function, const std::string& when) {
    const bool trains = function == "train_epoch";
    SharedObject::Arguments arguments = with_arrays(false);
    if (trains) arguments.push_back(number_of(subject_.order.data()));
    arguments.push_back(static_cast<std::uintptr_t>(subject_.model.rows));
    std::size_t count = 0;
    for (const MetricInfo& metric : subject_.program.metrics) {
      count += static_cast<std::size_t>(element_count(metric.shape));
    }
    const DType type = is_single_ ? DType::f32 : DType::f64;
    GuardedVector<std::byte> metrics((count - 1) * size_of(type));
    arguments.push_back(number_of(metrics.data()));
    if (trains) arguments.push_back(number_of(&control_));
    std::vector<double> values = {is_single_ ? code_.call<float>(function, arguments)
                                             : code_.call<double>(function, arguments)};
    if (std::isnan(values[0])) return error("not finite: " + function);
    const std::vector<double> others = read_elements(metrics.data(), type, count - 1);
    values.insert(values.end(), others.begin(), others.end());
    if (trains) append_state(subject_.program, state_.data(), "trained ", seen_);
    append_metrics(subject_.program, values.data(), when, seen_);
    return Done{};
  }

  const Subject& subject_;
  const SharedObject& code_;
  bool is_single_;
  GuardedVector<std::byte> state_, workspace_;
  InputArrays rows_;
  ModelControl control_;
  Trajectory seen_;
};

// What SharedObjectEpoch does, in Node; all numbers as doubles to one file.
constexpr const char* kNodeProgram = R"(import { readFileSync, writeFileSync } from "node:fs";
import { load, metrics, tensors } from "./m.mjs";
const { seed, samples, order, adapts, outputs } = JSON.parse(readFileSync("data.json"));
const numbers = [];
const add = (values) => {
  for (const value of typeof values === "number" ? [values] : values) numbers.push(Number(value));
};
const model = await load({ seed });
const state = () => tensors.filter(({ name }) => name !== "epoch").forEach(({ name }) => add(model.tensor(name)));
const results = ({ loss, metrics: values }) => {
  add(loss);
  metrics.forEach(({ name }) => add(values[name]));
};
state();
if (adapts) { if (!model.adapt(samples)) throw new Error("not finite: adapt"); state(); }
const trained = model.trainEpoch(samples, { order });
state();
results(trained);
results(model.evaluate(samples));
const predicted = model.predict(samples);
outputs.forEach((name) => add(predicted[name]));
writeFileSync("results", Buffer.from(Float64Array.from(numbers).buffer));
)";

std::string data_as_json(const Subject& subject) {
  std::vector<std::string> samples, outputs;
  for (const auto& [name, tensor] : subject.data)
    samples.push_back(fmt::format("\"{}\": [{}]", name, fmt::join(tensor.data, ", ")));
  for (const OutputInfo& output : subject.program.outputs) outputs.push_back("\"" + output.name + "\"");
  return fmt::format("{{\"seed\": {}, \"samples\": {{{}}}, \"order\": [{}], \"adapts\": {}, \"outputs\": [{}]}}",
                     subject.model.seed, fmt::join(samples, ", "), fmt::join(subject.order, ", "),
                     subject.program.graphs.contains("adapt"), fmt::join(outputs, ", "));
}

// The observations that a list of all their numbers is.
Trajectory split(const Subject& subject, const std::vector<double>& numbers) {
  Trajectory seen;
  std::size_t at = 0;
  const auto take = [&](const std::string& name, std::int64_t count) {
    const std::size_t end = std::min(at + static_cast<std::size_t>(count), numbers.size());
    seen.push_back(
        {name,
         {numbers.begin() + static_cast<std::ptrdiff_t>(at), numbers.begin() + static_cast<std::ptrdiff_t>(end)}});
    at = end;
  };
  const auto take_state = [&](const std::string& when) {
    for (const TensorInfo& tensor : subject.program.tensors) {
      if (is_observed(tensor)) take(when + tensor.name, element_count(tensor.type.shape));
    }
  };
  take_state("initial ");
  if (subject.program.graphs.contains("adapt")) take_state("fitted ");
  take_state("trained ");
  for (const char* const when : {"training ", "evaluation "}) {
    for (const MetricInfo& metric : subject.program.metrics) take(when + metric.name, element_count(metric.shape));
  }
  for (const OutputInfo& output : subject.program.outputs)
    take("predicted " + output.name, element_count(output.type.shape) * subject.model.rows);
  return seen;
}

}  // namespace

Result<Trajectory> as_shared_object(const Subject& subject, const std::string& cpu, int threads) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("m.so");
  TARN_RETURN_IF_ERROR(compile(subject, path, fmt::format("--cpu {} --threads {}", cpu, threads)));
  const SharedObject code(path);
  if (!code.is_open()) return error(fmt::format("cannot be loaded: {}", dlerror()));
  const bool is_single = test::read_text(folder.file("m.h")).find("\nfloat m_train_epoch") != std::string::npos;
  return SharedObjectEpoch(subject, code, is_single, threads).go();
}

Result<Trajectory> as_web_assembly(const Subject& subject) {
  const test::TemporaryFolder folder;
  TARN_RETURN_IF_ERROR(compile(subject, folder.file("m.wasm"), "--target wasm32"));
  test::write_text(folder.file("program.mjs"), kNodeProgram);
  test::write_text(folder.file("data.json"), data_as_json(subject));
  const test::Finished ran = test::run(fmt::format("cd '{}' && node program.mjs", folder.path().string()));
  if (ran.status != 0) return error(ran.output);
  const std::string bytes = test::read_text(folder.file("results"));
  std::vector<double> numbers(bytes.size() / sizeof(double));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(double));
  return split(subject, numbers);
}

bool has_node() {
  static const bool found = test::run("node --version").status == 0;
  return found;
}

}  // namespace tarn::models
