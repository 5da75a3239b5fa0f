// See prelude_parts.h.
#include "tests/models/prelude_parts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "frontend/frontend.h"
#include "ir/diagnostics.h"

namespace tarn::models {

namespace {

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \n"), last = text.find_last_not_of(" \n");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, last - first + 1));
}

// The parts of the list in brackets that begins at `open`, and where it ends.
std::vector<std::string> parts_of_list(std::string_view text, std::size_t open, std::size_t& end) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t begin = open + 1;
  for (end = open; end < text.size(); ++end) {
    const char c = text[end];
    const bool closes = c == ')' || c == ']';
    if (closes) --depth;
    const bool ends_part = (c == ',' && depth == 1) || (closes && depth == 0);
    if (ends_part && end > begin) parts.push_back(trimmed(text.substr(begin, end - begin)));
    if (ends_part) begin = end + 1;
    if (c == '(' || c == '[') ++depth;
    if (closes && depth == 0) break;
  }
  return parts;
}

Definition read_definition(const PreludeName& name) {
  Definition made{name.name, name.kind, name.file, {}};
  const std::size_t open = name.signature.find('(');
  if (open == std::string::npos) return made;
  std::size_t end = 0;
  for (const std::string& part : parts_of_list(name.signature, open, end)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) made.parameters.push_back({part, ""});
    if (equals != std::string::npos)
      made.parameters.push_back({trimmed(part.substr(0, equals)), trimmed(part.substr(equals + 1))});
  }
  made.is_configured = end + 1 < name.signature.size() && name.signature[end + 1] == '(';
  return made;
}

}  // namespace

std::size_t Definition::needed() const {
  return static_cast<std::size_t>(std::ranges::count(parameters, std::string(), &Parameter::initial));
}

const Parameter* Definition::find(std::string_view parameter) const {
  const auto found = std::ranges::find(parameters, parameter, &Parameter::name);
  return found == parameters.end() ? nullptr : &*found;
}

const std::vector<Definition>& prelude_definitions() {
  static const std::vector<Definition> all = [] {
    std::vector<Definition> made;
    for (const PreludeName& name : prelude_names()) {
      if (name.file.find("modules/") == std::string::npos) made.push_back(read_definition(name));
    }
    return made;
  }();
  return all;
}

const Definition& definition(std::string_view name) {
  const auto found = std::ranges::find(prelude_definitions(), name, &Definition::name);
  TARN_CHECK(found != prelude_definitions().end(), "the prelude has no '" + std::string(name) + "'");
  return *found;
}

const std::vector<const Definition*>& definitions_in(std::string_view file, std::string_view kind) {
  static std::map<std::pair<std::string, std::string>, std::vector<const Definition*>> known;
  const auto [row, is_new] = known.try_emplace({std::string(file), std::string(kind)});
  if (!is_new) return row->second;
  for (const Definition& one : prelude_definitions()) {
    const bool is_there = one.file == "prelude/" + std::string(file) + ".tarn";
    if (is_there && one.kind == kind && !is_left_out(left_out_names(), one.name)) row->second.push_back(&one);
  }
  return row->second;
}

const std::vector<LeftOut>& left_out_names() {
  static const std::vector<LeftOut> list = {
      {"same_shape", "a check"},
      {"signs", "part of the hinges"},
      {"at_least_0", "a check"},
      {"above_0", "a check"},
      {"from_0_to_1", "a check"},
      {"below_1", "a check"},
      {"merged", "part of the merges"},
      {"fan_in", "part of initializers"},
      {"fan_out", "part of initializers"},
      {"noise_extents", "part of dropout"},
      {"axes_of", "part of layers that normalize"},
      {"extents_along", "part of layers that normalize"},
      {"for_each_axis", "part of convolutions"},
      {"need_channels", "part of convolutions"},
      {"same_padding", "part of convolutions"},
      {"window_padding", "part of convolutions"},
      {"padded", "part of convolutions"},
      {"place_letters", "part of convolutions"},
      {"window_letters", "part of convolutions"},
      {"convolution", "part of convolutions"},
      {"depthwise_convolution", "part of convolutions"},
      {"transposed_places", "part of convolutions"},
      {"transposed_convolution", "part of convolutions"},
      {"kernel_extents", "part of convolutions"},
      {"pooling_windows", "part of pooling"},
      {"max_pooling", "part of pooling"},
      {"elements_inside", "part of pooling"},
      {"average_pooling", "part of pooling"},
      {"adaptive_pooling", "part of pooling"},
      {"sides_of_axes", "part of layers of images"},
      {"cropped_sides", "part of layers of images"},
      {"repeated", "part of layers of images"},
      {"need_interpolation", "part of layers of images"},
      {"sinc", "part of layers of images"},
      {"interpolation_kernel", "part of layers of images"},
      {"interpolation_matrix", "part of layers of images"},
      {"enlarged", "part of layers of images"},
      {"resized", "part of layers of images"},
      {"middle_part", "part of layers of images"},
      {"drawn", "part of layers of images"},
      {"factor_range", "part of layers of images"},
      {"place_inside", "part of layers of images"},
      {"taken_places", "part of layers of images"},
      {"moved_image", "part of layers of images"},
      {"need_filling", "part of layers of images"},
      {"windows", "in convolutions and pooling"},
      {"fold", "in transposed convolutions"},
      {"random_crop", "is a choice of places, which jumps"},
      {"random_translation", "is a choice of places, which jumps"},
      {"random_zoom", "is a choice of places, which jumps"},
      {"random_contrast", "draws as `random_brightness` does"},
      {"weight_of", "part of metrics"},
      {"share", "part of metrics"},
      {"class_numbers", "part of metrics"},
      {"among_top", "part of metrics"},
      {"only_top", "part of metrics"},
      {"only_class", "part of metrics"},
      {"decisions", "part of metrics"},
      {"above", "part of metrics"},
      {"threshold_list", "part of metrics"},
      {"single", "part of metrics"},
      {"decided", "part of metrics"},
      {"points_of_curve", "part of metrics"},
      {"largest_where", "part of metrics"},
      {"ascending", "part of metrics"},
      {"areas_under", "part of metrics"},
      {"class_confusion", "part of metrics"},
      {"standard_scores", "part of metrics"},
      {"loss_of", "in `accuracy`"},
      {"in_metric", "in losses with ignore_class"},
      {"counted", "in losses with ignore_class"},
      {"parts", "in `weighted_mean`"},
      {"is_known", "in optimizers"},
      {"takes", "in losses, metrics and `embedding`"},
  };
  return list;
}

const std::vector<LeftOut>& left_out_parameters() {
  static const std::vector<LeftOut> list = {
      {"mask_zero", "refused"},
      {"moving_var_init", "variances must be positive"},
      {"sparse_y_true", "says what the target is"},
      {"sparse_y_pred", "says what the prediction is"},
      {"from_sorted_ids", "says what the prediction is"},
      {"label_weights", "goes with the number of labels"},
      {"relative_step", "changes nothing"},
      {"mean", "goes with variance, and with the shape"},
      {"variance", "goes with mean, and with the shape"},
      {"noise_shape", "goes with the rank"},
      {"shared_axes", "goes with the rank"},
      {"default_value", "is needed"},
      {"num_regressors", "divides by the number of samples less this"},
  };
  return list;
}

bool is_left_out(const std::vector<LeftOut>& list, std::string_view name) {
  return std::ranges::find(list, name, &LeftOut::name) != list.end();
}

}  // namespace tarn::models
