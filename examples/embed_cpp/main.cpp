// Names the species of a flower from its four measurements, with a trained model that is part of the program.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "iris.hpp"

int main(int argc, char** argv) {
  std::array<float, IRIS_X_SIZE> x;
  if (argc != 1 + IRIS_X_SIZE) {
    std::cerr << "usage: flower SEPAL_LENGTH SEPAL_WIDTH PETAL_LENGTH PETAL_WIDTH\n";
    return 2;
  }
  std::transform(argv + 1, argv + argc, x.begin(), [](const char* text) { return std::strtof(text, nullptr); });
  std::array<float, IRIS_Y_SIZE> y;
  iris_model model;
  model.predict(x, y);
  const auto best = static_cast<std::size_t>(std::ranges::max_element(y) - y.begin());
  std::cout << iris_model::class_names()[best] << ' ' << y[best] << '\n';
}
