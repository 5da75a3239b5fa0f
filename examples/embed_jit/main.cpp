// Compiles a model file in memory, trains it on generated points, and predicts: tells points in a circle from others.
#include <tarn/tarn.h>

#include <array>
#include <cstddef>
#include <iostream>
#include <random>
#include <vector>

namespace {

struct Points {
  std::vector<float> x, t;
};

// Points of the square, and 1 for those in the circle with half its area.
Points make_points(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> coordinate(-1, 1);
  Points points;
  for (std::size_t i = 0; i < count; ++i) {
    const float a = coordinate(generator), b = coordinate(generator);
    points.x.insert(points.x.end(), {a, b});
    points.t.push_back(a * a + b * b < 2 / 3.14159265F ? 1.0F : 0.0F);
  }
  return points;
}

void run(const char* file) {
  tarn::Session session(tarn::compile_file(file), {.seed = 7});
  const Points training = make_points(1000, 1), fresh = make_points(1000, 2);

  tarn::FitOptions options;
  options.validation = {{"x", fresh.x}, {"t", fresh.t}};
  options.on_epoch = [](const tarn::Epoch& epoch) {
    if (epoch.epoch % 20 == 0) std::cout << "epoch " << epoch.epoch << "  loss " << epoch.loss() << '\n';
    return (*epoch.validation)["accuracy"] < 0.99;  // that will do
  };
  session.fit({{"x", training.x}, {"t", training.t}}, options);
  std::cout << "accuracy on fresh points " << session.evaluate(options.validation)["accuracy"] << '\n';

  const tarn::Predictor predict = session.predictor();
  for (const std::array<float, 2> point : {std::array{0.1F, 0.2F}, std::array{0.9F, -0.8F}}) {
    float inside = 0;
    predict(point.data(), &inside, 1);
    std::cout << point[0] << ", " << point[1] << (inside > 0.5F ? ": inside" : ": outside") << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "circle.tarn");
  } catch (const tarn::Error& error) {
    std::cerr << error.what();
    return 1;
  }
}
