// `tarn eval FILE`: loss and metrics on a data set.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/driver/command.h"
#include "tools/driver/interrupt.h"

namespace tarn {

namespace {

int evaluate(const CommonOptions& options) {
  Console console(options);
  Result<Prepared> prepared = prepare_for_use(options, {"init", "evaluate", "report"}, console);
  if (!prepared) return console.report(prepared.error());
  const Program& program = prepared->model->program();
  if (!program.trainable) {
    return console.report(
        {error(fmt::format("'{}' has no `train` block, so there is no loss to evaluate", options.file))});
  }
  Result<Dataset> data = read_for_use(options, *prepared, Purpose::evaluate, console);
  if (!data) return console.report(data.error());
  MetricValues values;
  {
    InterruptGuard guard(*prepared->session);
    if (prepared->session->evaluate(data->view(), values) == Outcome::stopped) return kInterrupted;
  }
  if (console.json()) {
    nlohmann::ordered_json object{
        {"event", "evaluated"}, {"samples", data->rows}, {"loss", json_number(values.loss(), false)}};
    object["metrics"] = nlohmann::ordered_json::object();
    add_metrics(object["metrics"], program, values, "");
    console.event(object);
  } else {
    print_out("{} samples  {}\n", data->rows, metric_text(program, values, ""));
  }
  return kDone;
}

}  // namespace

void add_eval(CommandLine& line) {
  auto options = std::make_shared<CommonOptions>();
  Command command =
      line.command("eval", "loss and metrics on a data set (`data test` where the file has one, else `data`)");
  add_model_options(command, *options);
  add_data_options(command, *options);
  command.runs([options] { return evaluate(*options); });
}

}  // namespace tarn
