// See golden_text.h.
#include "tests/support/compiler/golden_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "tests/support/files.h"
#include "tests/support/transcript.h"

namespace tarn::testing {

namespace {

namespace fs = std::filesystem;

std::string without_spaces(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// "batch 32, packed" as {"batch": "32", "packed": ""}
void read_settings(const std::string& line, Golden& golden) {
  std::istringstream items(line);
  for (std::string item; std::getline(items, item, ',');) {
    item = without_spaces(item);
    const std::size_t space = std::min(item.find(' '), item.size());
    golden.settings[item.substr(0, space)] = without_spaces(item.substr(space));
  }
}

}  // namespace

std::string Golden::setting(std::string_view key, const std::string& otherwise) const {
  const auto found = settings.find(key);
  return found == settings.end() ? otherwise : found->second;
}

std::int64_t Golden::number(std::string_view key, std::int64_t otherwise) const {
  return std::stoll(setting(key, std::to_string(otherwise)));
}

std::vector<std::string> golden_names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "tests" / folder)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

Golden read_golden(const std::string& folder, const std::string& name, const std::vector<std::string>& known) {
  Golden golden;
  golden.path = test::source_folder() / "tests" / folder / (name + ".txt");
  std::istringstream lines(test::read_text(golden.path));
  std::string graph;
  bool gives = false;
  for (std::string line; std::getline(lines, line);) {
    if (gives) {
      golden.expected += line + "\n";
      continue;
    }
    gives = line == "gives";
    golden.given += line + "\n";
    if (line.starts_with("with ")) {
      read_settings(line.substr(5), golden);
    } else if (!gives) {
      graph += line + "\n";
    }
  }
  EXPECT_TRUE(graph.starts_with("# ")) << golden.path << " begins by saying what is decided, and why";
  if (!gives) golden.given += "gives\n";
  for (const auto& [key, value] : golden.settings) EXPECT_EQ(std::ranges::count(known, key), 1) << key;
  Sources sources;
  Result<NamedGraph> parsed = parse_graph(graph, golden.path.string(), sources);
  if (parsed) {
    golden.graph = std::move(*parsed);
  } else {
    ADD_FAILURE() << format(parsed.error(), sources);
  }
  return golden;
}

void expect_golden(const Golden& golden, const std::string& text) {
  if (test::updates_golden() && !::testing::Test::HasFailure()) {
    test::write_text(golden.path, golden.given + text);
    return;
  }
  EXPECT_EQ(golden.expected, text) << golden.path;
}

EvaluationContext drawn_values(const Graph& graph, std::int64_t batch, std::uint64_t seed) {
  EvaluationContext context;
  context.batch = batch;
  context.seed = seed;
  std::mt19937_64 random(seed);
  const auto draw = [&](DType dtype) -> double {
    if (dtype == DType::boolean) return static_cast<double>(random() % 2);
    if (dtype == DType::i32) return static_cast<double>(random() % 3);
    return std::uniform_real_distribution<float>(-1.5F, 1.5F)(random);
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (node.op != Op::tensor && node.op != Op::input) continue;
    Shape shape = node.type.shape;
    if (node.type.per_sample) shape.insert(shape.begin(), kBatch);
    HostTensor value{with_batch(shape, batch), {}};
    for (std::int64_t i = element_count(value.shape); i > 0; --i) value.data.push_back(draw(node.type.dtype));
    (node.op == Op::tensor ? context.tensors : context.inputs)[node.attributes.text(Key::name)] = std::move(value);
  }
  return context;
}

}  // namespace tarn::testing
