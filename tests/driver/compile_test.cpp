// `tarn compile`: what is written links into C programs, gives the bits of the code in memory, exports what the page of
// interfaces says and nothing else, and keeps to its sizes.
#include "tests/driver/compile_test_support.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <set>
#include <thread>

#include "runtime/session/session.h"
#include "runtime/session/weights.h"
#include "tests/support/compiler/cpus.h"

namespace tarn {
namespace {

using ::testing::HasSubstr;

// What follows --cpu in the arguments of a command, if anything does.
std::string_view cpu_among(std::string_view arguments) {
  constexpr std::string_view kOption = "--cpu ";
  const std::size_t at = arguments.find(kOption);
  return at == std::string_view::npos ? "" : arguments.substr(at + kOption.size());
}

TEST_F(Compile, SelfTestsPassInEveryForm) {
  struct Case {
    const char *model, *arguments, *name, *link;
  };
  const Case cases[] = {
      {"iris", "", "iris.o", "iris.o"},
      {"iris", "", "libiris.a", "-L. -liris"},
      {"iris", "", "libiris.so", "-L. -liris -Wl,-rpath,."},
      {"iris", "", "iris.s", "iris.s"},
      {"deep", "", "deep.o", "deep.o"},
      {"deep", "--precision f64", "deep.o", "deep.o"},
      {"branches", "", "branches.o", "branches.o"},
      {"deep", "--cpu x86-64", "deep.o", "deep.o"},
      {"math", "--cpu x86-64", "math.o", "math.o"},
      {"math", "--cpu x86-64-v3", "math.o", "math.o"},
      {"sums", "--functions init,predict", "sums.o", "sums.o"},
  };
  for (const Case& item : cases) {
    if (!test::runs_here(cpu_among(item.arguments))) continue;
    const std::string name = fs::path(item.name).stem().string();
    const std::string stem = name.starts_with("lib") ? name.substr(3) : name;
    SCOPED_TRACE(fmt::format("{} {}", item.name, item.arguments));
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o {} --test --seed 5 {}", path_of(item.model), item.name, item.arguments));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    const Finished built = in_folder(fmt::format(
        "cc -std=c99 -Wall -Wextra -Wpedantic -Werror {}_test.c {} -o program && ./program", stem, item.link));
    EXPECT_EQ(built.status, 0) << built.output;
    EXPECT_THAT(built.output, HasSubstr("checks passed"));
  }
}

TEST_F(Compile, ASelfTestFindsAWrongResult) {
  ASSERT_EQ(tarn(fmt::format("compile '{}' -o iris.o --test", path_of("iris"))).status, 0);
  std::string text = read_text(folder_ / "iris_test.c");
  const std::size_t seed = text.find("iris_init(state, UINT64_C(");
  ASSERT_NE(seed, std::string::npos);
  text.insert(text.find("UINT64_C(", seed) + 9, "1");
  std::ofstream(folder_ / "iris_test.c") << text;
  const Finished built = in_folder("cc iris_test.c iris.o -o program && ./program");
  EXPECT_EQ(built.status, 1) << built.output;
  EXPECT_THAT(built.output, HasSubstr("expected"));
}

std::set<std::string> set_of_words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

TEST_F(Compile, OnlyDocumentedSymbolsAreExportedAndNoneIsNeeded) {
  const std::set<std::string> all = {"iris_state_bytes",  "iris_workspace_bytes", "iris_check",    "iris_init",
                                     "iris_predict",      "iris_train_step",      "iris_evaluate", "iris_train_epoch",
                                     "iris_tensors",      "iris_class_names",     "iris_pack",     "iris_packed_bytes",
                                     "iris_check_packed", "iris_predict_packed"};
  const std::set<std::string> prediction = {"iris_state_bytes", "iris_workspace_bytes", "iris_check",
                                            "iris_predict",     "iris_tensors",         "iris_class_names"};
  const std::set<std::string> baked = {"iris_workspace_bytes", "iris_predict", "iris_class_names"};
  const std::pair<std::string, const std::set<std::string>*> cases[] = {
      {"-o iris.o", &all},
      {"-o iris.a", &all},
      {"-o iris.o --functions predict", &prediction},
      {fmt::format("-o iris.o --weights '{}'", trained_weights()), &baked},
  };
  for (const auto& [arguments, expected] : cases) {
    SCOPED_TRACE(arguments);
    const Finished compiled = tarn(fmt::format("compile '{}' {}", path_of("iris"), arguments));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    const std::string file = arguments.substr(3, 6);
    EXPECT_EQ(set_of_words(in_folder("nm --defined-only --format=just-symbols " + file + " | grep -v :").output),
              *expected);
    EXPECT_EQ(in_folder("nm --undefined-only --format=just-symbols " + file + " | grep -v :").output, "");
    // Nothing that can be written.
    EXPECT_EQ(in_folder("nm --defined-only " + file + " | grep ' [bBdDcC] '").output, "");
  }
  ASSERT_EQ(tarn(fmt::format("compile '{}' -o iris.so", path_of("iris"))).status, 0);
  EXPECT_EQ(set_of_words(in_folder("nm -D --defined-only --format=just-symbols iris.so").output), all);
  EXPECT_EQ(in_folder("nm -D --undefined-only iris.so").output, "");
  for (const char* arguments : {"--cpu x86-64", "--cpu x86-64-v3", "--target riscv64-linux-gnu",
                                "--precision f64 --cpu x86-64", "--precision f64 --target aarch64-linux-gnu"}) {
    ASSERT_EQ(tarn(fmt::format("compile math.tarn -o math.o {}", arguments)).status, 0);
    EXPECT_EQ(in_folder("nm --undefined-only math.o").output, "") << arguments;
  }
}

// Those of several models in one file.
TEST_F(Compile, HeadersAreCleanInCAndCpp) {
  for (const char* arguments : {"", "--functions predict", "--precision f64"}) {
    SCOPED_TRACE(arguments);
    std::ofstream c(folder_ / "all.c"), cpp(folder_ / "all.cpp");
    for (const std::string model : {"iris", "branches", "deep", "by_hand"}) {
      const Finished compiled = tarn(fmt::format("compile '{0}' -o {1}.ll {2}", path_of(model), model, arguments));
      ASSERT_EQ(compiled.status, 0) << compiled.output;
      c << "#include \"" << model << ".h\"\n";
      cpp << "#include \"" << model << ".hpp\"\n";
    }
    c.close();
    cpp.close();
    for (const char* compiler :
         {"cc -std=c99 all.c", "cc -std=c11 all.c", "clang-19 -std=c99 all.c", "c++ -std=c++11 -x c++ all.c",
          "c++ -std=c++20 all.cpp", "clang++-19 -std=c++20 all.cpp"}) {
      const Finished checked =
          in_folder(fmt::format("{} -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only", compiler));
      EXPECT_EQ(checked.status, 0) << checked.output;
    }
  }
}

TEST_F(Compile, TheClassOfTheCppHeaderOwnsAndChecks) {
  ASSERT_EQ(tarn("compile deep.tarn -o m.o --prefix m").status, 0);
  const Finished built = in_folder(fmt::format(
      "c++ -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Werror -I. '{}/tests/data/compiled_model.cpp' m.o -o "
      "program && ./program",
      test::source_folder().string()));
  EXPECT_EQ(built.status, 0) << built.output;
}

// Names that C or the preprocessor would stumble over.
TEST_F(Compile, NamesOfAModelDoNotMeetThoseOfC) {
  std::ofstream(folder_ / "names.tarn")
      << "model names {\n  input double[2]\n  input state[2]\n  input A[1]\n  input a[3]\n"
         "  output samples = double + state |> dense(1)\n"
         "  output int = sum(A) + sum(a)\n}\n";
  const Finished compiled = tarn("compile names.tarn -o names.o --test");
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  const Finished built =
      in_folder("cc -std=c99 -Wall -Wextra -Wpedantic -Werror names_test.c names.o -o program && ./program");
  EXPECT_EQ(built.status, 0) << built.output;
  EXPECT_EQ(in_folder("c++ -Wall -Wextra -Wpedantic -Werror -x c++ -fsyntax-only names.h").output, "");
  EXPECT_EQ(in_folder("c++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -x c++ -fsyntax-only names.hpp").output, "");
}

TEST_F(Compile, ObjectsKeepToTheirSizes) {
  // The bounds of the issue; sizes do not depend on this machine.
  for (const char* cpu : {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    ASSERT_EQ(tarn(fmt::format("compile '{}' -o all.o --cpu {}", path_of("iris"), cpu)).status, 0);
    EXPECT_LE(size_of("all.o"), 24U * 1024) << cpu;
    ASSERT_EQ(tarn(fmt::format("compile '{}' -o p.o --functions predict --cpu {}", path_of("iris"), cpu)).status, 0);
    EXPECT_LE(size_of("p.o"), 6U * 1024) << cpu;
  }
}

// A shared library in this process.
class Library {
 public:
  explicit Library(const fs::path& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { dlclose(handle_); }
  template <class Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle_, name));
  }

 private:
  void* handle_;
};

TEST_F(Compile, BuiltInWeightsPredictAsTheSessionThatHasThem) {
  const std::string weights_path = trained_weights();
  const Finished compiled = tarn(fmt::format("compile '{}' -o b.so --weights '{}'", path_of("iris"), weights_path));
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  const Library library(folder_ / "b.so");
  auto* predict = library.find<void(void*, const float*, float*, std::size_t)>("iris_predict");
  auto* workspace_bytes = library.find<std::size_t()>("iris_workspace_bytes");
  auto* class_names = library.find<const char* const*(std::size_t*)>("iris_class_names");
  ASSERT_TRUE(predict != nullptr && workspace_bytes != nullptr && class_names != nullptr);
  EXPECT_EQ(library.find<void()>("iris_init"), nullptr);

  const std::unique_ptr<Session> session = session_of(path_of("iris"), 0);
  const Result<WeightsFile> weights = read_weights(weights_path);
  ASSERT_TRUE(weights.has_value());
  ASSERT_TRUE(apply_weights(*session, *weights).has_value());
  std::vector<float> x(73 * 4), y(73 * 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 29 % 80) / 10.0F;
  Bytes workspace(workspace_bytes());
  predict(workspace.data(), x.data(), y.data(), 73);
  std::vector<Array> outputs;
  ASSERT_EQ(session->predict({{x.data(), nullptr}, 73}, outputs), Outcome::done);
  EXPECT_EQ(std::memcmp(y.data(), outputs[0].data.data(), y.size() * sizeof(float)), 0);

  std::size_t count = 0;
  const char* const* names = class_names(&count);
  ASSERT_EQ(count, 3U);
  EXPECT_EQ(std::set<std::string>(names, names + count), (std::set<std::string>{"setosa", "versicolor", "virginica"}));
}

struct TensorRow {
  const char* name;
  const std::uint64_t* shape;
  std::uint64_t offset, bytes;
  std::uint32_t rank, kind, type, reserved;
};

TEST_F(Compile, AWrongStateIsFoundAndTheTableNamesEveryTensor) {
  ASSERT_EQ(tarn("compile deep.tarn -o deep.so").status, 0);
  const Library library(folder_ / "deep.so");
  auto* check = library.find<int(const void*, std::size_t)>("deep_check");
  auto* init = library.find<void(void*, std::uint64_t)>("deep_init");
  auto* state_bytes = library.find<std::size_t()>("deep_state_bytes");
  auto* tensors = library.find<const TensorRow*(std::size_t*)>("deep_tensors");
  ASSERT_TRUE(check != nullptr && init != nullptr && state_bytes != nullptr && tensors != nullptr);

  Bytes state(state_bytes() + 64, std::byte{0xA5});
  EXPECT_EQ(check(state.data(), state_bytes()), 3);
  init(state.data(), 3);
  EXPECT_EQ(check(state.data(), state_bytes()), 0);
  EXPECT_EQ(check(state.data(), state_bytes() - 1), 1);
  EXPECT_EQ(check(nullptr, state_bytes()), 1);
  EXPECT_EQ(check(state.data() + 4, state_bytes()), 2);
  state[0] ^= std::byte{1};
  EXPECT_EQ(check(state.data(), state_bytes()), 3);
  state[0] ^= std::byte{1};

  const std::unique_ptr<Session> session = session_of(path_of("deep"), 3);
  std::size_t count = 0;
  const TensorRow* rows = tensors(&count);
  EXPECT_EQ(tensors(nullptr), rows);
  std::set<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    const TensorInfo* info = session->program().find_tensor(rows[i].name);
    ASSERT_NE(info, nullptr) << rows[i].name;
    names.insert(rows[i].name);
    EXPECT_EQ(rows[i].kind, static_cast<std::uint32_t>(info->kind));
    EXPECT_EQ(Shape(rows[i].shape, rows[i].shape + rows[i].rank), info->type.shape);
    const Array expected = session->tensor(rows[i].name);
    ASSERT_EQ(rows[i].bytes, expected.data.size());
    EXPECT_EQ(std::memcmp(state.data() + rows[i].offset, expected.data.data(), expected.data.size()), 0)
        << rows[i].name;
  }
  EXPECT_TRUE(names.contains("optimizer.lr") && names.contains("dense_1.kernel") && names.contains("step"));
}

TEST_F(Compile, PackedWeightsPredictAsTheStateThatTheyCameFrom) {
  ASSERT_EQ(tarn("compile deep.tarn -o deep.so").status, 0);
  const Library library(folder_ / "deep.so");
  auto* init = library.find<void(void*, std::uint64_t)>("deep_init");
  auto* packed_bytes = library.find<std::size_t()>("deep_packed_bytes");
  auto* pack = library.find<void(const void*, void*)>("deep_pack");
  auto* check = library.find<int(const void*, std::size_t)>("deep_check_packed");
  using Predict = void(const void*, void*, const float*, float*, std::size_t);
  auto* predict = library.find<Predict>("deep_predict");
  auto* predict_packed = library.find<Predict>("deep_predict_packed");
  ASSERT_TRUE(init != nullptr && packed_bytes != nullptr && pack != nullptr && check != nullptr);
  ASSERT_TRUE(predict != nullptr && predict_packed != nullptr);
  Bytes state(library.find<std::size_t()>("deep_state_bytes")()), packed(packed_bytes(), std::byte{0xA5});
  Bytes workspace(library.find<std::size_t()>("deep_workspace_bytes")());
  // Neither the slots of the optimizer nor the temporaries of `init`.
  EXPECT_LT(packed.size(), state.size() / 2);
  init(state.data(), 1);
  EXPECT_EQ(check(packed.data(), packed.size()), 3);
  pack(state.data(), packed.data());
  EXPECT_EQ(check(packed.data(), packed.size()), 0);
  EXPECT_EQ(check(packed.data(), packed.size() - 1), 1);
  EXPECT_EQ(check(packed.data() + 8, packed.size()), 2);
  std::vector<float> x(31 * 7), expected(31 * 5), actual(31 * 5);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) / 8.0F - 0.5F;
  predict(state.data(), workspace.data(), x.data(), expected.data(), 31);
  std::fill(state.begin(), state.end(), std::byte{0});
  predict_packed(packed.data(), workspace.data(), x.data(), actual.data(), 31);
  EXPECT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(float)), 0);
}

// A matrix of 70 x 256 is large enough to be packed in groups of columns.
TEST_F(Compile, LargeMatricesArePackedInGroupsWithTheSameBits) {
  std::string names, numbers;
  for (int i = 1; i <= 70; ++i) {
    names += fmt::format("x{},", i);
    numbers += fmt::format("{},", 0.01 * (i % 7));
  }
  test::write_text(folder_ / "wide.csv", names + "t\n" + numbers + "1\n" + numbers + "0\n");
  test::write_text(folder_ / "wide.tarn",
                   "model wide {\n  input x[70]\n  output y = x |> dense(256, tanh) |> dense(1)\n}\n"
                   "train {\n  target t[1]\n  loss mse(y, t)\n  optimizer adam()\n  epochs 1\n  batch 2\n}\n"
                   "data {\n  csv \"wide.csv\"\n  x = columns(\"x1\"..\"x70\")\n  t = columns(\"t\")\n}\n");
  ASSERT_EQ(tarn("train wide.tarn --quiet -o wide.safetensors").status, 0);
  const Finished packing = tarn("compile wide.tarn -o packing.o --functions pack");
  EXPECT_EQ(packing.status, 0) << packing.output;
  constexpr std::size_t kRows = 31;
  std::vector<float> x(kRows * 70);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) / 8.0F - 0.5F;
  const std::unique_ptr<Session> session = session_of((folder_ / "wide.tarn").string(), 1);
  ASSERT_TRUE(session->model().plan().packed.in_groups());
  const Result<WeightsFile> weights = read_weights((folder_ / "wide.safetensors").string());
  ASSERT_TRUE(weights.has_value() && apply_weights(*session, *weights).has_value());
  for (const char* cpus : {"native", "x86-64,x86-64-v3"}) {
    ASSERT_EQ(tarn(fmt::format("compile wide.tarn -o wide.so --cpu {}", cpus)).status, 0);
    ASSERT_EQ(
        tarn(fmt::format("compile wide.tarn -o baked.so --prefix baked --weights wide.safetensors --cpu {}", cpus))
            .status,
        0);
    const Library library(folder_ / "wide.so"), built_in(folder_ / "baked.so");
    using Predict = void(const void*, void*, const float*, float*, std::size_t);
    auto* pack = library.find<void(const void*, void*)>("wide_pack");
    auto* check = library.find<int(const void*, std::size_t)>("wide_check_packed");
    auto* predict = library.find<Predict>("wide_predict");
    auto* predict_packed = library.find<Predict>("wide_predict_packed");
    auto* predict_built_in = built_in.find<void(void*, const float*, float*, std::size_t)>("baked_predict");
    ASSERT_TRUE(pack != nullptr && check != nullptr && predict != nullptr);
    ASSERT_TRUE(predict_packed != nullptr && predict_built_in != nullptr);
    Bytes state(library.find<std::size_t()>("wide_state_bytes")());
    Bytes packed(library.find<std::size_t()>("wide_packed_bytes")());
    Bytes workspace(library.find<std::size_t()>("wide_workspace_bytes")());
    Bytes own_workspace(built_in.find<std::size_t()>("baked_workspace_bytes")());
    ASSERT_LE(session->state().size(), state.size());
    std::copy(session->state().begin(), session->state().end(), state.begin());
    pack(state.data(), packed.data());
    EXPECT_EQ(check(packed.data(), packed.size()), 0);
    for (const std::size_t rows : {std::size_t{1}, kRows}) {
      std::vector<float> expected(rows), from_packed(rows), from_built_in(rows);
      predict(state.data(), workspace.data(), x.data(), expected.data(), rows);
      predict_packed(packed.data(), workspace.data(), x.data(), from_packed.data(), rows);
      predict_built_in(own_workspace.data(), x.data(), from_built_in.data(), rows);
      EXPECT_EQ(from_packed, expected) << cpus << ", " << rows;
      EXPECT_EQ(from_built_in, expected) << cpus << ", " << rows;
    }
  }
}

// `ema` changes weights every two updates, which is part of the step, and at the end of training, which the caller
// says.
TEST_F(Compile, TrainingWithRunningMeansEndsAsTheSessionEndsIt) {
  std::string text = kDeepModel;
  text.insert(text.find("  batch"), "  ema(momentum = 0.9, overwrite_every = 2)\n  shuffle   false\n  epochs 3\n");
  std::ofstream(folder_ / "deep.tarn") << text << "data {\n  csv \"deep.csv\"\n  x = columns(\"x1\"..\"x7\")\n"
                                       << "  t = columns(\"t1\"..\"t5\")\n}\n";
  constexpr std::size_t kRows = 31;
  std::vector<float> x(kRows * 7), t(kRows * 5);
  std::ofstream csv(folder_ / "deep.csv");
  csv << "x1,x2,x3,x4,x5,x6,x7,t1,t2,t3,t4,t5\n";
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < 7; ++i) csv << (x[row * 7 + i] = static_cast<float>((row * 7 + i) % 13) / 8) << ',';
    for (std::size_t i = 0; i < 5; ++i) csv << (t[row * 5 + i] = row % 5 == i ? 1.0F : 0.0F) << (i == 4 ? '\n' : ',');
  }
  csv.close();
  const Finished trained = tarn("train deep.tarn --seed 9 --quiet -o deep.safetensors");
  ASSERT_EQ(trained.status, 0) << trained.output;
  ASSERT_EQ(tarn("compile deep.tarn -o deep.so").status, 0);

  const Library library(folder_ / "deep.so");
  auto* init = library.find<void(void*, std::uint64_t)>("deep_init");
  auto* epoch =
      library
          .find<float(void*, void*, const float*, const float*, const std::uint32_t*, std::size_t, float*, Control*)>(
              "deep_train_epoch");
  auto* finish = library.find<void(void*)>("deep_finish_training");
  auto* tensors = library.find<const TensorRow*(std::size_t*)>("deep_tensors");
  ASSERT_TRUE(init != nullptr && epoch != nullptr && finish != nullptr && tensors != nullptr);
  Bytes state(library.find<std::size_t()>("deep_state_bytes")());
  Bytes workspace(library.find<std::size_t()>("deep_workspace_bytes")());
  init(state.data(), 9);
  for (int i = 0; i < 3; ++i) {
    epoch(state.data(), workspace.data(), x.data(), t.data(), nullptr, kRows, nullptr, nullptr);
  }
  finish(state.data());
  const Result<WeightsFile> weights = read_weights((folder_ / "deep.safetensors").string());
  ASSERT_TRUE(weights.has_value());
  const std::unique_ptr<Session> session = session_of((folder_ / "deep.tarn").string(), 9);
  ASSERT_TRUE(apply_weights(*session, *weights).has_value());
  std::size_t count = 0;
  const TensorRow* rows = tensors(&count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rows[i].kind > 1) continue;  // a file of weights holds parameters and states of layers
    const Array expected = session->tensor(rows[i].name);
    EXPECT_EQ(std::memcmp(state.data() + rows[i].offset, expected.data.data(), expected.data.size()), 0)
        << rows[i].name;
  }
}

constexpr const char* kWideModel = R"(model wide {
  input x[200]
  output y = x |> dense(320, relu) |> dense(256, tanh) |> dense(1)
}
train {
  target t[1]
  loss mean_squared_error(y, t)
  optimizer adam(lr = 0.001)
  batch 128
}
)";

// Parts from the last to the first, one after the other; then by as many threads as there are parts.
TEST_F(Compile, TrainingThatThreadsOfTheCallerShareGivesTheSameBits) {
  std::ofstream(folder_ / "wide.tarn") << kWideModel;
  const Finished compiled = tarn("compile wide.tarn -o wide.so --threads 3");
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  EXPECT_THAT(read_text(folder_ / "wide.h"), HasSubstr("#define WIDE_THREADS 3\n"));
  const Library library(folder_ / "wide.so");
  auto* init = library.find<void(void*, std::uint64_t)>("wide_init");
  auto* epoch =
      library
          .find<float(void*, void*, const float*, const float*, const std::uint32_t*, std::size_t, float*, Control*)>(
              "wide_train_epoch");
  ASSERT_TRUE(init != nullptr && epoch != nullptr);
  constexpr std::size_t kRows = 200;
  std::vector<float> x(kRows * 200), t(kRows);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 101;
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = static_cast<float>(i % 9) / 9;
  std::vector<std::uint32_t> order(kRows);
  for (std::size_t i = 0; i < kRows; ++i) order[i] = static_cast<std::uint32_t>(i * 77 % kRows);
  const std::size_t workspace_bytes = library.find<std::size_t()>("wide_workspace_bytes")();
  using ParallelFor = void(void*, std::size_t, void (*)(void*, std::size_t), void*);
  const auto trained = [&](int threads, ParallelFor* parallel_for) {
    Bytes state(library.find<std::size_t()>("wide_state_bytes")());
    constexpr std::size_t kGuard = 4096;
    Bytes workspace(workspace_bytes + kGuard, std::byte{0x5A});
    init(state.data(), 2);
    std::size_t most = 0;
    Control control;
    control.threads = threads;
    control.parallel_for = parallel_for;
    control.context = &most;
    epoch(state.data(), workspace.data(), x.data(), t.data(), order.data(), kRows, nullptr, &control);
    EXPECT_EQ(most, parallel_for == nullptr ? 0U : static_cast<std::size_t>(std::min(threads, 3)));
    const auto after = workspace.begin() + static_cast<std::ptrdiff_t>(workspace_bytes);
    EXPECT_TRUE(std::all_of(after, workspace.end(), [](std::byte b) { return b == std::byte{0x5A}; }));
    return state;
  };
  ParallelFor* const backwards = [](void* context, std::size_t count, void (*body)(void*, std::size_t),
                                    void* argument) {
    auto& most = *static_cast<std::size_t*>(context);
    most = std::max(most, count);
    while (count > 0) body(argument, --count);
  };
  ParallelFor* const at_once = [](void* context, std::size_t count, void (*body)(void*, std::size_t), void* argument) {
    auto& most = *static_cast<std::size_t*>(context);
    most = std::max(most, count);
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(body, argument, i);
  };
  const Bytes alone = trained(0, nullptr);
  EXPECT_EQ(trained(2, backwards), alone);
  EXPECT_EQ(trained(3, backwards), alone);
  EXPECT_EQ(trained(1000, backwards), alone) << "more than there is memory for";
  EXPECT_EQ(trained(3, at_once), alone);
  // Where nobody asked for threads there are none.
  ASSERT_EQ(tarn("compile wide.tarn -o single.so --prefix wide").status, 0);
  EXPECT_THAT(read_text(folder_ / "single.h"), HasSubstr("#define WIDE_THREADS 1\n"));
}

TEST_F(Compile, StepsThatCannotBeTakenChangeNothing) {
  ASSERT_EQ(tarn("compile deep.tarn -o deep.so").status, 0);
  const Library library(folder_ / "deep.so");
  auto* init = library.find<void(void*, std::uint64_t)>("deep_init");
  auto* step = library.find<float(void*, void*, const float*, const float*, std::size_t)>("deep_train_step");
  auto* epoch =
      library
          .find<float(void*, void*, const float*, const float*, const std::uint32_t*, std::size_t, float*, Control*)>(
              "deep_train_epoch");
  ASSERT_TRUE(init != nullptr && step != nullptr && epoch != nullptr);
  Bytes state(library.find<std::size_t()>("deep_state_bytes")());
  Bytes workspace(library.find<std::size_t()>("deep_workspace_bytes")());
  std::vector<float> x(24 * 7, 0.5F), t(24 * 5, 0.2F);
  init(state.data(), 1);
  const Bytes before = state;
  EXPECT_TRUE(std::isnan(step(state.data(), workspace.data(), x.data(), t.data(), 0)));
  EXPECT_TRUE(std::isnan(step(state.data(), workspace.data(), x.data(), t.data(), 13)));
  t[3] = INFINITY;
  EXPECT_TRUE(std::isnan(step(state.data(), workspace.data(), x.data(), t.data(), 12)));
  EXPECT_EQ(state, before);
  // A stop that was asked for before the start; a NaN in the second batch.
  std::vector<std::byte> room(64);
  auto* control = reinterpret_cast<Control*>(room.data());
  control->stop = 1;
  float metric = -1;
  epoch(state.data(), workspace.data(), x.data(), t.data(), nullptr, 24, &metric, control);
  EXPECT_EQ(control->batches_done, 0U);
  EXPECT_EQ(state, before);
  control->stop = 0;
  std::swap(t[3], t[12 * 5 + 3]);
  EXPECT_TRUE(std::isnan(epoch(state.data(), workspace.data(), x.data(), t.data(), nullptr, 24, &metric, control)));
  EXPECT_EQ(control->batches_done, 1U);
  EXPECT_NE(state, before);
}

TEST_F(Compile, WrongUseIsAnError) {
  struct Case {
    std::string arguments;
    int status;
    const char* message;
  };
  const std::string iris = path_of("iris");
  const Case cases[] = {
      {fmt::format("compile '{}'", iris), 2, "--output"},
      {fmt::format("compile '{}' -o iris.obj", iris), 1, "must end in"},
      {fmt::format("compile '{}' -o iris.o --functions learn", iris), 1, "no function 'learn'"},
      {fmt::format("compile '{}' -o iris.o --functions adapt", iris), 1, "has nothing for 'adapt'"},
      {fmt::format("compile '{}' -o iris.o --prefix 3d", iris), 1, "cannot begin the names of C functions"},
      {fmt::format("compile '{}' -o iris.o --cpu pentium99", iris), 1, "knows no CPU 'pentium99'"},
      {fmt::format("compile '{}' -o iris.o --cpu x86-64,znver4", iris), 1, "not for 'znver4' among others"},
      {fmt::format("compile '{}' -o iris.o --cpu x86-64,", iris), 1, "among others"},
      {fmt::format("compile '{}' -o iris.o --target toaster-unknown-none", iris), 1, "toaster"},
      {fmt::format("compile '{}' -o iris.wasm", iris), 1, "--target wasm32"},
      {fmt::format("compile '{}' -o iris.so --target wasm32", iris), 1, "no shared libraries"},
      {fmt::format("compile '{}' -o iris.o --header iris.hpp", iris), 1, "--header"},
      {fmt::format("compile '{}' -o iris.wasm --target wasm32 --threads 2", iris), 1, "pointers of 8 bytes"},
      {fmt::format("compile '{}' -o iris.o --weights '{}' --functions pack", iris, trained_weights()), 1,
       "needs a state"},
      {fmt::format("compile '{}' -o iris.o --weights '{}' --functions train", iris, trained_weights()), 1,
       "needs a state"},
      {fmt::format("compile deep.tarn -o iris.o --weights '{}'", trained_weights()), 1, "does not hold the weights"},
      {fmt::format("compile '{}' -o iris.o --functions predict --test", iris), 1, "needs `init`"},
      {fmt::format("compile '{}' -o no/such/iris.o", iris), 1, "no/such/iris.o"},
      {"compile missing.tarn -o iris.o", 1, "missing.tarn"},
  };
  for (const Case& item : cases) {
    SCOPED_TRACE(item.arguments);
    const Finished result = tarn(item.arguments);
    EXPECT_EQ(result.status, item.status) << result.output;
    EXPECT_THAT(result.output, HasSubstr(item.message));
  }
  // What cannot be written as a whole is not begun.
  fs::create_directory(folder_ / "taken.o");
  fs::create_directory(folder_ / "half.hpp");
  const Finished taken = tarn(fmt::format("compile '{}' -o taken.o", iris));
  EXPECT_EQ(taken.status, 1);
  EXPECT_THAT(taken.output, HasSubstr("cannot write 'taken.o'"));
  const Finished half = tarn(fmt::format("compile '{}' -o half.o", iris));
  EXPECT_EQ(half.status, 1);
  EXPECT_THAT(half.output, HasSubstr("cannot write 'half.hpp'"));
  EXPECT_FALSE(fs::exists(folder_ / "half.o") || fs::exists(folder_ / "half.h"));
  const Finished unlinked = in_folder(fmt::format("PATH=/nowhere '{}' compile '{}' -o iris.so", test::driver(), iris));
  EXPECT_EQ(unlinked.status, 1);
  EXPECT_THAT(unlinked.output, HasSubstr("needs a linker"));
}

}  // namespace
}  // namespace tarn
