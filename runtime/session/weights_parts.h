// What weights and checkpoints share: only weights.cpp and checkpoint.cpp include it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/files/json.h"
#include "runtime/session/weights.h"

namespace tarn {

bool is_weight(const TensorInfo& tensor);
// Where the tensor lies in the block that has it: a state, or accumulators.
NamedView view_in(const Bytes& block, const TensorInfo& tensor, std::string_view prefix = "");
// The weights of the session, or everything in its state.
std::vector<NamedView> tensors_of(const Session& session, bool everything);
std::map<std::string, std::string> metadata_of(const Session& session);
WeightsFile weights_in(TensorFile file, const std::string& path);

// The best weights in a checkpoint, and what metrics have gathered in an interrupted epoch; no tensor of a model has a
// slash in its name.
inline constexpr std::string_view kBestPrefix = "best/", kMetricPrefix = "metrics/";
// Takes the tensors with the prefix out of those of a file; their names are without it.
std::vector<NamedArray> taken_out(std::vector<NamedArray>& tensors, std::string_view prefix);
const NamedArray* find(const std::vector<NamedArray>& tensors, std::string_view name);
// What keeps `tensors` from being the weights of the program: one note a name.
std::vector<Note> mismatches(const Program& program, const std::vector<NamedArray>& tensors);

// Metadata written by others may hold anything under our names: what does not fit is left out.
template <class T>
void read_json(const std::map<std::string, std::string>& metadata, const char* key, T& value) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return;
  const nlohmann::json json = parse_json(found->second);
  try {
    value = json.get<T>();
  } catch (const nlohmann::json::exception&) {
    value = T();
  }
}

}  // namespace tarn
