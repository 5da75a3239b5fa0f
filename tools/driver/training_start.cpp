// See training_start.h.
#include "tools/driver/training_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "runtime/training/checkpoint_folder.h"

namespace tarn {

std::string checkpoint_folder(const TrainOptions& options, const TrainSettings& settings, const std::string& folder) {
  if (!options.checkpoint.empty()) return options.checkpoint;
  for (const CheckpointSetting& setting : settings.checkpoints) {
    if (!setting.best) return folder_of(setting, folder);
  }
  return std::filesystem::path(options.file).replace_extension(".checkpoint").string();
}

namespace {

// Where a run without a folder would find its checkpoint, and what there is instead.
Diagnostics no_checkpoint(const std::string& path, const TrainSettings& settings, const std::string& folder) {
  Diagnostic missing = error(fmt::format("there is no checkpoint '{}' to go on from", path));
  for (const CheckpointSetting& setting : settings.checkpoints) {
    const std::string best = folder_of(setting, folder);
    if (!setting.best || !std::filesystem::exists(checkpoint_path(best))) continue;
    missing.notes.push_back({{},
                             fmt::format("'{0}' has that of the best epoch: `--resume {0}` goes on from it, "
                                         "`--weights {1}` begins with its weights",
                                         best, checkpoint_path(best))});
  }
  return {std::move(missing)};
}

}  // namespace

Result<Start> read_start(const TrainOptions& options, const ModelOptions& chosen, Console& console) {
  Start start;
  if (options.resume && !options.weights.empty())
    return error("--resume goes on from a checkpoint, which has weights: --weights is not for such a run");
  if (!options.weights.empty()) {
    TARN_TRY(start.weights, read_weights(options.weights));
  }
  if (!options.resume) return start;
  const std::string folder = std::filesystem::path(options.file).parent_path().string();
  TrainSettings settings;
  std::string place = *options.resume;
  if (place.empty()) {
    // The file itself may say where its checkpoints are.
    Diagnostics warnings;
    TARN_TRY(const Program program, load_program(options.file, chosen, console.sources, warnings));
    settings = program.settings;
    place = checkpoint_folder(options, settings, folder);
  }
  if (std::filesystem::is_regular_file(place)) {
    return error(fmt::format(
        "--resume {}: that is a file; --resume takes the folder of a checkpoint, as '{}', and "
        "--weights a file to begin with",
        place,
        std::filesystem::path(place).parent_path().empty() ? "."
                                                           : std::filesystem::path(place).parent_path().string()));
  }
  const std::string path = checkpoint_path(place);
  if (!std::filesystem::exists(path)) return no_checkpoint(path, settings, folder);
  TARN_TRY(start.checkpoint, read_checkpoint(path));
  return start;
}

void find_changes(Start& start, const TrainOptions& options, const Program& program, ModelOptions without,
                  Console& console) {
  const std::vector<ChangedHyperParameter> changed = changed_hyper_parameters(program, *start.checkpoint);
  if (changed.empty()) return;
  std::optional<Program> plain;
  if (!options.settings.empty()) {
    without.overrides.clear();
    set_constants(without, start.checkpoint->state);
    Diagnostics warnings;
    if (Result<Program> loaded = load_program(options.file, without, console.sources, warnings))
      plain = std::move(*loaded);
  }
  for (const ChangedHyperParameter& one : changed) {
    const bool is_named = std::ranges::any_of(options.settings, [&](const std::string& setting) {
      return one.is_under(setting.substr(0, setting.find('=')));
    });
    const TensorInfo* const before = plain ? plain->find_tensor(one.name) : nullptr;
    const bool is_set = is_named || (plain && (before == nullptr || before->initial != one.in_file));
    (is_set ? start.from_settings : start.from_file).push_back(one);
  }
}

}  // namespace tarn
