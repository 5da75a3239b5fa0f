// Models as code in memory, with every array between pages without access. See trajectory.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "codegen/native.h"
#include "passes/plan/kernel_plan.h"
#include "passes/tactics/threads.h"
#include "passes/tactics/tiling.h"
#include "tests/models/arrays.h"
#include "tests/models/trajectory.h"
#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::models {

namespace {

using testing::GuardedVector;

class NativeEpoch {
 public:
  NativeEpoch(const Subject& subject, const ProgramPlan& plan, NativeProgram& code, const NativeOptions& options)
      : subject_(subject),
        plan_(plan),
        code_(code),
        options_(options),
        state_(state_bytes(subject.program)),
        workspace_(std::max<std::size_t>(code.workspace_bytes(options.parts), kAlignment)),
        rows_(subject) {
    std::ranges::fill(state_, std::byte{0});
    StateHeader header;
    header.layout = layout_hash(subject.program);
    header.seed = subject.model.seed;
    std::memcpy(state_.data(), &header, sizeof(header));
    if (options.parts > 1) control_.parallel_for = run_parts_backwards;
    control_.threads = options.parts;
  }

  Result<Trajectory> go() {
    const auto rows = static_cast<std::uint64_t>(subject_.model.rows);
    code_.init()(state_.data(), workspace_.data());
    observe_state("initial ");
    if (const AdaptFunction adapt = code_.adapt()) {
      TARN_RETURN_IF_ERROR(check(adapt(state_.data(), workspace_.data(), rows_.pointers(), nullptr, rows, &control_)));
      observe_state("fitted ");
    }
    start_metrics();
    TARN_RETURN_IF_ERROR(check(
        code_.train()(state_.data(), workspace_.data(), rows_.pointers(), subject_.order.data(), rows, &control_)));
    observe_state("trained ");
    report("training ");
    start_metrics();
    TARN_RETURN_IF_ERROR(
        check(code_.evaluate()(state_.data(), workspace_.data(), rows_.pointers(), nullptr, rows, &control_)));
    report("evaluation ");
    TARN_RETURN_IF_ERROR(predict());
    return std::move(seen_);
  }

 private:
  static Status check(std::int32_t outcome) {
    if (outcome == 0) return Done{};
    return error(fmt::format("not finite: outcome {}", outcome));
  }

  void observe_state(const std::string& when) {
    append_state(subject_.program, state_.data(), when, seen_);
    control_.batches_done = 0;
  }

  void start_metrics() {
    for (const TensorInfo& tensor : subject_.program.tensors) {
      if (tensor.kind != TensorKind::metric) continue;
      const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
      write_elements(workspace_.data() + tensor.offset, tensor.type.dtype, std::vector<double>(count, tensor.initial));
    }
  }

  void report(const std::string& when) {
    std::size_t count = 0;
    for (const MetricInfo& metric : subject_.program.metrics)
      count += static_cast<std::size_t>(element_count(metric.shape));
    GuardedVector<double> values(count);
    code_.report()(workspace_.data(), values.data());
    if (options_.rounds_metrics && loss_type() == DType::f32) {
      for (double& value : values) value = static_cast<float>(value);
    }
    append_metrics(subject_.program, values.data(), when, seen_);
  }

  DType loss_type() const {
    const Graph& graph = subject_.program.graphs.at("train");
    const auto loss = std::ranges::find(graph.results(), ResultKind::loss, &GraphResult::kind);
    return graph[loss->node].type.dtype;
  }

  Status predict() {
    OutputArrays outputs(subject_);
    const bool packs = options_.packs && plan_.packed.in_groups();
    GuardedVector<std::byte> packed(packs ? plan_.packed.bytes : 0);
    if (packs) copy_packed(plan_.packed, state_, packed);
    const PredictFunction function = packs ? code_.predict_packed() : code_.predict();
    TARN_RETURN_IF_ERROR(
        check(function(packs ? packed.data() : state_.data(), workspace_.data(), rows_.pointers(), outputs.pointers(),
                       static_cast<std::uint64_t>(subject_.model.rows), &control_)));
    outputs.append_to(seen_);
    return Done{};
  }

  const Subject& subject_;
  const ProgramPlan& plan_;
  NativeProgram& code_;
  const NativeOptions& options_;
  GuardedVector<std::byte> state_, workspace_;
  InputArrays rows_;
  Control control_;
  Trajectory seen_;
};

}  // namespace

Result<Trajectory> native(const Subject& subject, const NativeOptions& options) {
  const CodegenOptions codegen = testing::options_for(options.cpu);
  PlanOptions planning;
  TARN_TRY(planning.target, target_of(codegen));
  planning.fuse = options.fuses;
  PassContext passes;
  passes.options.verify_each = true;
  passes.options.disabled = options.disabled;
  TARN_TRY(ProgramPlan plan, plan_program(subject.program, planning, passes));
  if (options.parts > 1) {
    CostModel costs;
    costs.shared_time = 0;
    costs.shared_points = costs.shared_rows = costs.shared_columns = costs.shared_groups = 1;
    for (auto& [name, kernels] : plan.plans) {
      split_among_threads(kernels, planning.target, costs);
      choose_tilings(kernels, planning.target);
    }
  }
  std::vector<std::string> functions;
  for (const auto& [name, kernels] : plan.plans) {
    if (name != "predict_packed" || options.packs) functions.push_back(name);
  }
  TARN_TRY(const std::unique_ptr<NativeProgram> code, compile_native(subject.program, plan, codegen, functions));
  return NativeEpoch(subject, plan, *code, options).go();
}

}  // namespace tarn::models
