// `tarn eval FILE`: loss and metrics on a data set.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/driver/command.h"
#include "tools/driver/confusion_matrix.h"
#include "tools/driver/interrupt.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct EvalOptions : CommonOptions {
  bool confusion = false;
};

// {"y": {"target": "t", "classes": ["setosa", …], "counts": [[50, 0, 0], …]}}: a list for each class of the target.
Json json_of(const std::vector<ConfusionMatrix>& matrices) {
  Json object = Json::object();
  for (const ConfusionMatrix& matrix : matrices) {
    Json counts = Json::array();
    for (std::size_t target = 0; target < matrix.classes.size(); ++target) {
      Json line = Json::array();
      for (std::size_t predicted = 0; predicted < matrix.classes.size(); ++predicted)
        line.push_back(matrix.at(target, predicted));
      counts.push_back(std::move(line));
    }
    object[matrix.output] = {{"target", matrix.target}, {"classes", matrix.classes}, {"counts", std::move(counts)}};
  }
  return object;
}

std::string share_text(const std::optional<double>& share) { return share ? fmt::format("{:.4f}", *share) : "-"; }

// As many places as the longest takes on a screen, and 6 at least. fmt counts these when it fills up, and no text takes
// more places than bytes.
std::size_t width_of(const std::vector<std::string>& texts) {
  std::size_t width = 6;
  for (const std::string& text : texts)
    width = std::max(width, 2 * text.size() - fmt::formatted_size("{:{}}", text, text.size()));
  return width;
}

void print(const ConfusionMatrix& matrix) {
  const std::size_t first = std::max(width_of(matrix.classes), std::string_view("precision").size());
  print_out("\n{} by {}: a line for each class of {}, a column for what its rows are taken for\n", matrix.target,
            matrix.output, matrix.target);
  print_out("{:{}}", "", first);
  for (const std::string& name : matrix.classes) print_out("  {:>{}}", name, width_of({name}));
  print_out("  recall\n");
  for (std::size_t target = 0; target < matrix.classes.size(); ++target) {
    print_out("{:{}}", matrix.classes[target], first);
    for (std::size_t i = 0; i < matrix.classes.size(); ++i)
      print_out("  {:>{}}", matrix.at(target, i), width_of({matrix.classes[i]}));
    print_out("  {:>6}\n", share_text(matrix.recall(target)));
  }
  print_out("{:{}}", "precision", first);
  for (std::size_t i = 0; i < matrix.classes.size(); ++i)
    print_out("  {:>{}}", share_text(matrix.precision(i)), width_of({matrix.classes[i]}));
  print_out("\n");
}

int evaluate(const EvalOptions& options) {
  Console console(options);
  std::vector<std::string> functions = {"init", "evaluate", "report"};
  if (options.confusion) functions.emplace_back("predict");
  Result<Prepared> prepared = prepare_for_use(options, functions, console);
  if (!prepared) return console.report(prepared.error());
  const Program& program = prepared->model->program();
  if (!program.trainable) {
    return console.report(
        {error(fmt::format("'{}' has no `train` block, so there is no loss to evaluate", options.file))});
  }
  Result<Dataset> data = read_for_use(options, *prepared, Purpose::evaluate, console);
  if (!data) return console.report(data.error());
  MetricValues values;
  std::vector<ConfusionMatrix> matrices;
  {
    InterruptGuard guard(*prepared->session);
    if (prepared->session->evaluate(data->view(), values) == Outcome::stopped) return kInterrupted;
    if (options.confusion && confusion_matrices(*prepared->session, data->view(), 0, matrices) == Outcome::stopped)
      return kInterrupted;
  }
  if (options.confusion && matrices.empty()) {
    return console.report({error(fmt::format(
        "--confusion: no output of '{}' tells classes apart that its target names, by a number or a 1 among zeros",
        options.file))});
  }
  if (console.json()) {
    nlohmann::ordered_json object{
        {"event", "evaluated"}, {"samples", data->rows}, {"loss", json_number(values.loss(), false)}};
    object["metrics"] = nlohmann::ordered_json::object();
    add_metrics(object["metrics"], program, values, "");
    if (options.confusion) object["confusion"] = json_of(matrices);
    console.event(object);
  } else {
    print_out("{} samples  {}\n", data->rows, metric_text(program, values, ""));
    for (const ConfusionMatrix& matrix : matrices) print(matrix);
  }
  return kDone;
}

}  // namespace

void add_eval(CommandLine& line) {
  auto options = std::make_shared<EvalOptions>();
  Command command =
      line.command("eval", "loss and metrics on a data set (`data test` where the file has one, else `data`)");
  add_model_options(command, *options);
  add_data_options(command, *options);
  command.flag("--confusion", options->confusion, "how often each class is taken for which");
  command.runs([options] { return evaluate(*options); });
}

}  // namespace tarn
