// See large_models.h.
#include "tests/support/large_models.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace tarn::test {

namespace {

// The pattern for each number i from `from` on: {0} stands for it and {1} for i + 1.
std::string repeated(int from, int count, std::string_view pattern) {
  std::string text;
  for (int i = from; i < count; ++i) text += fmt::format(fmt::runtime(pattern), i, i + 1);
  return text;
}

// A line for each number.
std::string lines(int count, std::string_view pattern) {
  return repeated(0, count, "  " + std::string(pattern) + "\n");
}

// y is learned, its shape that of the target.
std::string model(const std::string& body, const std::string& shape) {
  return "model m {\n" + body + "}\ntrain {\n  target t" + shape +
         "\n  loss mean_squared_error(y, t)\n  optimizer adam(lr = 0.01)\n  batch 16\n}\n";
}

std::string chain(int count, int width, std::string_view step) {
  return model(fmt::format("  input x[{0}]\n  h0 = x\n{1}  output y = h{2}\n", width, lines(count, step), count),
               fmt::format("[{}]", width));
}

std::string stack(int count) {
  return model(fmt::format("  input x[4]\n  output y = stack([x[k % 4] * x[(k * 7) % 4] + k for k in 0..{}])\n", count),
               fmt::format("[{}]", count));
}

std::string concat(int count) {
  return model(fmt::format("  input x[4]\n  output y = concat([x * k for k in 0..{}])\n", count),
               fmt::format("[{}]", 4 * count));
}

std::string time_distributed(int count) {
  return model(fmt::format("  input x[{}, 4]\n  output y = x |> time_distributed(dense(4, tanh))\n", count),
               fmt::format("[{}, 4]", count));
}

std::string batch_norm(int count) { return chain(count, 4, "h{1} = h{0} |> batch_norm"); }
std::string dense(int count) { return chain(count, 8, "h{1} = h{0} |> dense(8, tanh)"); }
std::string softmax(int count) { return chain(count, 8, "h{1} = h{0} |> dense(8, softmax)"); }
std::string blocks(int count) {
  return chain(count, 64, "h{1} = h{0} + (h{0} |> dense(64, relu) |> dropout(0.1) |> layer_norm)");
}

std::string widths(int count) {
  std::string body = "  input x[8]\n  h0 = x\n";
  for (int i = 0; i < count; ++i) body += fmt::format("  h{} = h{} |> dense({}, tanh)\n", i + 1, i, 8 + i % 37);
  return model(body + fmt::format("  output y = h{} |> dense(1)\n", count), "[1]");
}

std::string growing_rows(int count) {
  return model("  input x[8]\n  h0 = x\n" + lines(count, "h{1} = concat([h{0}, h{0} |> dense(2, tanh)])") +
                   fmt::format("  output y = h{} |> dense(1)\n", count),
               "[1]");
}

std::string heads(int count) {
  return "model m {\n  input x[4]\n" + lines(count, "output y{0} = x |> dense(1)") + "}\ntrain {\n" +
         lines(count, "target t{0}[1]") + lines(count, "loss mean_squared_error(y{0}, t{0})") +
         "  optimizer adam(lr = 0.01)\n  batch 16\n}\n";
}

std::string metrics(int count) {
  return "model m {\n  input x[4]\n  output y = x |> dense(1)\n}\ntrain {\n  target t[1]\n"
         "  loss mean_squared_error(y, t)\n" +
         lines(count, "metric m{0} = mean_absolute_error(y * ({0} + 1), t)") +
         "  optimizer adam(lr = 0.01)\n  batch 16\n}\n";
}

std::string inputs(int count) {
  return model(
      lines(count, "input x{0}[2]") + lines(count, "output y{0} = x{0} * 2 + {0}") + "  output y = x0 |> dense(1)\n",
      "[1]");
}

std::string elementwise_steps(int count) {
  return model(fmt::format("  input x[4]\n  param w[4] = zeros\n  h = x * w\n  for k in 0..{} {{\n"
                           "    h = h * w + sin(h) * 0.001 * k\n  }}\n  output y = h\n",
                           count),
               "[4]");
}

std::string slices(int count) {
  return model(fmt::format("  input x[{0}]\n  param w[{0}] = ones\n"
                           "  output y = sum(stack([sin(w[k]) * x[{0} - 1 - k] for k in 0..{0}]))\n",
                           count),
               "");
}

std::string embeddings(int count) {
  const std::string sum = "x" + repeated(0, count, " + h{0}");
  return model("  input x[4]\n  input i: i32\n  e = embedding(10, 4)\n" + lines(count, "h{0} = e(i + {0})") +
                   "  output y = " + sum + "\n",
               "[4]");
}

std::string parameters(int count) {
  return model("  input x[4]\n" + lines(count, "param p{0}[4] = ones") + "  q = x\n" +
                   lines(count, "q = q + sin(p{0} * x)") + "  output y = q\n",
               "[4]");
}

std::string states(int count) {
  return model("  input x[4]\n" + lines(count, "state s{0}[4] = zeros") + lines(count, "s{0} <- s{0} + batch_mean(x)") +
                   "  output y = x |> dense(4)\n",
               "[4]");
}

std::string numbers(int count) {
  const std::string list = "0" + repeated(1, count, ", {0}");
  return model(fmt::format("  input x[4]\n  param w = 1\n  output y = sum(x) * w * [{}]\n", list),
               fmt::format("[{}]", count));
}

std::string functions(int count) {
  const std::string text = "fn f0(x) = tanh(x) * 2\n" + repeated(0, count, "fn f{1}(x) = f{0}(x) + {0}\n");
  return text + model(fmt::format("  input x[4]\n  param w = 1\n  output y = w * f{}(x)\n", count), "[4]");
}

std::string sums(int count) {
  const std::string sum = "mean(w * x)" + repeated(1, count, " + mean(sin(w * x * {1}))");
  return model("  input x[4]\n  param w[4] = ones\n  output y = " + sum + "\n", "");
}

std::string rows(int count) {
  const std::string sum = "softmax(w * x)" + repeated(1, count, " + softmax(w * x * {1})");
  return model("  input x[8]\n  param w[8] = ones\n  output y = " + sum + "\n", "[8]");
}

std::string recurrence(int count) {
  return model(fmt::format("  input x[{0}, 4]\n  h = zeros(8)\n  cell = dense(8, tanh)\n  for t in 0..{0} {{\n"
                           "    h = cell(concat([h, x[t]]))\n  }}\n  output y = h\n",
                           count),
               "[8]");
}

std::string branches(int count) {
  const std::string sum = "h0" + repeated(1, count, " + h{0}");
  return model("  input x[8]\n" + lines(count, "h{0} = x |> dense(8, tanh)") + "  output y = " + sum + "\n", "[8]");
}

constexpr std::array kModels = {
    LargeModel{"stack", 500, stack},
    LargeModel{"time_distributed", 150, time_distributed},
    LargeModel{"batch_norm", 200, batch_norm},
    LargeModel{"dense", 1000, dense},
    LargeModel{"concat", 500, concat},
    LargeModel{"heads", 500, heads},
    LargeModel{"metrics", 500, metrics},
    LargeModel{"inputs", 300, inputs},
    LargeModel{"elementwise_steps", 1000, elementwise_steps},
    LargeModel{"slices", 500, slices},
    LargeModel{"embeddings", 300, embeddings},
    LargeModel{"parameters", 1000, parameters},
    LargeModel{"states", 300, states},
    LargeModel{"numbers", 20000, numbers},
    LargeModel{"functions", 90, functions},
    LargeModel{"sums", 300, sums},
    LargeModel{"rows", 200, rows},
    LargeModel{"recurrence", 200, recurrence},
    LargeModel{"branches", 500, branches},
    LargeModel{"softmax", 200, softmax},
    LargeModel{"widths", 300, widths},
    LargeModel{"growing_rows", 200, growing_rows},
    LargeModel{"blocks", 200, blocks},
};

}  // namespace

std::span<const LargeModel> large_models() { return kModels; }

}  // namespace tarn::test
