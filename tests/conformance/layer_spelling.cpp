// See layer_spelling.h.
#include "tests/conformance/layer_spelling.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarn::conformance {

namespace {

// A class of Keras where name, arguments or axes are not spelled as the rules below have it.
struct Spelling {
  std::string name = {};
  std::map<std::string, std::string> arguments = {};
  std::vector<std::string> weights = {};  // in the order of set_weights
};
const std::map<std::string, Spelling> kSpellings = {
    {"ReLU", {"relu"}},
    {"ELU", {"elu"}},
    {"LeakyReLU", {"leaky_relu"}},
    {"PReLU", {"prelu", {}, {"alpha"}}},
    {"Dense", {"dense", {}, {"kernel", "bias"}}},
    {"Embedding",
     {"embedding",
      {{"embeddings_initializer", "init"},
       {"embeddings_regularizer", "regularizer"},
       {"embeddings_constraint", "constraint"}},
      {"embeddings"}}},
    {"BatchNormalization",
     {"batch_norm",
      {{"moving_variance_initializer", "moving_var_init"}},
      {"gamma", "beta", "moving_mean", "moving_var"}}},
    {"LayerNormalization", {"layer_norm", {}, {"gamma", "beta"}}},
    {"Normalization", {"normalization"}},
    {"GroupNormalization", {"group_norm", {}, {"gamma", "beta"}}},
    {"RMSNormalization", {"rms_norm", {}, {"scale"}}},
    {"Conv1D", {"conv1d", {}, {"kernel", "bias"}}},
    {"Conv2D", {"conv2d", {}, {"kernel", "bias"}}},
    {"Conv3D", {"conv3d", {}, {"kernel", "bias"}}},
    {"Conv1DTranspose", {"conv1d_transpose", {}, {"kernel", "bias"}}},
    {"Conv2DTranspose", {"conv2d_transpose", {}, {"kernel", "bias"}}},
    {"Conv3DTranspose", {"conv3d_transpose", {}, {"kernel", "bias"}}},
    {"DepthwiseConv1D", {"depthwise_conv1d", {}, {"kernel", "bias"}}},
    {"DepthwiseConv2D", {"depthwise_conv2d", {}, {"kernel", "bias"}}},
    {"SeparableConv1D", {"separable_conv1d", {}, {"depthwise_kernel", "pointwise_kernel", "bias"}}},
    {"SeparableConv2D", {"separable_conv2d", {}, {"depthwise_kernel", "pointwise_kernel", "bias"}}},
    {"Reshape", {"reshape", {{"target_shape", "shape"}}}},
    {"Permute", {"permute", {{"dims", "axes"}}}},
    {"Activation", {"activation", {{"activation", "f"}}}},
    {"L1L2", {"l1_l2"}},
    {"L1", {"l1", {{"l1", "strength"}}}},
    {"L2", {"l2", {{"l2", "strength"}}}},
    {"RandomNormal", {"normal"}},
    {"RandomUniform", {"uniform"}},
};

// "zeros", {"call": {"name": "src.initializers.Constant"}, "args": [0.01]} as functions of the prelude; data as they
// are.
std::string value_text(const std::string& key, const Json& value) {
  const bool is_function = key.ends_with("initializer") || key.ends_with("regularizer") ||
                           key.ends_with("constraint") || key.ends_with("activation");
  if (value.is_object() && value.contains("call")) {
    std::string path = value.at("call").at("name").get<std::string>();
    std::string arguments;
    for (const Json& argument : value.value("args", Json::array()))
      arguments += (arguments.empty() ? "" : ", ") + argument_text(argument);
    return fmt::format("{}({})", tarn_name(path.substr(path.rfind('.') + 1)), arguments);
  }
  if (value.is_object() && value.contains("class"))
    return fmt::format("{}({})", tarn_name(value.at("class").get<std::string>()),
                       named_arguments(value.at("config")).substr(value.at("config").empty() ? 0 : 2));
  if (!is_function || !value.is_string()) return argument_text(value);
  const std::string name = value.get<std::string>();
  return std::isupper(static_cast<unsigned char>(name[0])) != 0 ? tarn_name(name) : name;
}

// Axes that Keras counts with the samples first.
Json without_samples(const std::string& key, const Json& value) {
  if (key == "noise_shape" && value.is_array()) return Json(std::vector<Json>(value.begin() + 1, value.end()));
  if (key != "axis" && key != "axes" && key != "shared_axes" && key != "dims") return value;
  if (value.is_array()) {
    Json axes = Json::array();
    for (const Json& axis : value) axes.push_back(without_samples(key, axis));
    return axes;
  }
  return value.is_number() && value.get<int>() > 0 ? Json(value.get<int>() - 1) : value;
}

}  // namespace

std::string tarn_name(const std::string& class_name) {
  const auto it = kSpellings.find(class_name);
  return it == kSpellings.end() ? function_name(class_name) : it->second.name;
}

const PreludeName* definition_of(const std::string& name) {
  static const std::vector<PreludeName> names = prelude_names();
  const auto it = std::find_if(names.begin(), names.end(), [&](const PreludeName& n) {
    return n.name == name && !n.file.starts_with("prelude/modules");
  });
  return it == names.end() ? nullptr : &*it;
}

bool takes(const PreludeName& definition, const std::string& argument) {
  const std::string& text = definition.signature;
  // Behind the layer's own name, with which the signature begins.
  for (std::size_t at = text.find(argument, 1); at != std::string::npos; at = text.find(argument, at + 1)) {
    const char before = text[at - 1], after = text[at + argument.size()];
    if ((before == '(' || before == ' ') && (after == ',' || after == ')' || after == ' ')) return true;
  }
  return false;
}

Configuration configuration_of(const Json& test, const PreludeName& definition, bool has_samples) {
  Configuration result;
  Json given = test.at("defaults");
  given.update(test.at("config"));
  const auto spelling = kSpellings.find(test.at("layer").get<std::string>());
  for (const auto& [key, value] : given.items()) {
    if (key == "data_format") continue;
    std::string name = key;
    if (key.ends_with("_initializer")) name = key.substr(0, key.size() - std::string("ializer").size());
    if (spelling != kSpellings.end() && spelling->second.arguments.contains(key))
      name = spelling->second.arguments.at(key);
    if (!takes(definition, name)) {
      if (test.at("config").contains(key) && value != test.at("defaults").value(key, Json())) result.missing = key;
      continue;
    }
    if (value.is_null() && !test.at("config").contains(key)) continue;
    const Json mine = has_samples ? without_samples(key, value) : value;
    result.text += fmt::format("{}{} = {}", result.text.empty() ? "" : ", ", name, value_text(key, mine));
  }
  return result;
}

std::vector<std::string> layer_weights(const Json& test) {
  const auto spelling = kSpellings.find(test.at("layer").get<std::string>());
  std::vector<std::string> names = spelling == kSpellings.end() ? std::vector<std::string>() : spelling->second.weights;
  const Json& config = test.at("config");
  std::erase_if(names, [&](const std::string& name) {
    return (name == "gamma" && !config.value("scale", true)) || (name == "beta" && !config.value("center", true)) ||
           (name == "bias" && !config.value("use_bias", true));
  });
  return names;
}

bool has_channels_first(const Json& test) {
  const Json format = test.at("config").value("data_format", Json());
  return format.is_string() && format.get<std::string>() == "channels_first";
}

std::string channels_last(const std::string& x, std::size_t rank) {
  if (rank < 2) return x;
  std::string axes;
  for (std::size_t i = 1; i < rank; ++i) axes += fmt::format("{}, ", i);
  return fmt::format("transpose({}, [{}0])", x, axes);
}

std::string channels_first(const std::string& result, std::size_t rank) {
  if (rank < 2) return result;
  std::string axes = std::to_string(rank - 1);
  for (std::size_t i = 0; i + 1 < rank; ++i) axes += fmt::format(", {}", i);
  return fmt::format("if rank({0}) == {1} then transpose({0}, [{2}]) else {0}", result, rank, axes);
}

std::vector<double> numbers_of(const Json& array) {
  return array.is_object() && array.contains("data") ? array.at("data").get<std::vector<double>>()
                                                     : array_of(array).values;
}

}  // namespace tarn::conformance
