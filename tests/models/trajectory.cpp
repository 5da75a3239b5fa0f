// Preparing a model, and running it by the evaluator and the interpreter of plans. See trajectory.h.
#include "tests/models/trajectory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "frontend/frontend.h"
#include "ir/random.h"
#include "passes/plan/interpreter.h"

namespace tarn::models {

namespace {

using Values = std::map<std::string, HostTensor, std::less<>>;

double drawn_value(const InputInfo& input, const ValueRange& range, std::mt19937_64& engine) {
  const auto share = [&] { return static_cast<double>(engine() % 4096) / 4096; };
  if (range.counts()) return static_cast<double>(engine() % static_cast<std::uint64_t>(range.count));
  if (range.kind == ValueRange::Kind::sign) return engine() % 2 == 0 ? -1 : 1;
  if (input.type.dtype == DType::boolean) return static_cast<double>(engine() % 2);
  if (input.type.dtype == DType::i32) return static_cast<double>(engine() % 11) - 5;
  if (range.kind == ValueRange::Kind::probability) return engine() % 2 == 0 ? std::round(share()) : share();
  if (input.role == InputRole::sample_weight) return 0.25 + share();
  // Targets are as likely those of losses that want them positive.
  return input.role == InputRole::target ? 0.05 + share() : 2 * share() - 1 + 0x1p-14;
}

void draw_data(Subject& subject) {
  std::mt19937_64 engine(subject.model.seed + 17);
  for (const InputInfo& input : subject.program.inputs) {
    HostTensor& tensor = subject.data[input.name];
    tensor.shape = input.type.shape;
    tensor.shape.insert(tensor.shape.begin(), subject.model.rows);
    const auto elements = static_cast<std::size_t>(element_count(input.type.shape));
    for (std::size_t i = 0; i < elements * static_cast<std::size_t>(subject.model.rows); ++i)
      tensor.data.push_back(drawn_value(input, input.range_of(i % elements), engine));
  }
}

// Runs a graph of the program on a context: its results by name. What it stores is kept.
using Runner = std::function<Result<Values>(const std::string& graph, const EvaluationContext& context)>;

class Epoch {
 public:
  Epoch(const Subject& subject, Runner run, const EvaluationContext& start)
      : subject_(subject), run_(std::move(run)), context_(start) {
    context_.seed = subject.model.seed;
  }

  Result<Trajectory> go() {
    TARN_RETURN_IF_ERROR(initialize());
    TARN_RETURN_IF_ERROR(fit());
    TARN_RETURN_IF_ERROR(batches("train", &subject_.order));
    observe_state("trained ");
    TARN_RETURN_IF_ERROR(report("training "));
    TARN_RETURN_IF_ERROR(batches("evaluate", nullptr));
    TARN_RETURN_IF_ERROR(report("evaluation "));
    TARN_RETURN_IF_ERROR(batches("predict", nullptr));
    for (const OutputInfo& output : subject_.program.outputs)
      seen_.push_back({"predicted " + output.name, outputs_[output.name]});
    return std::move(seen_);
  }

 private:
  Status initialize() {
    start_metrics();
    for (const TensorInfo& tensor : subject_.program.tensors) set_initial(tensor);
    TARN_TRY(Values first, run_("init", context_));
    keep(std::move(first));
    observe_state("initial ");
    return Done{};
  }

  Status fit() {
    if (!subject_.program.graphs.contains("adapt")) return Done{};
    TARN_RETURN_IF_ERROR(batches("adapt", nullptr));
    observe_state("fitted ");
    return Done{};
  }

  void set_initial(const TensorInfo& tensor) {
    const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
    context_.tensors[tensor.name] = {tensor.type.shape, std::vector<double>(count, tensor.initial)};
  }

  void start_metrics() {
    for (const TensorInfo& tensor : subject_.program.tensors) {
      if (tensor.kind == TensorKind::metric) set_initial(tensor);
    }
  }

  void keep(Values&& results) {
    for (auto& [name, value] : results) {
      if (subject_.program.find_tensor(name) != nullptr) context_.tensors[name] = std::move(value);
    }
  }

  void observe_state(const std::string& when) {
    for (const TensorInfo& tensor : subject_.program.tensors) {
      if (is_observed(tensor)) seen_.push_back({when + tensor.name, context_.tensors[tensor.name].data});
    }
  }

  Status report(const std::string& when) {
    EvaluationContext context = context_;
    context.inputs.clear();
    context.batch = 1;
    TARN_TRY(const Values values, run_("report", context));
    for (const MetricInfo& metric : subject_.program.metrics)
      seen_.push_back({when + metric.name, values.at(metric.name).data});
    return Done{};
  }

  void set_rows(std::int64_t begin, const std::vector<std::uint32_t>* order) {
    for (const auto& [name, all] : subject_.data) {
      HostTensor& part = context_.inputs[name] = {all.shape, {}};
      part.shape[0] = context_.batch;
      const std::size_t size = all.data.size() / static_cast<std::size_t>(subject_.model.rows);
      for (std::int64_t i = begin; i < begin + context_.batch; ++i) {
        const std::size_t row = order == nullptr ? static_cast<std::size_t>(i) : (*order)[static_cast<std::size_t>(i)];
        const auto* const first = all.data.data() + row * size;
        part.data.insert(part.data.end(), first, first + size);
      }
    }
  }

  Status batches(const std::string& graph, const std::vector<std::uint32_t>* order) {
    start_metrics();
    const std::int64_t rows = subject_.model.rows, batch = subject_.program.settings.batch;
    const bool trains = graph == "train";
    std::uint64_t step = 0;
    for (std::int64_t begin = 0; begin < rows; begin += batch, ++step) {
      context_.batch = std::min(batch, rows - begin);
      context_.step = trains ? step : 0;
      context_.first_sample = trains ? 0 : static_cast<std::uint32_t>(begin);
      set_rows(begin, order);
      TARN_TRY(Values results, run_(graph, context_));
      for (const OutputInfo& output : subject_.program.outputs) {
        const auto found = results.find(output.name);
        if (graph != "predict" || found == results.end()) continue;
        std::vector<double>& all = outputs_[output.name];
        all.insert(all.end(), found->second.data.begin(), found->second.data.end());
      }
      if (graph != "predict") keep(std::move(results));
    }
    context_.step = 0;
    context_.first_sample = 0;
    return Done{};
  }

  const Subject& subject_;
  Runner run_;
  EvaluationContext context_;
  Trajectory seen_;
  std::map<std::string, std::vector<double>> outputs_;
};

bool computes_singles(const Graph& graph) {
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].type.dtype == DType::f32) return true;
  }
  return false;
}

}  // namespace

Result<Subject> prepare(const RandomModel& model) {
  Sources sources;
  FrontendOptions options;
  options.float_type = model.float_type;
  for (const auto& [key, value] : model.overrides) options.overrides.push_back({.key = key, .value = value});
  options.seed = model.seed;
  FrontendResult result = compile_text("model.tarn", model.text, options, sources);
  if (!result.program) return error(format(result.diagnostics, sources));
  assign_offsets(*result.program);
  Subject subject{model, std::move(*result.program), {}, {}, {}};
  draw_data(subject);
  subject.order = row_order(model.seed, 1, static_cast<std::uint32_t>(model.rows));
  for (const auto& [name, graph] : subject.program.graphs) {
    PassContext passes;
    Result<Graph> lowered = lower_meaning(graph, passes);
    if (!lowered) return error(format(lowered.error(), sources));
    subject.has_singles = subject.has_singles || computes_singles(*lowered);
    subject.meant.emplace(name, std::move(*lowered));
  }
  return subject;
}

bool is_observed(const TensorInfo& tensor) { return tensor.kind != TensorKind::metric && tensor.name != "epoch"; }

bool is_finite(const Trajectory& trajectory) {
  return std::ranges::all_of(trajectory, [](const Observation& one) {
    return std::ranges::all_of(one.values, [](double value) { return std::isfinite(value); });
  });
}

Result<Trajectory> evaluated(const Subject& subject, double noise, std::uint64_t noise_seed, bool rounds) {
  EvaluationContext start;
  start.noise = noise;
  start.rounds = rounds;
  std::uint64_t runs = 0;
  const Runner run = [&](const std::string& name, const EvaluationContext& context) -> Result<Values> {
    EvaluationContext noisy = context;
    noisy.noise_seed = noise_seed * 1000 + ++runs;  // other noise for each batch
    const Graph& graph = subject.meant.at(name);
    TARN_TRY(std::vector<HostTensor> results, evaluate(graph, noisy));
    Values values;
    for (std::size_t i = 0; i < results.size(); ++i) values[graph.results()[i].name] = std::move(results[i]);
    return values;
  };
  return Epoch(subject, run, start).go();
}

Result<Trajectory> interpreted(const Subject& subject, const InterpretedOptions& options) {
  PassContext passes;
  passes.options.verify_each = true;
  passes.options.disabled = options.disabled;
  TARN_TRY(const ProgramPlan plan, plan_program(subject.program, options.planning, passes));
  const Runner run = [&](const std::string& name, const EvaluationContext& context) -> Result<Values> {
    const KernelPlan& kernels = plan.plans.at(name);
    TARN_TRY(const PlanOutcome outcome, interpret(kernels, subject.program, context, {options.reversed}));
    if (outcome.stopped) return error("the step ended at its guard");
    Values values;
    for (std::size_t i = 0; i < outcome.results.size(); ++i) values[kernels.results[i].name] = outcome.results[i];
    return values;
  };
  return Epoch(subject, run, {}).go();
}

}  // namespace tarn::models
