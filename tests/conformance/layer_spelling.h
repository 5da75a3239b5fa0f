// Layers of Keras and their arguments as they are written in Tarn.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "tests/conformance/keras_cases.h"

namespace tarn::conformance {

// "batch_norm" for "BatchNormalization".
std::string tarn_name(const std::string& class_name);
// What the prelude has under this name without an import; null where it has nothing.
const PreludeName* definition_of(const std::string& name);
// Whether the definition has an argument of this name.
bool takes(const PreludeName& definition, const std::string& argument);

struct Configuration {
  std::string text;     // "units = 2, use_bias = false"
  std::string missing;  // an argument that Tarn's definition does not have
};
// Of a case with "layer", "config" and "defaults". has_samples: axes are counted with the samples first.
Configuration configuration_of(const Json& test, const PreludeName& definition, bool has_samples);

// The tensors of a layer in the order that Keras gives them in, but those that the configuration leaves out.
std::vector<std::string> layer_weights(const Json& test);

// Whether arrays of the case have channels before places.
bool has_channels_first(const Json& test);
// The expression x, of this rank without samples, with its channels last: transpose(x, [1, 2, 0]); and a result turned
// back where it is of that rank, too.
std::string channels_last(const std::string& x, std::size_t rank);
std::string channels_first(const std::string& result, std::size_t rank);

// The elements of {"data": …}, of {"value": …}, or of a nested list.
std::vector<double> numbers_of(const Json& array);

}  // namespace tarn::conformance
