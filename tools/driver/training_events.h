// What `tarn train` says of a run: lines for people, or events for programs with --json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/training/training.h"
#include "tools/driver/command.h"

namespace tarn {

// "loss", "val_loss" and "metrics" of an epoch.
void add_losses(nlohmann::ordered_json& object, const Program& program, const EpochReport& report);
// That the model is compiled.
void announce(const Console& console, const Model& model, int threads);
// That the run is over, after so many epochs in all, and where the weights are.
void announce_end(const Console& console, const Session& session, const FitResult& result, std::int64_t epochs,
                  const std::string& weights);

}  // namespace tarn
