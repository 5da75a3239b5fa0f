// Uses NAME.hpp of a model `m` (one input x, one target t, one output y) as a program would. Exit status 0: all is as
// it should be.
#include <cstdio>
#include <vector>

#include "m.hpp"

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::printf("%s\n", what);
}

template <class Action>
void expect_refused(Action action, const char* what) {
  try {
    action();
  } catch (const std::invalid_argument&) {
    return;
  }
  expect(false, what);
}

}  // namespace

int main() {
  constexpr std::size_t kRows = 2 * M_BATCH + 1;
  std::vector<float> x(kRows * M_X_SIZE), t(kRows * M_T_SIZE), y(kRows * M_Y_SIZE), other(y.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) / 8;
  for (std::size_t row = 0; row < kRows; ++row) t[row * M_T_SIZE + row % M_T_SIZE] = 1;
  std::vector<std::uint32_t> order(kRows);
  for (std::size_t i = 0; i < kRows; ++i) order[i] = static_cast<std::uint32_t>(kRows - 1 - i);
  float metrics[M_METRICS];

  m_model model(3);
  model.tensor<double>("optimizer.lr")[0] = 0.02;
  const float before = model.evaluate(x, t);
  for (int i = 0; i < 300; ++i) model.train_epoch(x, t, order, metrics);
  expect(model.evaluate(x, t) < before, "training makes the loss smaller");
  model.train_step(std::span(x).first(M_X_SIZE), std::span(t).first(M_T_SIZE));

  model.predict(x, y);
  m_packed packed = model.packed();
  const m_model copy = model;
  const m_model read(model.state());
  model.tensor<float>("dense_1.kernel")[0] += 1;
  packed.predict(x, other);
  expect(other == y, "packed weights are those of before");
  m_packed(packed).predict(x, other);
  expect(other == y, "and so are copies of them");
  m_model(copy).predict(x, other);
  expect(other == y, "a copy of a model predicts the same");
  m_model(read).predict(x, other);
  expect(other == y, "so does one that is made of its state");
  model.predict(x, other);
  expect(other != y, "the model itself has changed");

  expect_refused([&] { model.predict(std::span(x).first(x.size() - 1), y); }, "half a sample");
  expect_refused([&] { model.predict(x, std::span(y).first(M_Y_SIZE)); }, "more inputs than outputs");
  expect_refused([&] { model.train_step(x, std::span(t).first(M_T_SIZE)); }, "more inputs than targets");
  order[0] = kRows;
  expect_refused([&] { model.train_epoch(x, t, order); }, "a row that is not there");
  expect_refused([&] { m_model(model.state().first(64)); }, "half a state");
  expect_refused([&] { m_packed(static_cast<const void*>(nullptr)); }, "weights of no state");
  model = m_model(copy);
  m_model taken = std::move(model);
  model = taken;
  model.predict(x, other);
  expect(other == y, "what was moved from can be assigned to");
  expect_refused([&] { m_model(std::vector<std::byte>(M_STATE_BYTES)); }, "a state of nothing");
  expect_refused([&] { model.tensor<float>("dense_9.kernel"); }, "a tensor that is not there");
  expect_refused([&] { model.tensor<double>("dense_1.kernel"); }, "a tensor of another type");
  return failures == 0 ? 0 : 1;
}
