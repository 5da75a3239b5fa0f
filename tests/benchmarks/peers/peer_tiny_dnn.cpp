// tiny-dnn on the small cases: peer_tiny_dnn CASE prints {"seconds": …}, the time of training without data and warm-up.
#include <tiny_dnn/tiny_dnn.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

using namespace tiny_dnn;

template <class Loss, class Optimizer>
double train(network<sequential>& net, Optimizer& optimizer, std::size_t batch, int epochs, const std::vector<vec_t>& x,
             const std::vector<vec_t>& t) {
  const auto nothing = [] {};
  net.fit<Loss>(optimizer, x, t, batch, 2, nothing, nothing, true, 1);
  const auto start = std::chrono::steady_clock::now();
  net.fit<Loss>(optimizer, x, t, batch, epochs, nothing, nothing, false, 1);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<vec_t> make_rows(std::size_t count, std::size_t width) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<vec_t> rows(count, vec_t(width));
  for (vec_t& row : rows) {
    for (float_t& value : row) value = uniform(random);
  }
  return rows;
}

// The library has no hinge loss: its mean squared error costs as much.
double case_a() {
  network<sequential> net;
  net << fully_connected_layer<activation::tan_h>(5, 20) << fully_connected_layer<activation::tan_h>(20, 1);
  const std::vector<vec_t> x = make_rows(200, 5);
  std::vector<vec_t> t;
  for (const vec_t& row : x) t.push_back({row[0] + row[1] + row[2] + row[3] + row[4] > 2.5F ? 1.F : -1.F});
  adam optimizer;
  return train<mse>(net, optimizer, 32, 150, x, t);
}

double case_b() {
  network<sequential> net;
  net << fully_connected_layer<activation::relu>(4, 6) << fully_connected_layer<activation::softmax>(6, 3);
  const std::vector<vec_t> x = make_rows(50, 4);
  std::vector<vec_t> t;
  for (const vec_t& row : x) t.push_back({row[0] > row[1] ? 1.F : 0.F, row[0] > row[1] ? 0.F : 1.F, 0.F});
  gradient_descent optimizer;
  optimizer.alpha = 0.1F;
  return train<cross_entropy_multiclass>(net, optimizer, 50, 1000, x, t);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || (std::strcmp(argv[1], "a") != 0 && std::strcmp(argv[1], "b") != 0)) return 2;
  std::printf("{\"seconds\": %.9g}\n", argv[1][0] == 'a' ? case_a() : case_b());
}
