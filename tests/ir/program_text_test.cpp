// The text form of programs: that it keeps every field, what it looks like, and that no text breaks the parser.
#include "ir/program_text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <tuple>

#include "ir/builder.h"
#include "ir/verify_program.h"
#include "tests/ir/ir_test_support.h"
#include "tests/support/compiler/frontend_test_support.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

using testing::message_of;

// All members of a struct. A struct with one more member does not compile here before it is compared.
auto parts_of(const InputInfo& row) {
  const auto& [name, role, type, values, declared, elements] = row;
  return std::tie(name, role, type, values, declared, elements);
}
auto parts_of(const OutputInfo& row) {
  const auto& [name, type, target, declared] = row;
  return std::tie(name, type, target, declared);
}
auto parts_of(const TensorInfo& row) {
  const auto& [name, kind, type, trainable, initial, offset, declared] = row;
  return std::tie(name, kind, type, trainable, initial, offset, declared);
}
auto parts_of(const MetricInfo& row) {
  const auto& [name, shape, resolved, better] = row;
  return std::tie(name, shape, resolved, better);
}
auto parts_of(const LayerInfo& row) {
  const auto& [path, layer, output, tensors, depth] = row;
  return std::tie(path, layer, output, tensors, depth);
}
auto parts_of(const EarlyStopping& row) {
  const auto& [monitor, mode, patience, start_from_epoch, min_delta, baseline, restore_best] = row;
  return std::tie(monitor, mode, patience, start_from_epoch, min_delta, baseline, restore_best);
}
auto parts_of(const ReduceOnPlateau& row) {
  const auto& [monitor, mode, factor, min_delta, min_lr, patience, cooldown] = row;
  return std::tie(monitor, mode, factor, min_delta, min_lr, patience, cooldown);
}
auto parts_of(const CheckpointSetting& row) {
  const auto& [path, every, best, monitor, mode] = row;
  return std::tie(path, every, best, monitor, mode);
}
auto parts_of(const TrainSettings& row) {
  const auto& [epochs, batch, shuffle, seed, split, batches, averages, weight, target, stopping, plateau, checkpoints] =
      row;
  return std::tie(epochs, batch, shuffle, seed, split, batches, averages, weight, target, stopping, plateau,
                  checkpoints);
}
auto parts_of(const DataBinding::Column& row) {
  const auto& [first, last, first_index, last_index, span] = row;
  return std::tie(first, last, first_index, last_index, span);
}
auto parts_of(const DataBinding& row) {
  const auto& [name, columns, array, encoding, classes, scale, span] = row;
  return std::tie(name, columns, array, encoding, classes, scale, span);
}
auto parts_of(const ImageSettings& row) {
  const auto& [height, width, channels, skip_broken] = row;
  return std::tie(height, width, channels, skip_broken);
}
auto parts_of(const DataSource& row) {
  const auto& [format, files, bindings, header, separator, drop_missing, shuffle_rows, images, span] = row;
  return std::tie(format, files, bindings, header, separator, drop_missing, shuffle_rows, images, span);
}
auto parts_of(const Program& row) {
  const auto& [name, inputs, outputs, tensors, metrics, layers, settings, data, constants, trainable, graphs] = row;
  return std::tie(name, inputs, outputs, tensors, metrics, layers, settings, data, constants, trainable, graphs);
}

bool same(const Graph& a, const Graph& b) {
  if (a.size() != b.size() || a.results() != b.results()) return false;
  for (NodeId id = 0; id < a.size(); ++id) {
    const bool equal = a[id].op == b[id].op && a[id].type == b[id].type && a[id].inputs == b[id].inputs &&
                       a[id].attributes == b[id].attributes;
    if (!equal || !testing::same_place(*a.locations(), a[id].location, *b.locations(), b[id].location)) return false;
  }
  return true;
}

template <class T>
concept HasParts = requires(const T& row) { parts_of(row); };

template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}
template <class T>
bool same(const std::map<std::string, T>& a, const std::map<std::string, T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (HasParts<T>) {
    const auto others = parts_of(b);
    return std::apply(
        [&](const auto&... mine) {
          return std::apply([&](const auto&... theirs) { return (same(mine, theirs) && ...); }, others);
        },
        parts_of(a));
  } else {
    return a == b;
  }
}

// Printed, read back into the same sources, so that places have the same files.
void expect_reads_back(const Program& program, Sources& sources, const std::string& what) {
  const std::string text = print(program, sources);
  const Result<Program> again = parse_program(text, "again.txt", sources);
  ASSERT_EQ(message_of(again), "") << what;
  EXPECT_TRUE(same(*again, program)) << what << ":\n" << text << "reads back as\n" << print(*again, sources);
  EXPECT_EQ(print(*again, sources), text) << what;
}

constexpr const char* kSmall = R"(program small {
  input {name = x, type = each f32[2], declared = "small.tarn":2:9+1}
  input {name = t, role = target, type = each f32[], values = {kind = class_number, count = 3, ignored = -1}}
  output {name = y, type = each f32[3], target = t}
  tensor {name = dense_1.kernel, type = f32[2,3], offset = 64, declared = "small.tarn":3:18+5}
  tensor {name = step, kind = counter, type = f64[], trainable = false, offset = 128}
  metric {name = loss, better = smaller}
  layer {path = dense_1, layer = dense, output = [3], tensors = [dense_1.kernel]}
  settings {epochs = 20, batch = 4, class_weight = {"1" = 2.5, "dog or cat" = 0.1}, early_stopping = {patience = 3}}
  data "" = {format = csv, files = {"" = small.csv}, bindings = [{name = x, columns = [{first = a, last = b}]}]}
  constant hidden = "6"
  graph init {
    %0: f32[2,3] = constant() {value = 0.5} @ "small.tarn":3:18+5 in "layer 'dense'" @ "small.tarn":3:14+9
    %1: f64[] = constant() {value = 0}
    result store "dense_1.kernel" = %0
    result store "step" = %1
  }
  graph predict {
    %x: each f32[2] = input() {name = "x"}
    %dense_1.kernel: f32[2,3] = tensor() {name = "dense_1.kernel"}
    %2: each f32[3] = contract(%x, %dense_1.kernel) {map = "k,kn->n"}
    result output "y" = %2
  }
}
)";

TEST(ProgramText, LooksAsDocumented) {
  Sources sources;
  const Result<Program> program = parse_program(kSmall, "small.txt", sources);
  ASSERT_EQ(message_of(program), "");
  EXPECT_EQ(print(*program, sources), kSmall);
  EXPECT_EQ(program->settings.class_weight.at("dog or cat"), 0.1);
  EXPECT_EQ(program->inputs[1].values.ignored, -1);
  EXPECT_EQ(program->settings.early_stopping->patience, 3);
  EXPECT_EQ(program->data.at("").bindings.at(0).columns.at(0).last, "b");
  EXPECT_EQ(program->graphs.at("init").locations(), program->graphs.at("predict").locations());
}

// A value other than that with which every field begins, so that one that is left out is seen.
Program full_program(Sources& sources) {
  Result<Program> read = parse_program(kSmall, "small.txt", sources);
  Program program = std::move(*read);
  const Span place{*sources.find("small.tarn"), 5, 6, 7};
  program.name = "not a \"word\"";
  const ValueRange index{ValueRange::Kind::index, 10, 5}, sign{ValueRange::Kind::sign, 0, std::nullopt},
      probability{ValueRange::Kind::probability, 0, std::nullopt};
  program.inputs[0].elements = {index, sign};
  program.inputs.push_back({"size", InputRole::sample_weight, {DType::f64, true, {}}, probability, place});
  program.outputs[0].declared = place;
  program.tensors.push_back({"total", TensorKind::metric, {DType::f64, false, {}}, false, -1e-300, 0, place});
  program.tensors.push_back({"again", TensorKind::metric, {DType::f64, false, {3}}, false, -0.0, 64, place});
  program.metrics.push_back({"a rate", {2, 3}, "rate", Better::larger});
  program.layers.push_back({"a.b", "l", {}, {"dense_1.kernel", "a tensor"}, 2});
  TrainSettings& settings = program.settings;
  settings.shuffle = false;
  settings.seed = ~std::uint64_t{0};
  settings.validation_split = 0.1;
  settings.batches_per_update = 4;
  settings.averages_weights = true;
  settings.class_weight_target = "t";
  settings.early_stopping = EarlyStopping{"loss", "min", 1, 2, 3, 0.0, true};
  settings.reduce_on_plateau = ReduceOnPlateau{"loss", "max", 0.2, 0.3, 0.4, 5, 6};
  settings.checkpoints = {{"a/b", 7, true, "rate", "max"}, {}};
  DataBinding binding{"t", {{"", "", 1, 3, place}, {}}, "labels", DataBinding::Encoding::one_hot, 3, 0.5, place};
  program.data["test"] = DataSource{
      "npz", {{"x", "a b.npz"}, {"t", ""}}, {binding}, false, ';', true, std::uint64_t{0}, {2, 3, 1, true}, place};
  binding.encoding = DataBinding::Encoding::ordinal;
  program.data["validation"] = DataSource{"csv", {}, {binding, {}}, true, '"', false, std::nullopt, {}, {}};
  program.constants["line"] = "1\n\t2";
  return program;
}

TEST(ProgramText, KeepsEveryField) {
  Sources sources;
  const Program program = full_program(sources);
  ASSERT_EQ(message_of(verify(program)), "");
  expect_reads_back(program, sources, "all fields");
}

// The models of examples, tests and reports, and the program files of whoever fuzzes.
TEST(ProgramText, ModelsReadBack) {
  int models = 0;
  for (const char* const folder : {"examples", "tests"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::source_folder() / folder)) {
      if (entry.path().extension() != ".tarn") continue;
      Sources sources;
      FrontendResult result = compile_file(entry.path().string(), {}, sources);
      if (!result.program) continue;
      assign_offsets(*result.program);
      expect_reads_back(*result.program, sources, entry.path().string());
      ++models;
    }
  }
  EXPECT_GT(models, 50);
}

TEST(ProgramText, ErrorsNameThePlace) {
  const struct {
    const char *from, *to;  // in kSmall
    std::uint32_t line;
    const char* message;
  } cases[] = {
      {"program small", "graph small", 1, "'program' is expected here"},
      {"small {\n", "{\n", 1, "a name is expected here"},
      {"  input {name = x", "  inlet {name = x", 2, "a statement of the program, 'graph' or '}' is expected here"},
      {"name = x,", "name = x", 2, "',' is expected here"},
      {"name = x,", "name x,", 2, "'=' is expected here"},
      {"each f32[2]", "each f16[2]", 2, "'f16' is no type"},
      {"each f32[2]", "each f32[-2]", 2, "an extent cannot be negative"},
      {"{name = x", "{title = x", 2, "there is no field 'title' here"},
      {"type = each f32[2]", "name = y", 2, "'name' stands twice"},
      {":2:9+1", ":2", 2, "':' is expected here"},
      {"role = target", "role = goal", 3, "'goal' is none of input, target, sample_weight"},
      {"count = 3", "count = many", 3, "an integer is expected here"},
      {"count = 3", "count = 99999999999999999999", 3, "this number is out of range"},
      {"kind = counter", "kind = clock", 6, "'clock' is none of parameter, state, slot, hyper, counter, metric"},
      {"trainable = false", "trainable = 0", 6, "'0' is none of false, true"},
      {"offset = 128", "offset = -128", 6, "an integer is expected here"},
      {"output = [3]", "output = 3", 8, "'[' is expected here"},
      {"output = [3]", "output = [3", 8, "an integer is expected here"},
      {"epochs = 20,", "epochs = 20, epochs = 20,", 9, "'epochs' stands twice"},
      {"\"1\" = 2.5", "\"1\" = 2.5, \"1\" = 2.5", 9, "'1' stands twice"},
      {"early_stopping = {patience = 3}", "early_stopping = 3", 9, "'{' is expected here"},
      {"  data \"\"", "  settings {batch = 2}\n  data \"\"", 10, "'settings' stands twice"},
      {"  constant", "  data \"\" = {}\n  constant", 11, "'' stands twice"},
      {"format = csv", "format = csv, separator = \"ab\"", 10, "this is not one character"},
      {"format = csv", "format = csv, separator = 7", 10, "a character in quotation marks is expected here"},
      {"small.csv", "\"small.csv", 11, "',' is expected here"},
      {"graph predict", "graph init", 23, "'init' is there already"},
      {"contract(%x", "contract(%z", 21, "there is no %z before this"},
      {"result output \"y\"", "result output \"z\"", 1,
       "graph predict: the output 'z' is none of the program's, or has "
       "another type"},
      {"batch = 4", "batch = 0", 1, "a batch has no sample"},
      {"}\n}\n", "}\n} }\n", 24, "nothing is expected behind the program"},
      {"}\n}\n", "}\n", 24, "a statement of the program, 'graph' or '}' is missing at the end"},
  };
  for (const auto& c : cases) {
    std::string text = kSmall;
    ASSERT_NE(text.find(c.from), std::string::npos) << c.from;
    text.replace(text.find(c.from), std::string_view(c.from).size(), c.to);
    Sources sources;
    const Result<Program> parsed = parse_program(text, "bad.txt", sources);
    ASSERT_FALSE(parsed.has_value()) << c.to;
    ASSERT_EQ(parsed.error().size(), 1U) << c.to;
    EXPECT_EQ(parsed.error().front().message, c.message) << c.to;
    EXPECT_EQ(sources.name(parsed.error().front().span.file), "bad.txt");
    EXPECT_EQ(parsed.error().front().span.line, c.line) << c.to;
  }
}

TEST(ProgramText, DamagedTextNeverBreaksTheParser) {
  std::mt19937 random(23);
  const std::string alphabet = "%:=(){}[]@\"\\,+-.0123456789Nabcdefinrstx# \n\xC3";
  const std::string text = kSmall;
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (std::size_t edits = 1 + random() % 2; edits > 0; --edits) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0:
          damaged[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          damaged.erase(at, 1 + random() % 40);
          break;
        case 2:
          damaged.resize(at);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 40));
      }
      if (damaged.empty()) damaged = "x";
    }
    SCOPED_TRACE("round " + std::to_string(round));
    Sources sources;
    const Result<Program> parsed = parse_program(damaged, "damaged.txt", sources);
    if (!parsed) {
      ASSERT_EQ(parsed.error().size(), 1U);
      continue;
    }
    ++accepted;
    ASSERT_NO_FATAL_FAILURE(expect_reads_back(*parsed, sources, damaged));
  }
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace tarn
