// See confusion_matrix.h.
#include "tools/driver/confusion_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "runtime/data/output_classes.h"
#include "runtime/files/array_values.h"

namespace tarn {

namespace {

// Rows of one call of `predict`, so that outputs of many rows are not all held at once.
constexpr std::uint64_t kRowsOfCall = 4096;

std::optional<std::size_t> target_of(const Program& program, const OutputInfo& output) {
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    if (program.inputs[i].role == InputRole::target && program.inputs[i].name == output.target) return i;
  }
  return std::nullopt;
}

bool is_labelled(const Program& program, const std::string& target) {
  const auto data = program.data.find("");
  if (data == program.data.end()) return false;
  return std::ranges::any_of(data->second.bindings, [&](const DataBinding& binding) {
    return binding.name == target && binding.encoding != DataBinding::Encoding::none;
  });
}

// Whether the target can say which of the classes of the output a row is of. Of one number that is a float beside
// several of the output, it is known only if something calls it a class: three quantiles are no classes.
bool may_be_classes(const Program& program, const OutputInfo& output, const InputInfo& target) {
  const std::int64_t classes = class_count_of(program, output), width = element_count(target.type.shape);
  if (classes == 0 || classes > kMostClassesOfMatrix || target.type.shape.size() > 1) return false;
  if (width > 1) return width == classes;
  return element_count(output.type.shape) == 1 || !is_floating(target.type.dtype) ||
         target.values.kind == ValueRange::Kind::class_number || is_labelled(program, target.name);
}

std::vector<std::string> names_of_classes(const Program& program, const OutputInfo& output,
                                          const Vocabularies& vocabularies) {
  std::vector<std::string> names = class_names_of(program, output, vocabularies);
  if (!names.empty()) return names;
  for (std::int64_t i = 0; i < class_count_of(program, output); ++i) names.push_back(fmt::format("{}", i));
  return names;
}

// The rows of an input as an array of `width` numbers each.
Array values_of_rows(const Rows& rows, std::size_t input, const Type& type) {
  const std::int64_t width = element_count(type.shape);
  Array values = Array::unset(array_type_of(type.dtype), {static_cast<std::int64_t>(rows.count), width});
  std::memcpy(values.data.data(), rows.arrays[input], values.data.size());
  return values;
}

// What the values of a target say: a class, nothing that counts, or that there are no classes.
enum class Label : std::uint8_t { one, ignored, none };

// Gathers the matrix of one output from slices of the rows.
class Gatherer {
 public:
  Gatherer(const Program& program, std::size_t output, std::size_t target, const Vocabularies& vocabularies,
           std::size_t wanted)
      : output_(output), target_(target), input_(&program.inputs[target]), wanted_(wanted) {
    matrix_.output = program.outputs[output].name;
    matrix_.target = input_->name;
    matrix_.classes = names_of_classes(program, program.outputs[output], vocabularies);
    matrix_.counts.assign(matrix_.classes.size() * matrix_.classes.size(), 0);
    width_ = static_cast<std::uint64_t>(element_count(program.outputs[output].type.shape));
  }

  bool has_classes() const { return has_classes_; }

  void add(const Rows& rows, std::uint64_t first, const std::vector<Array>& outputs) {
    const Array labels = values_of_rows(rows, target_, input_->type);
    const Array& values = outputs[output_];
    for (std::uint64_t i = 0; i < rows.count && has_classes_; ++i) {
      std::uint64_t target = 0;
      const Label label = label_of(labels, i, target);
      if (label == Label::none) has_classes_ = false;
      if (label != Label::one) continue;
      const std::uint64_t predicted = class_of_row(values, i, width_);
      ++matrix_.counts[target * matrix_.classes.size() + predicted];
      remember({first + i, target, predicted}, values, i);
    }
    keep_surest();
  }

  ConfusionMatrix finish() {
    matrix_.rows = std::move(wrong_);
    for (std::size_t i = 0; i < right_.size() && matrix_.rows.size() < wanted_; ++i) matrix_.rows.push_back(right_[i]);
    return std::move(matrix_);
  }

 private:
  Label label_of(const Array& labels, std::uint64_t row, std::uint64_t& label) const {
    const auto width = static_cast<std::uint64_t>(labels.shape[1]);
    const auto value = [&](std::uint64_t place) { return labels.at(static_cast<std::int64_t>(row * width + place)); };
    if (width == 1) {
      const double number = value(0);
      if (input_->values.ignored && number == static_cast<double>(*input_->values.ignored)) return Label::ignored;
      if (!(number >= 0) || number >= static_cast<double>(matrix_.classes.size()) || number != std::floor(number))
        return Label::none;
      label = static_cast<std::uint64_t>(number);
      return Label::one;
    }
    std::uint64_t ones = 0;
    for (std::uint64_t place = 0; place < width; ++place) {
      if (value(place) == 0) continue;
      if (value(place) != 1) return Label::none;
      label = place;
      ++ones;
    }
    return ones == 1 ? Label::one : Label::none;
  }

  void remember(ClassifiedRow row, const Array& values, std::uint64_t i) {
    if (wanted_ == 0 || (row.is_right() && right_.size() >= wanted_)) return;
    const auto value = [&](std::uint64_t place) { return values.at(static_cast<std::int64_t>(i * width_ + place)); };
    if (width_ == 1) {
      row.value = row.predicted == 1 ? value(0) : 1 - value(0);
      row.is_probability = true;
    } else {
      row.value = value(row.predicted);
      double sum = 0, least = 0;
      for (std::uint64_t place = 0; place < width_; ++place) {
        sum += value(place);
        least = std::min(least, value(place));
      }
      row.is_probability = least >= 0 && std::fabs(sum - 1) < 1e-3;
    }
    (row.is_right() ? right_ : wrong_).push_back(row);
  }

  void keep_surest() {
    const auto sureness = [](const ClassifiedRow& row) { return std::isnan(row.value) ? -INFINITY : row.value; };
    std::ranges::stable_sort(wrong_, std::ranges::greater(), sureness);
    if (wrong_.size() > wanted_) wrong_.resize(wanted_);
  }

  std::size_t output_, target_;
  const InputInfo* input_;
  std::size_t wanted_;
  std::uint64_t width_ = 1;
  bool has_classes_ = true;
  ConfusionMatrix matrix_;
  std::vector<ClassifiedRow> wrong_, right_;
};

std::optional<double> share_of(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? std::nullopt : std::optional(static_cast<double>(part) / static_cast<double>(all));
}

}  // namespace

std::uint64_t ConfusionMatrix::all() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts) sum += count;
  return sum;
}

std::uint64_t ConfusionMatrix::right() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) sum += at(i, i);
  return sum;
}

std::uint64_t ConfusionMatrix::of_class(std::size_t target_class) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) sum += at(target_class, i);
  return sum;
}

std::uint64_t ConfusionMatrix::taken_for(std::size_t predicted) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) sum += at(i, predicted);
  return sum;
}

std::optional<double> ConfusionMatrix::recall(std::size_t target_class) const {
  return share_of(at(target_class, target_class), of_class(target_class));
}

std::optional<double> ConfusionMatrix::precision(std::size_t predicted) const {
  return share_of(at(predicted, predicted), taken_for(predicted));
}

bool may_have_classes(const Program& program) {
  return std::ranges::any_of(program.outputs, [&](const OutputInfo& output) {
    const std::optional<std::size_t> target = target_of(program, output);
    return target && may_be_classes(program, output, program.inputs[*target]);
  });
}

Outcome confusion_matrices(Session& session, const Rows& rows, std::size_t wanted_rows,
                           std::vector<ConfusionMatrix>& matrices) {
  const Program& program = session.program();
  std::vector<Gatherer> gatherers;
  for (std::size_t i = 0; i < program.outputs.size(); ++i) {
    const std::optional<std::size_t> target = target_of(program, program.outputs[i]);
    if (target && may_be_classes(program, program.outputs[i], program.inputs[*target]))
      gatherers.emplace_back(program, i, *target, session.vocabularies(), wanted_rows);
  }
  std::vector<Array> outputs;
  for (std::uint64_t first = 0; first < rows.count && !gatherers.empty(); first += kRowsOfCall) {
    const Rows part = rows.slice(program, first, std::min(rows.count, first + kRowsOfCall));
    const Outcome outcome = session.predict(part, outputs);
    if (outcome != Outcome::done) return outcome;
    for (Gatherer& gatherer : gatherers) gatherer.add(part, first, outputs);
    std::erase_if(gatherers, [](const Gatherer& gatherer) { return !gatherer.has_classes(); });
  }
  for (Gatherer& gatherer : gatherers) matrices.push_back(gatherer.finish());
  return Outcome::done;
}

}  // namespace tarn
