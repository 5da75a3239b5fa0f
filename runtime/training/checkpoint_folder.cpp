// See checkpoint_folder.h.
#include "runtime/training/checkpoint_folder.h"

#include <filesystem>

#include "runtime/files/file.h"

namespace tarn {

std::string checkpoint_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "checkpoint.safetensors").string();
}

std::string folder_of(const CheckpointSetting& setting, const std::string& model_folder) {
  const std::filesystem::path path(setting.path);
  return path.is_absolute() ? setting.path : (std::filesystem::path(model_folder) / path).string();
}

Status save_checkpoint(const std::string& folder, const Session& session, const TrainingMemory& memory) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return system_error("create", folder, failed.value());
  return write_checkpoint(checkpoint_path(folder), session, memory);
}

}  // namespace tarn
