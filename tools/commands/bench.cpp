// `tarn bench FILE`: time of a training step and of prediction, on numbers made up here; with --kernels of each kernel,
// held against what the machine can do.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ir/random.h"
#include "ir/text_parts.h"
#include "runtime/session/weights.h"
#include "tools/driver/command.h"
#include "tools/measure/machine_limits.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct BenchOptions : CommonOptions {
  bool kernels = false;
  double seconds = 0.5;
  std::vector<std::uint64_t> samples = {1, 64, 1024};
};

// Rows of every input: floats in [0, 1), zeros for anything else. Targets are 0 and 1 by turns, which every loss takes.
struct MadeUpData {
  std::vector<Bytes> arrays;
  Rows rows;

  MadeUpData(const Program& program, std::uint64_t count) {
    rows.count = count;
    for (const InputInfo& input : program.inputs) {
      const auto elements = static_cast<std::size_t>(element_count(input.type.shape)) * count;
      Bytes& bytes = arrays.emplace_back(elements * size_of(input.type.dtype), std::byte{0});
      for (std::size_t i = 0; i < elements; ++i) {
        const double value = input.role == InputRole::input ? static_cast<double>(mix_bits(i) >> 40) / (1 << 24)
                                                            : static_cast<double>(i % 2);
        set(bytes, i, input.type.dtype, value);
      }
    }
    for (const Bytes& bytes : arrays) rows.arrays.push_back(bytes.data());
  }

  static void set(Bytes& bytes, std::size_t index, DType dtype, double value) {
    if (dtype == DType::f32) {
      const auto narrow = static_cast<float>(value);
      std::memcpy(bytes.data() + index * sizeof(narrow), &narrow, sizeof(narrow));
    } else if (dtype == DType::f64) {
      std::memcpy(bytes.data() + index * sizeof(value), &value, sizeof(value));
    }
  }
};

struct Measured {
  std::string name;                // "train", "predict"
  std::uint64_t rows = 0;          // of a call of the kernels
  double seconds = 0, spread = 0;  // of such a call: median, and (largest - smallest) / median
  KernelCost cost;
  std::vector<double> kernels;  // seconds of each, with --kernels
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Runs `call`, of `batches` batches, for about as long as the options say.
void measure(const BenchOptions& options, double batches, const std::function<void()>& call, Measured& result,
             std::vector<std::uint64_t>& ticks) {
  call();
  std::fill(ticks.begin(), ticks.end(), 0);
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || total < options.seconds) {
    const auto start = std::chrono::steady_clock::now();
    call();
    times.push_back(seconds_since(start));
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  result.seconds = times[times.size() / 2] / batches;
  result.spread = (times[times.size() * 9 / 10] - times.front()) / times[times.size() / 2];
  // The counter's unit is not known: its sum over all kernels stands for the whole time.
  double sum = 0;
  for (const std::uint64_t count : ticks) sum += static_cast<double>(count);
  for (const std::uint64_t count : ticks) {
    result.kernels.push_back(sum == 0 ? 0 : static_cast<double>(count) / sum * result.seconds);
  }
}

// What each kernel of a plan costs on so many rows, by number, as far as its work goes by the rows. That of a repeat is
// what its steps do.
std::vector<KernelCost> costs_at(KernelPlan plan, std::uint64_t rows) {
  plan.max_batch = static_cast<std::int64_t>(rows);
  std::vector<KernelCost> costs;
  for (const auto& [kernel, runs] : numbered_kernels(plan)) {
    KernelCost& cost = costs.emplace_back();
    if (steps_of(*kernel) != nullptr) continue;
    const KernelCost once = cost_of(plan, *kernel);
    cost = {once.flops * runs, once.bytes * runs};
  }
  return costs;
}

KernelCost total_cost(const KernelPlan& plan, std::uint64_t rows) {
  KernelCost total;
  for (const KernelCost& cost : costs_at(plan, rows)) {
    total.flops += cost.flops;
    total.bytes += cost.bytes;
  }
  return total;
}

// Calls between two looks at the clock, so that these do not count.
std::uint64_t repeats_of(const KernelCost& cost) {
  constexpr double kManyFlops = 1e6;
  return cost.flops > 0 ? std::max<std::uint64_t>(1, static_cast<std::uint64_t>(kManyFlops / cost.flops)) : 1;
}

// An epoch of a few batches, from the same initial weights each time.
Measured measure_training(const BenchOptions& options, Session& session) {
  const KernelPlan& plan = session.model().plan().plans.at("train");
  constexpr std::uint64_t kBatches = 8;
  Measured result;
  result.name = "train";
  result.rows = static_cast<std::uint64_t>(plan.max_batch);
  result.cost = total_cost(plan, result.rows);
  const MadeUpData data(session.program(), kBatches * result.rows);
  std::vector<std::uint64_t> ticks(numbered_kernels(plan).size());
  session.count_ticks(ticks.data());
  const std::uint64_t repeats = repeats_of(result.cost);
  const Bytes start = session.state();
  MetricValues metrics;
  measure(
      options, static_cast<double>(kBatches * repeats),
      [&] {
        session.set_state(start);
        for (std::uint64_t i = 0; i < repeats; ++i) session.train(data.rows, nullptr, metrics);
      },
      result, ticks);
  session.set_state(start);
  return result;
}

Measured measure_prediction(const BenchOptions& options, Session& session, std::uint64_t samples) {
  const KernelPlan& plan = session.model().plan().plans.at("predict");
  Measured result;
  result.name = "predict";
  result.rows = std::min(samples, static_cast<std::uint64_t>(plan.max_batch));
  result.cost = total_cost(plan, result.rows);
  const MadeUpData data(session.program(), samples);
  std::vector<Bytes> outputs;
  std::vector<void*> pointers;
  for (const OutputInfo& output : session.program().outputs) {
    outputs.emplace_back(sample_bytes(output.type) * samples, std::byte{0});
  }
  for (Bytes& output : outputs) pointers.push_back(output.data());
  std::vector<std::uint64_t> ticks(numbered_kernels(plan).size());
  Control control;
  control.kernel_ticks = ticks.data();
  const PredictFunction predict = session.model().native().predict();
  const PoolLease lease(session.pool(), control);
  Bytes workspace(session.workspace_bytes());
  const std::uint64_t repeats = repeats_of(result.cost);
  const double batches = static_cast<double>((samples + result.rows - 1) / result.rows * repeats);
  measure(
      options, batches,
      [&] {
        for (std::uint64_t i = 0; i < repeats; ++i) {
          predict(session.state().data(), workspace.data(), data.rows.arrays.data(), pointers.data(), samples,
                  &control);
        }
      },
      result, ticks);
  // Said of the samples that were asked for.
  const double calls = batches / static_cast<double>(repeats);
  result.rows = samples;
  result.seconds *= calls;
  result.cost.flops *= calls;
  result.cost.bytes *= calls;
  for (double& seconds : result.kernels) seconds *= calls;
  return result;
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.2f} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.2f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

void print_kernels(const Console& console, const Measured& measured, const KernelPlan& plan, const Locations& locations,
                   const MachineLimits& limits) {
  if (!console.json()) {
    print_out("  {:<36} {:>10} {:>6} {:>9} {:>11} {:>9} {:>9}\n", "kernel", "time", "share", "MFLOP", "bytes",
              "GFLOP/s", "roofline");
  }
  const auto batch_rows = std::min(measured.rows, static_cast<std::uint64_t>(plan.max_batch));
  const double batches = static_cast<double>((measured.rows + batch_rows - 1) / batch_rows);
  const std::vector<KernelCost> costs = costs_at(plan, batch_rows);
  const std::vector<KernelRuns> kernels = numbered_kernels(plan);
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const Kernel& kernel = *kernels[i].kernel;
    if (steps_of(kernel) != nullptr) continue;
    const KernelCost& cost = costs[i];
    const double seconds = measured.kernels[i], work = cost.flops * batches, bytes = cost.bytes * batches;
    const double share = measured.seconds > 0 ? seconds / measured.seconds : 0;
    const double roofline = seconds > 0 ? batches * limits.least_seconds(cost.flops, cost.bytes) / seconds : 0;
    const std::string name = std::holds_alternative<FiniteGuard>(kernel.body) ? "(guard)" : kernel.name;
    const std::string origin = origin_of(kernel.location, locations, console.sources);
    if (console.json()) {
      console.event({{"event", "kernel"},
                     {"function", measured.name},
                     {"samples", measured.rows},
                     {"name", name},
                     {"origin", origin},
                     {"seconds", seconds},
                     {"flops", work},
                     {"bytes", bytes},
                     {"roofline", roofline}});
    } else {
      print_out("  {:<36} {:>10} {:>5.1f}% {:>9.3g} {:>11.0f} {:>9.3g} {:>8.0f}%  {}\n", name, time_text(seconds),
                share * 100, work * 1e-6, bytes, seconds > 0 ? work / seconds * 1e-9 : 0, roofline * 100, origin);
    }
  }
}

void print_measured(const Console& console, const Measured& measured) {
  if (console.json()) {
    console.event({{"event", "bench"},
                   {"function", measured.name},
                   {"samples", measured.rows},
                   {"seconds", measured.seconds},
                   {"spread", measured.spread},
                   {"flops", measured.cost.flops},
                   {"bytes", measured.cost.bytes}});
    return;
  }
  print_out("{:<8} {:>5} samples {:>10}  (spread {:.0f}%)  {:.3g} GFLOP/s, {:.0f} samples a second\n", measured.name,
            measured.rows, time_text(measured.seconds), measured.spread * 100,
            measured.cost.flops / measured.seconds * 1e-9, static_cast<double>(measured.rows) / measured.seconds);
}

void print_limits(const Console& console, const MachineLimits& limits) {
  if (console.json()) {
    Json reads = Json::array();
    for (const auto& read : limits.reads) reads.push_back({read.bytes, read.bytes_per_second});
    console.event({{"event", "machine"}, {"flops", limits.flops}, {"reads", reads}});
    return;
  }
  std::string text = fmt::format("this machine, one core: {:.0f} GFLOP/s; reads", limits.flops * 1e-9);
  for (const auto& read : limits.reads) {
    text += fmt::format(" {:.0f}", read.bytes_per_second * 1e-9);
  }
  text += " GB/s of";
  for (const auto& read : limits.reads) text += fmt::format(" {:.0f}", read.bytes / 1024);
  print_out("{} KiB\n", text);
}

int bench(const BenchOptions& options) {
  Console console(options);
  Result<ModelOptions> chosen = model_options(options);
  if (!chosen) return console.report(chosen.error());
  chosen->codegen.count_ticks = options.kernels;
  Result<std::shared_ptr<Model>> model = Model::compile(options.file, *chosen, {"init", "predict"}, console.sources);
  if (!model) return console.report(model.error());
  console.report((*model)->warnings());
  const Program& program = (*model)->program();
  Session session(*model, options.seed.value_or(program.settings.seed), options.threads);
  if (Status finite = check_initial_values(session); !finite) return console.report(finite.error());
  std::optional<MachineLimits> limits;
  if (options.kernels) {
    Result<MachineLimits> measured = measure_limits(chosen->codegen);
    if (!measured) return console.report(measured.error());
    limits = std::move(*measured);
    print_limits(console, *limits);
    limits = limits->of_cores(session.threads());
  }
  const auto show = [&](const Measured& measured) {
    print_measured(console, measured);
    if (!limits) return;
    const Locations& locations = *program.graphs.at(measured.name).locations();
    print_kernels(console, measured, (*model)->plan().plans.at(measured.name), locations, *limits);
  };
  if (program.trainable) show(measure_training(options, session));
  for (const std::uint64_t samples : options.samples) show(measure_prediction(options, session, samples));
  return kDone;
}

}  // namespace

void add_bench(CommandLine& line) {
  auto options = std::make_shared<BenchOptions>();
  Command command = line.command("bench", "time and GFLOP/s of a training step and of prediction");
  add_model_options(command, *options);
  options->threads = 1;
  add_threads_option(command, *options);
  command.flag("--kernels", options->kernels,
               "also of each kernel: time, FLOPs, bytes, and per cent of what the machine can do");
  command.option("--samples", &options->samples, "numbers of samples to predict")
      .between(std::uint64_t{1}, std::uint64_t{1} << 20);
  command.option("--seconds", &options->seconds, "time to spend on each figure").between(0.0, 3600.0);
  command.runs([options] { return bench(*options); });
}

}  // namespace tarn
