// See training_events.h.
#include "tools/driver/training_events.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ir/counted.h"
#include "tools/driver/process_memory.h"

namespace tarn {

using Json = nlohmann::ordered_json;

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
  console.note(fmt::format("{}: {}, compiled in {:.0f} ms", model.program().name, counted(parameters, "parameter"),
                           model.compile_milliseconds()));
  for (const std::string& note : notes_on_metrics(model.program())) console.note(note);
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
    object["memory_bytes"] = most_resident_bytes();
    object["weights"] = weights;
    console.event(object);
    return;
  }
  if (result.last) {
    std::string text = metric_text(program, result.last->training, "");
    if (result.last->validation) text += "  " + metric_text(program, *result.last->validation, "val_");
    print_out("{}\n", text);
  }
  const char* early = result.end == FitResult::End::stopped_early ? ", stopped early" : "";
  console.note(fmt::format("trained {} in {:.3g} s ({:.0f} steps a second){}; weights in {}", counted(epochs, "epoch"),
                           result.seconds, rate, early, weights));
}

}  // namespace tarn
