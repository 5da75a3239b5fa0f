// Names the species of a flower from its four measurements, with a trained model that is part of the program.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <span>

#include "iris.h"

namespace {

using Measurements = std::span<const float, IRIS_X_SIZE>;
using Probabilities = std::array<float, IRIS_Y_SIZE>;

// The workspace of calls from one thread.
class Classifier {
 public:
  Probabilities operator()(Measurements x) {
    Probabilities y;
    iris_predict(workspace_.data(), x.data(), y.data(), 1);
    return y;
  }
  static std::span<const char* const> class_names() {
    std::size_t count = 0;
    const char* const* names = iris_class_names(&count);
    return {names, count};
  }

 private:
  alignas(IRIS_ALIGNMENT) std::array<std::byte, IRIS_PREDICT_WORKSPACE_BYTES> workspace_;
};

}  // namespace

int main(int argc, char** argv) {
  std::array<float, IRIS_X_SIZE> x;
  if (argc != 1 + IRIS_X_SIZE) {
    std::cerr << "usage: flower SEPAL_LENGTH SEPAL_WIDTH PETAL_LENGTH PETAL_WIDTH\n";
    return 2;
  }
  std::transform(argv + 1, argv + argc, x.begin(), [](const char* text) { return std::strtof(text, nullptr); });
  Classifier classify;
  const Probabilities y = classify(x);
  const auto best = static_cast<std::size_t>(std::ranges::max_element(y) - y.begin());
  std::cout << Classifier::class_names()[best] << ' ' << y[best] << '\n';
}
