// See class_report.h.
#include "tools/driver/class_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ir/counted.h"
#include "runtime/data/dataset.h"
#include "tools/driver/confusion_matrix.h"
#include "tools/driver/html_text.h"
#include "tools/driver/sample_picture.h"

namespace tarn {

namespace {

constexpr std::size_t kMostSamples = 24;
// A table of more classes is wider than what anybody reads: of these the most frequent confusions are listed.
constexpr std::size_t kMostClassesInTable = 40;
constexpr std::size_t kMostConfusions = 40;
// Beyond these, names stand upright above their columns.
constexpr std::size_t kMostLevelNames = 6, kLongestLevelName = 3;

// "98.5 %": as many digits as tell a few wrong ones of many rows from none.
std::string percent(double share) {
  const std::string text = fmt::format("{:.1f}", 100 * share);
  if (text == "100.0") return share == 1 ? "100 %" : "> 99.9 %";
  return text + " %";
}

std::string percent(const std::optional<double>& share) { return share ? percent(*share) : std::string("–"); }

std::string cell(const ConfusionMatrix& matrix, std::size_t target, std::size_t predicted) {
  const std::uint64_t count = matrix.at(target, predicted);
  const double share = count == 0 ? 0 : static_cast<double>(count) / static_cast<double>(matrix.of_class(target));
  const std::string title = fmt::format("{} of {} taken for {}: {}", count, html_text(matrix.classes[target]),
                                        html_text(matrix.classes[predicted]), percent(share));
  if (count == 0) return fmt::format("<td class=\"none\" title=\"{}\">0</td>", title);
  return fmt::format("<td class=\"{}\" style=\"--share:{:.3f}\" title=\"{}\">{}</td>",
                     target == predicted ? "right" : "wrong", share, title, count);
}

std::string table(const ConfusionMatrix& matrix) {
  const std::size_t classes = matrix.classes.size();
  const bool upright = classes > kMostLevelNames && std::ranges::any_of(matrix.classes, [](const std::string& name) {
                         return name.size() > kLongestLevelName;
                       });
  std::string html = fmt::format(
      "<div class=\"wide\"><table class=\"matrix\"><tr><th></th><th class=\"over\" colspan=\"{}\">taken for</th></tr>\n"
      "<tr><th class=\"side over\" scope=\"col\">class</th>",
      classes);
  for (const std::string& name : matrix.classes)
    html +=
        fmt::format("<th scope=\"col\"{}><span>{}</span></th>", upright ? " class=\"upright\"" : "", html_text(name));
  html += "<th scope=\"col\" class=\"sum\">rows</th><th scope=\"col\" class=\"sum\">recall</th></tr>\n";
  for (std::size_t target = 0; target < classes; ++target) {
    html += fmt::format("<tr><th class=\"side\" scope=\"row\">{}</th>", html_text(matrix.classes[target]));
    for (std::size_t predicted = 0; predicted < classes; ++predicted) html += cell(matrix, target, predicted);
    html += fmt::format("<td class=\"sum\">{}</td><td class=\"sum\">{}</td></tr>\n", matrix.of_class(target),
                        percent(matrix.recall(target)));
  }
  html += "<tr><th class=\"side sum\" scope=\"row\">precision</th>";
  for (std::size_t predicted = 0; predicted < classes; ++predicted)
    html += fmt::format("<td class=\"sum\">{}</td>", percent(matrix.precision(predicted)));
  return html + fmt::format("<td class=\"sum\">{}</td><td class=\"sum\"></td></tr></table></div>\n", matrix.all());
}

// The pairs of classes that are taken for one another most often.
std::string confusions(const ConfusionMatrix& matrix) {
  const std::size_t classes = matrix.classes.size();
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < matrix.counts.size(); ++i) {
    if (matrix.counts[i] > 0 && i / classes != i % classes) places.push_back(i);
  }
  std::ranges::stable_sort(places, std::ranges::greater(), [&](std::size_t place) { return matrix.counts[place]; });
  if (places.empty()) return "";
  std::string html = fmt::format(
      "<p>{} classes; the most frequent confusions:</p>\n<table class=\"pairs\"><tr><th>class</th>"
      "<th>taken for</th><th>rows</th><th>of its class</th></tr>\n",
      classes);
  for (std::size_t i = 0; i < std::min(places.size(), kMostConfusions); ++i) {
    const std::size_t target = places[i] / classes, predicted = places[i] % classes;
    const std::uint64_t count = matrix.counts[places[i]];
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", html_text(matrix.classes[target]),
                        html_text(matrix.classes[predicted]), count,
                        percent(static_cast<double>(count) / static_cast<double>(matrix.of_class(target))));
  }
  return html + "</table>\n";
}

std::string figure(const ConfusionMatrix& matrix, const ClassifiedRow& row, const std::string& picture) {
  const std::string target = html_text(matrix.classes[row.target]);
  const std::string predicted = html_text(matrix.classes[row.predicted]);
  const std::string probability = row.is_probability ? fmt::format(", {:.0f}\u00a0%", 100 * row.value) : std::string();
  const std::string said = row.is_right() ? "taken for it" : "taken for " + predicted;
  return fmt::format("<figure{}><img src=\"{}\" alt=\"{}, {}\"><figcaption><b>{}</b><br>{}{}</figcaption></figure>\n",
                     row.is_right() ? "" : " class=\"missed\"", picture, target, said, target, said, probability);
}

std::string samples(const Program& program, const ConfusionMatrix& matrix, const Rows& rows) {
  const std::optional<std::size_t> input = image_input(program);
  if (!input || matrix.rows.empty()) return "";
  std::vector<std::uint64_t> shown;
  for (const ClassifiedRow& row : matrix.rows) shown.push_back(row.row);
  const std::vector<std::string> pictures = sample_pictures(program, *input, rows, shown);
  const std::size_t wrong = static_cast<std::size_t>(
      std::ranges::count_if(matrix.rows, [](const ClassifiedRow& row) { return !row.is_right(); }));
  const std::uint64_t all_wrong = matrix.all() - matrix.right();
  std::string html =
      fmt::format("<p>{} of these rows as {} has them{}; in bold the class of each.</p>\n<div class=\"samples\">\n",
                  matrix.rows.size(), html_text(program.inputs[*input].name),
                  wrong == 0           ? std::string()
                  : wrong == all_wrong ? fmt::format(", first the {} wrong {}", wrong, agreeing(wrong, "one", "ones"))
                                       : fmt::format(", the {} surest of the {} wrong ones", wrong, all_wrong));
  for (std::size_t i = 0; i < shown.size(); ++i) html += figure(matrix, matrix.rows[i], pictures[i]);
  return html + "</div>\n";
}

// The rows of a page, and which they are.
struct ReportedRows {
  std::string part;  // "validation"
  Rows rows;
};

std::string class_section(const Program& program, const ConfusionMatrix& matrix, const ReportedRows& reported) {
  const std::uint64_t all = matrix.all();
  std::string html = fmt::format("<h2>Classes of {}, by {}: {} rows</h2>\n", html_text(matrix.target),
                                 html_text(matrix.output), reported.part);
  if (all == 0) return html + "<p>No row is of a class that counts.</p>\n";
  html += fmt::format("<p>{} of {} right ({}), by the weights that training has written.", matrix.right(),
                      counted(all, "row"), percent(static_cast<double>(matrix.right()) / static_cast<double>(all)));
  if (matrix.classes.size() > kMostClassesInTable) {
    html += "</p>\n" + confusions(matrix);
  } else {
    html +=
        " Each line has the rows of a class, each column those that are taken for one; a colour is as strong as "
        "its share of the line.</p>\n" +
        table(matrix);
  }
  return html + samples(program, matrix, reported.rows);
}

}  // namespace

std::string class_sections(Session& session, const TrainingData& data, Diagnostics& remarks) {
  const Program& program = session.program();
  if (!may_have_classes(program)) return "";
  ReportedRows reported{"training", data.training_rows};
  std::optional<Dataset> test;
  if (data.validation_rows.count > 0) {
    reported = {"validation", data.validation_rows};
  } else if (has_data(program, "test")) {
    Vocabularies vocabularies = session.vocabularies();
    Result<Dataset> read = read_dataset(program, session.model().folder(), {Purpose::evaluate, {}}, vocabularies);
    if (read) {
      test = std::move(*read);
      reported = {"test", test->view()};
    } else {
      for (const Diagnostic& fault : read.error())
        remarks.push_back(
            warning_at({}, "--report shows the training rows, since test data are not read: " + fault.message));
    }
  }
  std::vector<ConfusionMatrix> matrices;
  if (confusion_matrices(session, reported.rows, kMostSamples, matrices) != Outcome::done) return "";
  std::string html;
  for (const ConfusionMatrix& matrix : matrices) html += class_section(program, matrix, reported);
  return html;
}

}  // namespace tarn
