// `tarn train FILE`: compile in memory, train, write the weights.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/file.h"
#include "runtime/training.h"
#include "runtime/validation_split.h"
#include "tools/command.h"
#include "tools/history.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/tensorboard.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions : CommonOptions {
  std::string output, validation, checkpoint, history, report, tensorboard;
  std::optional<std::string> resume;
  std::optional<std::int64_t> epochs, batch;
  std::int64_t every = 0;
};

constexpr const char* kCheckpointFile = "checkpoint.safetensors";

std::string checkpoint_path(const std::string& directory) {
  return (std::filesystem::path(directory) / kCheckpointFile).string();
}

// The folder of a `checkpoint` of the train block, which is relative to the model file.
std::string folder_of(const CheckpointSetting& setting, const Model& model) {
  const std::filesystem::path path(setting.path);
  return path.is_absolute() ? setting.path : (std::filesystem::path(model.folder()) / path).string();
}

struct TrainingData {
  Dataset training;
  std::optional<Dataset> validation;
  Rows training_rows, validation_rows;
  Diagnostics warnings;
};

// On data of its own.
bool validates(const TrainOptions& options, const Program& program) {
  return !options.validation.empty() || has_data(program, "validation");
}

Result<TrainingData> read_training_data(const TrainOptions& options, const Model& model, Vocabularies& vocabularies) {
  const Program& program = model.program();
  TrainingData data;
  TARN_TRY(data.training, read_dataset(program, model.folder(), {"", data_paths(options), true}, vocabularies));
  data.training_rows = data.training.view();
  if (validates(options, program)) {
    DataRequest request{"validation", {}, true};
    if (!options.validation.empty()) request.paths[""] = options.validation;
    TARN_TRY(data.validation, read_dataset(program, model.folder(), request, vocabularies));
    data.validation_rows = data.validation->view();
  } else if (program.settings.validation_split > 0) {
    TARN_TRY(ValidationSplit split, split_for_validation(program, data.training, vocabularies));
    data.training_rows = std::move(split.training);
    data.validation_rows = std::move(split.validation);
    data.warnings = std::move(split.warnings);
  }
  return data;
}

void add_losses(Json& object, const Program& program, const EpochReport& report) {
  object["loss"] = json_number(report.training.loss(), false);
  if (report.validation) object["val_loss"] = json_number(report.validation->loss(), false);
  object["metrics"] = Json::object();
  add_metrics(object["metrics"], program, report.training, "");
  if (report.validation) add_metrics(object["metrics"], program, *report.validation, "val_");
}

void announce(const Console& console, const Model& model, int threads) {
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
                   {"threads", threads}});
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

// One run: what it works on and what it leaves behind.
class Run {
 public:
  Run(const TrainOptions& options, Console& console, const std::shared_ptr<Model>& model)
      : options_(options),
        console_(console),
        model_(*model),
        session_(model, options.seed.value_or(model->program().settings.seed), options.threads),
        history_(model->program()),
        tensorboard_(options.tensorboard) {}

  int threads() const { return session_.threads(); }

  Status prepare() {
    TARN_RETURN_IF_ERROR(results_can_be_written());
    TARN_RETURN_IF_ERROR(start_from_weights());
    TARN_TRY(data_, read_training_data(options_, model_, vocabularies_));
    TARN_RETURN_IF_ERROR(set_weighted_classes(session_, vocabularies_));
    console_.report(data_.warnings);
    warn_about_monitors();
    return Done{};
  }

  // Trains while the console shows progress and checkpoints are written.
  void train() {
    Progress progress(console_);
    FitOptions options;
    options.epochs = program().settings.epochs;
    options.shuffle = program().settings.shuffle;
    options.undo_interrupted = true;
    options.adapt = options_.weights.empty();  // given weights bring their fitted states
    options.memory = &memory_;
    options.on_checkpoint = [&](const CheckpointSetting& setting) {
      return attempt(save_checkpoint(folder_of(setting, model_)));
    };
    options.on_epoch = [&](const EpochReport& report) { return after_epoch(report, progress); };
    options.before_end = [&] {
      if (!options_.checkpoint.empty()) attempt(save_checkpoint(options_.checkpoint));
    };
    InterruptGuard guard(session_);
    const bool validates = data_.validation_rows.count > 0;
    result_ = fit(session_, data_.training_rows, validates ? &data_.validation_rows : nullptr, options);
    progress.finish();
  }

  // Writes history, checkpoint and weights, and says how it ended; the exit status.
  int finish() {
    attempt(write_history());
    if (result_.end == FitResult::End::not_finite) failures_.push_back(result_.failure);
    if (!failures_.empty()) return console_.report(failures_);
    if (result_.end == FitResult::End::interrupted) {
      if (!attempt(save_checkpoint(checkpoint_folder()))) return console_.report(failures_);
      console_.note(
          fmt::format("interrupted in epoch {}; go on with --resume {}", epochs_done() + 1, checkpoint_folder()));
      return kInterrupted;
    }
    if (!attempt(write_weights(output(), session_, vocabularies_))) return console_.report(failures_);
    announce_end(console_, session_, result_, epochs_done(), output());
    return kDone;
  }

 private:
  const Program& program() const { return model_.program(); }
  std::int64_t epochs_done() const { return static_cast<std::int64_t>(session_.scalar("epoch")); }

  bool attempt(const Status& status) {
    if (!status) failures_.insert(failures_.end(), status.error().begin(), status.error().end());
    return status.has_value();
  }

  std::string output() const { return options_.output.empty() ? default_weights(options_.file) : options_.output; }

  // Everything that this run is going to write.
  Status results_can_be_written() const {
    for (const std::string& file : {output(), options_.history, options_.report}) {
      if (!file.empty()) TARN_RETURN_IF_ERROR(can_be_written(file));
    }
    std::vector<std::string> checkpoints;
    if (!options_.checkpoint.empty()) checkpoints.push_back(options_.checkpoint);
    for (const CheckpointSetting& setting : program().settings.checkpoints)
      checkpoints.push_back(folder_of(setting, model_));
    for (const std::string& folder : checkpoints) {
      TARN_RETURN_IF_ERROR(folder_can_be_made(folder));
      if (std::filesystem::exists(folder)) TARN_RETURN_IF_ERROR(can_be_written(checkpoint_path(folder)));
    }
    return options_.tensorboard.empty() ? Status(Done{}) : folder_can_be_made(options_.tensorboard);
  }

  // Where checkpoints go and come from: --checkpoint, else the first of the train block that is not of the best epoch
  // alone, else a folder beside the model file, which only an interrupted run makes.
  std::string checkpoint_folder() const {
    if (!options_.checkpoint.empty()) return options_.checkpoint;
    for (const CheckpointSetting& setting : program().settings.checkpoints) {
      if (!setting.best) return folder_of(setting, model_);
    }
    return std::filesystem::path(options_.file).replace_extension(".checkpoint").string();
  }

  Status save_checkpoint(const std::string& folder) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return system_error("create", folder, failed.value());
    return write_checkpoint(checkpoint_path(folder), session_, vocabularies_, memory_);
  }

  Status start_from_weights() {
    if (!options_.weights.empty()) {
      TARN_TRY(const WeightsFile weights, read_weights(options_.weights));
      TARN_RETURN_IF_ERROR(apply_weights(session_, weights, options_.weights));
      vocabularies_ = weights.vocabularies;
    }
    if (!options_.resume) return Done{};
    const std::string folder = options_.resume->empty() ? checkpoint_folder() : *options_.resume;
    return resume_checkpoint(session_, checkpoint_path(folder), memory_);
  }

  void warn_about_monitors() {
    if (data_.validation_rows.count > 0) return;
    const auto warn = [&](const char* setting, const std::string& monitor) {
      if (!monitor.starts_with("val_")) return;
      Diagnostic warning =
          warning_at({}, fmt::format("{} follows '{}', and there is nothing to validate on", setting, monitor));
      warning.notes.push_back({{}, "validation_split, `data validation` or --validation say what is"});
      console_.report({warning});
    };
    const TrainSettings& settings = program().settings;
    if (settings.early_stopping) warn("early_stopping", settings.early_stopping->monitor);
    if (settings.reduce_on_plateau) warn("reduce_on_plateau", settings.reduce_on_plateau->monitor);
    for (const CheckpointSetting& checkpoint : settings.checkpoints) {
      if (checkpoint.best) warn("checkpoint", checkpoint.monitor);
    }
  }

  bool after_epoch(const EpochReport& report, Progress& progress) {
    progress.after_epoch(program(), report);
    if (!options_.history.empty() || !options_.report.empty()) history_.add(report);
    if (!options_.tensorboard.empty() && !attempt(tensorboard_.add(program(), report))) return false;
    if (console_.json()) {
      Json object{{"event", "epoch"}, {"epoch", report.epoch}};
      add_losses(object, program(), report);
      object["seconds"] = report.seconds;
      console_.event(object);
    }
    const bool checkpoint_is_due =
        !options_.checkpoint.empty() && options_.every > 0 && report.epoch % options_.every == 0;
    return !checkpoint_is_due || attempt(save_checkpoint(options_.checkpoint));
  }

  Status write_history() const {
    if (!options_.history.empty()) TARN_RETURN_IF_ERROR(write_file(options_.history, history_.csv()));
    if (!options_.report.empty())
      TARN_RETURN_IF_ERROR(write_file(options_.report, history_.html("Training of " + program().name)));
    return Done{};
  }

  const TrainOptions& options_;
  Console& console_;
  const Model& model_;
  Session session_;
  Vocabularies vocabularies_;
  TrainingData data_;
  TrainingMemory memory_;
  History history_;
  TensorBoardLog tensorboard_;
  FitResult result_;
  Diagnostics failures_;
};

Result<std::shared_ptr<Model>> compile(const TrainOptions& options, Console& console) {
  TARN_TRY(ModelOptions chosen, model_options(options));
  if (options.epochs) chosen.overrides.emplace_back("epochs", fmt::format("{}", *options.epochs));
  if (options.batch) chosen.overrides.emplace_back("batch", fmt::format("{}", *options.batch));
  const auto functions = [&](const Program& program) {
    std::vector<std::string> names = {"init", "train", "report"};
    if (validates(options, program) || program.settings.validation_split > 0) names.emplace_back("evaluate");
    return names;
  };
  TARN_TRY(std::shared_ptr<Model> model, Model::compile_some(options.file, chosen, functions, console.sources));
  console.report(model->warnings());
  if (!model->program().trainable) return error(fmt::format("'{}' has no `train` block", options.file));
  return model;
}

int train(const TrainOptions& options) {
  Console console(options);
  const Result<std::shared_ptr<Model>> model = compile(options, console);
  if (!model) return console.report(model.error());
  Run run(options, console, *model);
  if (Status prepared = run.prepare(); !prepared) return console.report(prepared.error());
  announce(console, **model, run.threads());
  run.train();
  return run.finish();
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
  command->add_option("--report", options->report, "HTML page with curves of loss and metrics");
  command->add_option("--tensorboard", options->tensorboard, "folder for event files of TensorBoard");
  command->callback([&action, options] { action = [options] { return train(*options); }; });
}

}  // namespace tarn
