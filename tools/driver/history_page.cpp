// The report of a training as one HTML page with charts in SVG.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/counted.h"
#include "tools/driver/history.h"
#include "tools/driver/html_text.h"

namespace tarn {

namespace {

constexpr double kWidth = 640, kHeight = 260, kLeft = 64, kRight = 24, kTop = 12, kBottom = 34;
// A page with more points than pixels gains nothing.
constexpr std::size_t kMostPoints = 2000;

// Round steps of an axis: 1, 2 or 5 times a power of ten, about five of them.
double step_of(double range) {
  const double rough = range / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

struct Scale {
  double low = 0, high = 1, from = 0, to = 1;  // values, and where they are drawn
  double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// The values of both curves without what cannot be drawn.
Scale vertical_scale(const std::vector<const History::Series*>& curves) {
  Scale scale{INFINITY, -INFINITY, kHeight - kBottom, kTop};
  for (const History::Series* curve : curves) {
    for (const double value : curve->values) {
      if (!std::isfinite(value)) continue;
      scale.low = std::min(scale.low, value);
      scale.high = std::max(scale.high, value);
    }
  }
  if (scale.low > scale.high) return {0, 1, scale.from, scale.to};
  const double margin = scale.high > scale.low ? 0.05 * (scale.high - scale.low) : std::max(1e-9, std::fabs(scale.low));
  return {scale.low - margin, scale.high + margin, scale.from, scale.to};
}

std::string grid(const Scale& x, const Scale& y) {
  std::string svg;
  const double up = step_of(y.high - y.low);
  for (double value = std::ceil(y.low / up) * up; value <= y.high; value += up) {
    const double at = y.at(value);
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", x.from, x.to, at, at);
    svg += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>", x.from - 6,
                       at + 4, std::fabs(value) < up * 1e-6 ? 0.0 : value);
  }
  const double across = std::max(1.0, step_of(x.high - x.low));
  for (double epoch = std::ceil(x.low / across) * across; epoch <= x.high; epoch += across) {
    svg += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x.at(epoch),
                       kHeight - kBottom + 16, epoch);
  }
  svg += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">epoch</text>",
                     (x.from + x.to) / 2, kHeight - 4);
  return svg;
}

std::string curve_path(const History::Series& curve, const Scale& x, const Scale& y) {
  const char* style = curve.of_validation ? "validation" : "training";
  std::string path;
  const std::size_t stride = (curve.values.size() + kMostPoints - 1) / kMostPoints;
  bool pen_down = false;
  for (std::size_t i = 0; i < curve.values.size(); ++i) {
    if (i % stride != 0 && i + 1 != curve.values.size()) continue;
    if (!std::isfinite(curve.values[i])) {
      pen_down = false;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x.at(static_cast<double>(curve.epochs[i])),
                        y.at(curve.values[i]));
    pen_down = true;
  }
  if (curve.values.size() == 1 && pen_down) {
    return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", style,
                       x.at(static_cast<double>(curve.epochs[0])), y.at(curve.values[0]));
  }
  return fmt::format("<path class=\"{}\" d=\"{}\"/>", style, path);
}

std::string chart(const std::vector<const History::Series*>& curves) {
  const History::Series& first = *curves.front();
  const double begin = static_cast<double>(first.epochs.front()), end = static_cast<double>(first.epochs.back());
  const Scale x{begin == end ? begin - 1 : begin, begin == end ? end + 1 : end, kLeft, kWidth - kRight};
  const Scale y = vertical_scale(curves);
  std::string html = fmt::format("<h2>{}</h2>\n<p class=\"key\">", html_text(first.name));
  for (const History::Series* curve : curves) {
    const char* part = curve->of_validation ? "validation" : "training";
    html += fmt::format("<span class=\"{0}\">&#9644; {0}</span>", part);
  }
  html += fmt::format("</p>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}", kWidth, kHeight,
                      html_text(first.name), grid(x, y));
  for (const History::Series* curve : curves) html += curve_path(*curve, x, y);
  return html + "</svg>\n";
}

// The last value and the extremes of each curve.
std::string table(const std::vector<History::Series>& all) {
  std::string html =
      "<div "
      "class=\"wide\"><table><tr><th></th><th>last</th><th>least</th><th>epoch</th><th>most</th><th>epoch</th></tr>\n";
  for (const History::Series& series : all) {
    const auto [least, most] = std::minmax_element(series.values.begin(), series.values.end());
    const auto epoch = [&](auto at) { return series.epochs[static_cast<std::size_t>(at - series.values.begin())]; };
    html += fmt::format("<tr><td>{}</td><td>{:.6g}</td><td>{:.6g}</td><td>{}</td><td>{:.6g}</td><td>{}</td></tr>\n",
                        html_text(series.name), series.values.back(), *least, epoch(least), *most, epoch(most));
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string History::html(const std::string& title, const std::string& sections) const {
  const std::vector<Series> all = series();
  double seconds = 0;
  for (const EpochReport& report : epochs_) seconds += report.seconds;
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>{0}</title><style>{1}</style></head>\n<body><h1>{0}</h1>\n"
      "<p>{2} in {3:.3g} s.</p>\n",
      html_text(title), kPageStyle, counted(epochs_.size(), "epoch"), seconds);
  if (!all.empty()) page += table(all);
  for (const Series& series : all) {
    if (series.of_validation) continue;
    std::vector<const Series*> curves = {&series};
    for (const Series& other : all) {
      if (other.of_validation && other.name == "val_" + series.name) curves.push_back(&other);
    }
    page += chart(curves);
  }
  return page + sections + "</body></html>\n";
}

}  // namespace tarn
