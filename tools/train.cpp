// `tarn train FILE`: compile in memory, train, write the weights.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/file.h"
#include "runtime/training.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions : CommonOptions {
  std::string output, validation, checkpoint, history;
  std::optional<std::string> resume;
  std::optional<std::int64_t> epochs, batch;
  std::int64_t every = 0;
};

constexpr const char* kCheckpointFile = "checkpoint.safetensors";

// Where checkpoints go: --checkpoint, else a folder beside the model file, which only an interrupted run makes.
std::string checkpoint_folder(const TrainOptions& options) {
  return options.checkpoint.empty() ? std::filesystem::path(options.file).replace_extension(".checkpoint").string()
                                    : options.checkpoint;
}

std::string checkpoint_path(const std::string& directory) {
  return (std::filesystem::path(directory) / kCheckpointFile).string();
}

Status save_checkpoint(const std::string& folder, const Session& session, const Vocabularies& vocabularies) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return system_error("create", folder, failed.value());
  return write_checkpoint(checkpoint_path(folder), session, vocabularies);
}

struct TrainingData {
  Dataset training;
  std::optional<Dataset> validation;
  Rows training_rows, validation_rows;
};

Result<TrainingData> read_training_data(const TrainOptions& options, const Model& model, Vocabularies& vocabularies) {
  const Program& program = model.program();
  TrainingData data;
  TARN_TRY(data.training, read_dataset(program, model.folder(), {"", data_paths(options), true}, vocabularies));
  data.training_rows = data.training.view();
  if (!options.validation.empty() || has_data(program, "validation")) {
    DataRequest request{"validation", {}, true};
    if (!options.validation.empty()) request.paths[""] = options.validation;
    TARN_TRY(data.validation, read_dataset(program, model.folder(), request, vocabularies));
    data.validation_rows = data.validation->view();
  } else if (program.settings.validation_split > 0) {
    // Keras cuts off the last rows, before any shuffling of epochs.
    const auto rows = static_cast<double>(data.training.rows);
    const auto cut = static_cast<std::uint64_t>(rows * (1 - program.settings.validation_split));
    if (cut == 0)
      return error(fmt::format("validation_split {} leaves nothing to train on", program.settings.validation_split));
    data.validation_rows = data.training_rows.slice(program, cut, data.training.rows);
    data.training_rows = data.training_rows.slice(program, 0, cut);
  }
  return data;
}

// The rows of a CSV history: a header, then a line an epoch.
class History {
 public:
  void add(const Program& program, const EpochReport& report) {
    if (text_.empty()) {
      text_ = "epoch";
      for (const char* prefix : {"", "val_"}) {
        if (*prefix != 0 && !report.validation) continue;
        for (const MetricInfo& metric : program.metrics) {
          if (metric.shape.empty()) text_ += fmt::format(",{}{}", prefix, metric.name);
        }
      }
      text_ += ",seconds\n";
    }
    text_ += fmt::format("{}", report.epoch);
    add_values(program, report.training);
    if (report.validation) add_values(program, *report.validation);
    text_ += fmt::format(",{}\n", report.seconds);
  }
  const std::string& text() const { return text_; }

 private:
  void add_values(const Program& program, const MetricValues& values) {
    for (std::size_t i = 0; i < program.metrics.size(); ++i) {
      if (program.metrics[i].shape.empty()) text_ += fmt::format(",{}", values.values[i].front());
    }
  }
  std::string text_;
};

void add_losses(Json& object, const Program& program, const EpochReport& report) {
  object["loss"] = json_number(report.training.loss(), false);
  if (report.validation) object["val_loss"] = json_number(report.validation->loss(), false);
  object["metrics"] = Json::object();
  add_metrics(object["metrics"], program, report.training, "");
  if (report.validation) add_metrics(object["metrics"], program, *report.validation, "val_");
}

void announce(const Console& console, const Model& model) {
  std::int64_t parameters = 0;
  for (const TensorInfo& tensor : model.program().tensors) {
    if (tensor.kind == TensorKind::parameter) parameters += element_count(tensor.type.shape);
  }
  if (console.json()) {
    console.event({{"event", "compiled"},
                   {"parameters", parameters},
                   {"compile_ms", model.compile_milliseconds()},
                   {"cpu", host_cpu()},
                   {"features", host_features()},
                   {"threads", 1}});
    return;
  }
  console.note(fmt::format("{}: {} parameters, compiled in {:.0f} ms", model.program().name, parameters,
                           model.compile_milliseconds()));
  for (const MetricInfo& metric : model.program().metrics) {
    if (metric.resolved != metric.name && !metric.resolved.empty()) {
      console.note(fmt::format("metric '{}' is {}", metric.name, metric.resolved));
    }
  }
}

void announce_end(const Console& console, const Session& session, const FitResult& result, std::int64_t epochs,
                  const std::string& weights) {
  const Program& program = session.program();
  const double rate = result.seconds > 0 ? static_cast<double>(result.steps) / result.seconds : 0;
  if (console.json()) {
    Json object{{"event", "trained"}, {"epochs", epochs}};
    if (result.last) add_losses(object, program, *result.last);
    object["seconds"] = result.seconds;
    object["steps_per_second"] = rate;
    object["weights"] = weights;
    console.event(object);
    return;
  }
  if (result.last) {
    std::string text = metric_text(program, result.last->training, "");
    if (result.last->validation) text += "  " + metric_text(program, *result.last->validation, "val_");
    fmt::print("{}\n", text);
  }
  const char* early = result.end == FitResult::End::stopped_early ? ", stopped early" : "";
  console.note(fmt::format("trained {} epochs in {:.3g} s ({:.0f} steps a second){}; weights in {}", epochs,
                           result.seconds, rate, early, weights));
}

// A session with the weights or the checkpoint that the options ask it to start from.
Status start_session(const TrainOptions& options, Session& session, Vocabularies& vocabularies) {
  if (!options.weights.empty()) {
    TARN_TRY(const WeightsFile weights, read_weights(options.weights));
    TARN_RETURN_IF_ERROR(apply_weights(session, weights, options.weights));
    vocabularies = weights.vocabularies;
  }
  if (!options.resume) return Done{};
  return resume_checkpoint(session,
                           checkpoint_path(options.resume->empty() ? checkpoint_folder(options) : *options.resume));
}

// Trains while the console shows progress and checkpoints are written; `failures` are those of the checkpoints.
FitResult run_epochs(const TrainOptions& options, const Console& console, Session& session, const TrainingData& data,
                     const Vocabularies& vocabularies, History& history, Diagnostics& failures) {
  const Program& program = session.program();
  Progress progress(console);
  FitOptions fit_options;
  fit_options.epochs = program.settings.epochs;
  fit_options.shuffle = program.settings.shuffle;
  fit_options.undo_interrupted = true;
  fit_options.on_epoch = [&](const EpochReport& report) {
    progress.after_epoch(program, report);
    if (!options.history.empty()) history.add(program, report);
    if (console.json()) {
      Json object{{"event", "epoch"}, {"epoch", report.epoch}};
      add_losses(object, program, report);
      object["seconds"] = report.seconds;
      console.event(object);
    }
    const bool checkpoint_is_due =
        !options.checkpoint.empty() && options.every > 0 && report.epoch % options.every == 0;
    if (!checkpoint_is_due) return true;
    Status written = save_checkpoint(options.checkpoint, session, vocabularies);
    if (!written) failures = written.error();
    return failures.empty();
  };
  InterruptGuard guard(session);
  FitResult result =
      fit(session, data.training_rows, data.validation_rows.count > 0 ? &data.validation_rows : nullptr, fit_options);
  progress.finish();
  return result;
}

// Writes what training leaves behind: history, checkpoint, weights.
Status write_results(const TrainOptions& options, const Session& session, const FitResult& result,
                     const Vocabularies& vocabularies, const History& history, const std::string& output) {
  const bool interrupted = result.end == FitResult::End::interrupted;
  if (!options.history.empty()) TARN_RETURN_IF_ERROR(write_file(options.history, history.text()));
  if (interrupted || !options.checkpoint.empty()) {
    TARN_RETURN_IF_ERROR(save_checkpoint(checkpoint_folder(options), session, vocabularies));
  }
  return interrupted ? Status(Done{}) : write_weights(output, session, vocabularies);
}

Result<std::shared_ptr<Model>> compile(const TrainOptions& options, Console& console) {
  TARN_TRY(ModelOptions chosen, model_options(options));
  if (options.epochs) chosen.overrides.emplace_back("epochs", fmt::format("{}", *options.epochs));
  if (options.batch) chosen.overrides.emplace_back("batch", fmt::format("{}", *options.batch));
  TARN_TRY(std::shared_ptr<Model> model,
           Model::compile(options.file, chosen, {"init", "train", "evaluate", "report"}, console.sources));
  console.report(model->warnings());
  if (!model->program().trainable) return error(fmt::format("'{}' has no `train` block", options.file));
  return model;
}

int train(const TrainOptions& options) {
  Console console(options);
  Result<std::shared_ptr<Model>> model = compile(options, console);
  if (!model) return console.report(model.error());
  Session session(*model, options.seed.value_or((*model)->program().settings.seed));
  Vocabularies vocabularies;
  if (Status started = start_session(options, session, vocabularies); !started) return console.report(started.error());
  Result<TrainingData> data = read_training_data(options, **model, vocabularies);
  if (!data) return console.report(data.error());
  announce(console, **model);

  History history;
  Diagnostics failures;
  const FitResult result = run_epochs(options, console, session, *data, vocabularies, history, failures);
  if (result.end == FitResult::End::not_finite) failures.push_back(result.failure);
  if (!failures.empty()) return console.report(failures);
  const std::string output = options.output.empty() ? default_weights(options.file) : options.output;
  Status written = write_results(options, session, result, vocabularies, history, output);
  if (!written) return console.report(written.error());
  if (result.end == FitResult::End::interrupted) {
    console.note(fmt::format("interrupted in epoch {}; go on with --resume {}",
                             static_cast<std::int64_t>(session.scalar("epoch")) + 1, checkpoint_folder(options)));
    return kInterrupted;
  }
  announce_end(console, session, result, static_cast<std::int64_t>(session.scalar("epoch")), output);
  return kDone;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand("train", "compile, train, and write the weights");
  add_model_options(*command, *options);
  add_data_options(*command, *options);
  command->add_option("-o,--output", options->output,
                      "weights to write (.safetensors or .npz); default: FILE with .safetensors");
  command->add_option("--epochs", options->epochs, "epochs, instead of the file's")->check(CLI::NonNegativeNumber);
  command->add_option("--batch", options->batch, "batch size, instead of the file's")->check(CLI::PositiveNumber);
  command->add_option("--validation", options->validation, "a file of validation data");
  command->add_option("--checkpoint", options->checkpoint, "folder for checkpoints; made where it is missing");
  command->add_option("--every", options->every, "write a checkpoint every N epochs")->check(CLI::PositiveNumber);
  command
      ->add_option(
          "--resume", options->resume,
          "go on from the checkpoint in this folder (default: that of --checkpoint, else FILE with .checkpoint)")
      ->expected(0, 1);
  command->add_option("--history", options->history, "CSV file for loss and metrics of every epoch");
  command->callback([&action, options] { action = [options] { return train(*options); }; });
}

}  // namespace tarn
