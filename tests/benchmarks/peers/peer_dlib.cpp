// dlib on the small cases: peer_dlib CASE prints {"seconds": …}, the time of training without data and warm-up.
#include <dlib/dnn.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

using Sample = dlib::matrix<float>;

// A step is one call of the trainer; the order of rows is drawn anew each epoch.
template <class Network, class Solver, class Label>
double train(Network& network, const Solver& solver, double rate, std::size_t batch, int epochs,
             const std::vector<Sample>& x, const std::vector<Label>& t) {
  dlib::dnn_trainer<Network, Solver> trainer(network, solver);
  trainer.set_learning_rate(rate);
  trainer.set_iterations_without_progress_threshold(1'000'000'000);
  std::mt19937 random(1);
  std::vector<std::size_t> order(x.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto run = [&](int count) {
    std::vector<Sample> rows;
    std::vector<Label> labels;
    for (int epoch = 0; epoch < count; ++epoch) {
      std::shuffle(order.begin(), order.end(), random);
      for (std::size_t begin = 0; begin < order.size(); begin += batch) {
        rows.clear();
        labels.clear();
        for (std::size_t i = begin; i < std::min(begin + batch, order.size()); ++i) {
          rows.push_back(x[order[i]]);
          labels.push_back(t[order[i]]);
        }
        trainer.train_one_step(rows, labels);
      }
    }
    trainer.get_net();
  };
  run(2);
  const auto start = std::chrono::steady_clock::now();
  run(epochs);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<Sample> make_rows(std::size_t count, long width) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<Sample> rows(count, Sample(width, 1));
  for (Sample& row : rows) {
    for (long i = 0; i < width; ++i) row(i) = uniform(random);
  }
  return rows;
}

double case_a() {
  using namespace dlib;
  using Network = loss_binary_hinge<htan<fc<1, htan<fc<20, input<matrix<float>>>>>>>;
  const std::vector<Sample> x = make_rows(200, 5);
  std::vector<float> t;
  for (const Sample& row : x) t.push_back(sum(row) > 2.5F ? 1.F : -1.F);
  Network network;
  return train(network, adam(0, 0.9F, 0.999F), 1e-3, 32, 150, x, t);
}

double case_b() {
  using namespace dlib;
  using Network = loss_multiclass_log<fc<3, relu<fc<6, input<matrix<float>>>>>>;
  const std::vector<Sample> x = make_rows(50, 4);
  std::vector<unsigned long> t;
  for (const Sample& row : x) t.push_back(row(0) > row(1) ? 0 : row(2) > row(3) ? 1 : 2);
  Network network;
  return train(network, sgd(0, 0), 0.1, 50, 1000, x, t);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || (std::strcmp(argv[1], "a") != 0 && std::strcmp(argv[1], "b") != 0)) return 2;
  std::printf("{\"seconds\": %.9g}\n", argv[1][0] == 'a' ? case_a() : case_b());
}
