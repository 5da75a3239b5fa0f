// The headers of compiled models against compilers and what their headers define: no names that collide, no warnings.
#include <fmt/format.h>

#include <iterator>
#include <span>
#include <sstream>
#include <vector>

#include "tests/driver/compile_test_support.h"

namespace tarn {
namespace {

// Keywords of C99 to C2x and of C++11 to C++23, but those that are Tarn's own.
constexpr const char* kKeywords =
    "alignas alignof and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl "
    "concept "
    "const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do "
    "double "
    "dynamic_cast enum explicit export extern float friend goto inline int long mutable namespace new noexcept not_eq "
    "nullptr operator or_eq private protected public register reinterpret_cast requires restrict short signed sizeof "
    "static "
    "static_assert static_cast struct switch template this thread_local throw try typedef typeid typename typeof "
    "typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq _Alignas _Alignof _Atomic _Bool "
    "_Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local __restrict __inline __attribute__ __asm__ "
    "__typeof__ __extension__ __func__ __FILE__ __LINE__ __cplusplus __int128";
// Macros and types of the standard headers, in large letters and small ones.
constexpr const char* kLibrary =
    "I complex imaginary NULL NAN EOF errno INFINITY HUGE_VAL HUGE_VALF INT32_MAX INT32_MIN UINT64_MAX SIZE_MAX "
    "CHAR_BIT "
    "INT_MAX RAND_MAX BUFSIZ SEEK_SET EINTR ERANGE SIGINT LC_ALL M_PI DBL_MAX FLT_EPSILON FE_INVALID CLOCKS_PER_SEC "
    "EXIT_SUCCESS math_errhandling stdin stdout stderr noreturn assert offsetof va_start setjmp isnan signbit exp sin "
    "size_t ptrdiff_t int32_t uint8_t uint32_t uint64_t intptr_t time_t FILE linux unix i386 major minor environ min "
    "max "
    "near far small T E N";
// What the functions and classes of a header call their own things.
constexpr const char* kOwn =
    "state workspace packed bytes count std samples rows order metrics control seed row state_ workspace_ packed_ "
    "m_model "
    "m_packed m_predict m_train_step m_details m_tensor_info m_control m_check M_BATCH M_METRICS a A Aa aA wrong_ "
    "predict "
    "tensor tensors train_step train_epoch evaluate adapt init name info first other memory allocate copy_of "
    "sample_count "
    "type_of layout alignment threads predict_workspace kind type x__y";

constexpr const char* kHeaders =
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef "
    "stdint "
    "stdio stdlib string time wchar wctype unistd sys/types";

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string includes(const std::string& header) {
  std::string text;
  for (const std::string& name : words(kHeaders)) text += fmt::format("#include <{}.h>\n", name);
  return text + fmt::format("#include \"{}\"\n", header);
}

const char* const kCompilersOfC[] = {"cc -std=c99",       "cc -std=gnu11",       "cc -std=c11",      "cc -std=c2x",
                                     "clang-19 -std=c99", "clang-19 -std=gnu17", "clang-19 -std=c23"};
const char* const kCompilersOfCpp[] = {"c++ -std=c++11",       "c++ -std=gnu++17",      "c++ -std=c++17",
                                       "c++ -std=c++20",       "clang++-19 -std=c++17", "clang++-19 -std=c++20",
                                       "clang++-19 -std=c++23"};
constexpr const char* kWarnings = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Werror";
constexpr const char* kWarningsOfC = "-Wstrict-prototypes -Wmissing-prototypes -Wc++-compat";
constexpr const char* kWarningsOfCpp = "-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual";

class Headers : public Compile {
 protected:
  void expect_clean(const std::string& file, const char* compiler, const std::string& warnings) {
    const Finished checked = in_folder(fmt::format("{} {} -fsyntax-only {}", compiler, warnings, file));
    EXPECT_EQ(checked.status, 0) << compiler << ": " << checked.output.substr(0, 3000);
  }
  // m.h and m.hpp, before the headers of the library or behind them.
  void expect_clean_headers(bool behind, std::span<const char* const> c, std::span<const char* const> cpp) {
    std::ofstream(folder_ / "all.c") << (behind ? includes("m.h") : "#include \"m.h\"\n")
                                     << "int main(void) { return 0; }\n";
    std::ofstream(folder_ / "all.cpp") << (behind ? includes("m.hpp") : "#include \"m.hpp\"\n")
                                       << "int main() { return 0; }\n";
    for (const char* compiler : c) expect_clean("all.c", compiler, fmt::format("{} {}", kWarnings, kWarningsOfC));
    for (const char* compiler : cpp) {
      const bool has_span = std::string_view(compiler).find("c++2") != std::string_view::npos;
      expect_clean(has_span ? "all.cpp" : "-x c++ all.c", compiler, fmt::format("{} {}", kWarnings, kWarningsOfCpp));
    }
  }
};

TEST_F(Headers, KeepClearOfTheNamesOfCompilersAndLibraries) {
  for (const char* list : {kKeywords, kLibrary, kOwn}) {
    std::string text = "model m {\n", sum;
    for (const std::string& name : words(list)) {
      text += fmt::format("  input {}[2]\n", name);
      sum += (sum.empty() ? "" : " + ") + name;
    }
    text += fmt::format(
        "  output out_ = {} |> dense(2)\n}}\ntrain {{\n  target t_[2]\n  loss mse(out_, t_)\n  optimizer sgd\n}}\n",
        sum);
    std::ofstream(folder_ / "m.tarn") << text;
    const Finished compiled = tarn("compile m.tarn -o m.o --quiet");
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    expect_clean_headers(true, kCompilersOfC, kCompilersOfCpp);
    expect_clean_headers(false, std::span(kCompilersOfC).first(1), std::span(kCompilersOfCpp).last(1));
  }
}

TEST_F(Headers, OfAllKindsOfModelsAreCleanWithEveryWarning) {
  const std::string model = "model m {\n  input x[3]\n  output y = x |> dense(2, softmax)\n}\n";
  const std::string train = "train {\n  target t[2]\n  loss categorical_crossentropy(y, t)\n  optimizer adam\n";
  const std::pair<std::string, const char*> kinds[] = {
      {model, ""},
      {model + train + "}\n", ""},
      {model + train + "}\n", "--functions init,train"},
      {model + train + "}\n", "--functions init,evaluate,predict"},
      {model + train + "  metric accuracy(y, t)\n}\n", ""},
      {model + train + "  metric confusion_matrix(y, t)\n  ema(0.9)\n}\n", "--precision f64"},
      {model + train + "}\n", "--functions predict"},
      {"model m {\n  input x[3]\n  output y = x |> normalization |> dense(2)\n}\n" + train + "}\n", ""},
      {"model m {\n  input x: i32\n  output y = x |> embedding(5, 2)\n}\n", ""},
      {"model m {\n  input x[2]\n  output y = x + 0\n}\n", ""},
  };
  for (const auto& [text, arguments] : kinds) {
    SCOPED_TRACE(text + arguments);
    std::ofstream(folder_ / "m.tarn") << text;
    const Finished compiled = tarn(fmt::format("compile m.tarn -o m.o --quiet {}", arguments));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    const char* const c[] = {"cc -std=c99", "clang-19 -std=c23"};
    const char* const cpp[] = {"c++ -std=c++20", "c++ -std=c++17", "clang++-19 -std=c++20"};
    expect_clean_headers(false, c, cpp);
  }
}

TEST_F(Headers, SizesOfArraysHaveTheirNamesWhateverElseIsThere) {
  std::ofstream(folder_ / "motor.tarn") << "model motor {\n  input I[2]\n  input wrong[3]\n  input i[4]\n  output V = "
                                           "reshape(sum(I) + sum(wrong) + sum(i), [1]) |> dense(1)\n}\n";
  ASSERT_EQ(tarn("compile motor.tarn -o motor.o --quiet").status, 0);
  std::ofstream(folder_ / "program.c") << "#include \"motor.h\"\n#include <stdio.h>\nint main(void) {\n"
                                          "  printf(\"%d %d %d %d\", MOTOR_I_SIZE, MOTOR_WRONG_SIZE, MOTOR_I__SIZE, "
                                          "motor_check(NULL, 0) == MOTOR_WRONG_SIZE_);\n"
                                          "  return 0;\n}\n";
  const Finished built =
      in_folder("cc -std=c99 -Wall -Wextra -Wpedantic -Werror program.c motor.o -o program && ./program");
  EXPECT_EQ(built.output, "2 3 4 1");
}

TEST_F(Headers, SayWhatMemoryNeeds) {
  std::ofstream(folder_ / "m.tarn") << "model m {\n  input x[2]\n  output y = x |> dense(1)\n}\n";
  ASSERT_EQ(tarn("compile m.tarn -o m.o --quiet").status, 0);
  EXPECT_NE(read_text(folder_ / "m.h").find("State and workspace begin at multiples of M_ALIGNMENT;"),
            std::string::npos);
  ASSERT_EQ(
      tarn(fmt::format("compile '{}' --weights '{}' -o baked.o --quiet", path_of("iris"), trained_weights())).status,
      0);
  EXPECT_NE(read_text(folder_ / "baked.h").find("The workspace begins at a multiple of IRIS_ALIGNMENT;"),
            std::string::npos);
}

// Ranges are told to whoever calls, and the made-up samples of the self-test keep to them.
TEST_F(Headers, AndSelfTestsKnowWhatValuesArraysTake) {
  std::ofstream(folder_ / "m.tarn")
      << "model m {\n  input k\n  output y = embedding(5, 3)(reshape(k, [1])) |> flatten |> dense(3, softmax)\n"
         "  output z = y |> dense(1)\n  output p = y |> dense(1, sigmoid)\n  output d = f64(tanh(z))\n  output e = "
         "f64(k) / 3\n}\n"
         "train {\n  target c\n  target s[1]\n  target b[1]\n  loss sparse_categorical_crossentropy(y, c)\n"
         "  loss hinge(z, s)\n  loss binary_crossentropy(p, b)\n  optimizer sgd\n  batch 4\n}\n";
  ASSERT_EQ(tarn("compile m.tarn -o m.o --test --quiet").status, 0);
  const std::string header = read_text(folder_ / "m.h");
  for (const char* line : {"k[samples], each an index from 0 to 4", "c[samples], each a class from 0 to 2",
                           "s[samples][1], each -1, 0 or 1", "b[samples][1], each a number from 0 to 1"})
    EXPECT_NE(header.find(line), std::string::npos) << line << header;
  const Finished built = in_folder("cc -std=c99 -Wall -Wextra -Wpedantic -Werror m_test.c m.o -o program && ./program");
  EXPECT_EQ(built.status, 0) << built.output;
  EXPECT_NE(built.output.find("checks passed (float to 0.0001, double to 1e-09)"), std::string::npos) << built.output;
}

}  // namespace
}  // namespace tarn
