// `tarn summary FILE`: layers, shapes, parameters, and what a step costs.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "codegen/program/workspace.h"
#include "runtime/session/thread_pool.h"
#include "tools/driver/command.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct Totals {
  std::int64_t trainable = 0, frozen = 0;  // elements of parameters, and of states and parameters that do not train
  double flops = 0, bytes = 0;             // of one prediction, a sample
  std::uint64_t parameters_and_slots = 0,
                workspace = 0;  // bytes of a training step (of prediction, where nothing trains)
  std::uint64_t peak = 0;       // bytes that `tarn train` may have at once, beside the data
};

// The program itself and the compiler's own data, which grow with the kernels; the state; the workspace with the
// scratch memory of other threads; and where the best weights are kept, those and their successors.
std::uint64_t peak_of_training(const Program& program, const ProgramPlan& plan, const WorkspaceLayout& layout) {
  constexpr std::uint64_t kProcess = 48ULL << 20, kKernel = 96ULL << 10;
  const auto threads = static_cast<std::uint64_t>(useful_threads(plan, 0));
  std::uint64_t peak = kProcess + kKernel * numbered_kernels(plan.plans.at("train")).size();
  peak += state_bytes(program) + layout.bytes + (threads - 1) * layout.scratch;
  const std::optional<EarlyStopping>& stopping = program.settings.early_stopping;
  for (const TensorInfo& tensor : program.tensors) {
    const bool kept = tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::state;
    if (kept && stopping && stopping->restore_best) peak += 2 * sample_bytes(tensor.type);
  }
  return peak;
}

Totals totals_of(const Program& program, const ProgramPlan& plan, const Target& target) {
  Totals totals;
  for (const TensorInfo& tensor : program.tensors) {
    const std::int64_t count = element_count(tensor.type.shape);
    if (tensor.kind == TensorKind::parameter) (tensor.trainable ? totals.trainable : totals.frozen) += count;
    if (tensor.kind == TensorKind::state) totals.frozen += count;
  }
  const KernelPlan& predict = plan.plans.at("predict");
  for (const Kernel& kernel : predict.kernels) {
    const KernelCost cost = cost_of(predict, kernel);
    totals.flops += cost.flops / static_cast<double>(predict.max_batch);
    totals.bytes += cost.bytes / static_cast<double>(predict.max_batch);
  }
  totals.parameters_and_slots = state_bytes(program);
  const WorkspaceLayout layout = workspace_layout(program, plan, target);
  totals.workspace = layout.bytes;
  if (program.trainable) totals.peak = peak_of_training(program, plan, layout);
  return totals;
}

std::int64_t elements_of(const Program& program, const LayerInfo& layer) {
  std::int64_t count = 0;
  for (const std::string& name : layer.tensors) {
    const TensorInfo* tensor = program.find_tensor(name);
    if (tensor != nullptr) count += element_count(tensor->type.shape);
  }
  return count;
}

void print_json(const Console& console, const Program& program, const Totals& totals) {
  Json object{{"model", program.name}, {"layers", Json::array()}};
  for (const LayerInfo& layer : program.layers) {
    object["layers"].push_back({{"name", layer.path},
                                {"layer", layer.layer},
                                {"output", layer.output},
                                {"parameters", elements_of(program, layer)},
                                {"tensors", layer.tensors}});
  }
  object["trainable"] = totals.trainable;
  object["not_trainable"] = totals.frozen;
  object["flops_per_sample"] = totals.flops;
  object["bytes_per_sample"] = totals.bytes;
  object["state_bytes"] = totals.parameters_and_slots;
  object["workspace_bytes"] = totals.workspace;
  if (program.trainable) object["peak_bytes"] = totals.peak;
  console.event(object);
}

void print_text(const Program& program, const Totals& totals) {
  print_out("{}\n\n{:<34} {:<18} {:>12}\n", program.name, "layer", "output", "parameters");
  for (const InputInfo& input : program.inputs) {
    if (input.role == InputRole::input)
      print_out("{:<34} {:<18}\n", "input " + input.name, to_string(input.type.shape));
  }
  for (const LayerInfo& layer : program.layers) {
    const std::string name = std::string(static_cast<std::size_t>(2 * layer.depth), ' ') + layer.path +
                             (layer.path.starts_with(layer.layer) ? "" : " (" + layer.layer + ")");
    print_out("{:<34} {:<18} {:>12}\n", name, to_string(layer.output), elements_of(program, layer));
  }
  print_out("\n{} trainable parameters, {} not trainable\n", totals.trainable, totals.frozen);
  print_out("prediction: {:.0f} FLOPs and {:.0f} bytes a sample\n", totals.flops, totals.bytes);
  print_out("memory of a {}: {} bytes of state, {} bytes of workspace\n",
            program.trainable ? "training step" : "prediction", totals.parameters_and_slots, totals.workspace);
  if (!program.trainable) return;
  print_out("memory of training: at most {:.0f} MiB beside the data\n",
            std::ceil(static_cast<double>(totals.peak) / (1 << 20)));
}

int summary(const CommonOptions& options) {
  Console console(options);
  Result<ModelOptions> chosen = model_options(options);
  if (!chosen) return console.report(chosen.error());
  Diagnostics warnings;
  Result<Program> program = load_program(options.file, *chosen, console.sources, warnings);
  if (!program) return console.report(program.error());
  console.report(warnings);
  Result<Target> target = target_of(chosen->codegen);
  if (!target) return console.report(target.error());
  Result<ProgramPlan> plan = plan_program(*program, *chosen, console.sources, warnings);
  if (!plan) return console.report(plan.error());
  const Totals totals = totals_of(*program, *plan, *target);
  if (console.json()) {
    print_json(console, *program, totals);
  } else {
    print_text(*program, totals);
  }
  return kDone;
}

}  // namespace

void add_summary(CommandLine& line) {
  auto options = std::make_shared<CommonOptions>();
  Command command = line.command("summary", "layers, output shapes, parameters, FLOPs and memory");
  add_model_options(command, *options);
  command.runs([options] { return summary(*options); });
}

}  // namespace tarn
