// Compiled models for other machines: what `tarn compile --target` makes runs there, or in an emulator of it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <regex>
#include <string>
#include <utility>

#include "tests/driver/compile_test_support.h"
#include "tests/support/compiler/cpus.h"

namespace tarn {
namespace {

using ::testing::HasSubstr;

class CompileTargets : public Compile {
 protected:
  static bool has_program(const std::string& name) { return run("command -v " + name).status == 0; }

  static bool has_microcontroller() { return has_program("arm-none-eabi-gcc") && has_program("qemu-system-arm"); }
  // Builds a program for a Cortex-M4, and runs it with these arguments in the emulator of one.
  Finished on_microcontroller(const std::string& sources, const std::string& arguments) const {
    return in_folder(fmt::format(
        "arm-none-eabi-gcc -std=gnu99 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 --specs=rdimon.specs "
        "-I. -T '{0}/memory.ld' '{0}/start.c' {1} m.o -lm -o program && "
        "timeout 100 qemu-system-arm -M mps2-an386 -nographic -semihosting-config 'enable=on{2}' -kernel program",
        example("embed_mcu"), sources, arguments));
  }
};

TEST_F(CompileTargets, SelfTestsPassUnderEmulators) {
  struct Case {
    const char *triple, *emulator, *model;
  };
  const Case cases[] = {
      {"aarch64-linux-gnu", "qemu-aarch64-static", "iris"}, {"aarch64-linux-gnu", "qemu-aarch64-static", "deep"},
      {"aarch64-linux-gnu", "qemu-aarch64-static", "wide"}, {"aarch64-linux-gnu", "qemu-aarch64-static", "image"},
      {"riscv64-linux-gnu", "qemu-riscv64-static", "deep"}, {"riscv64-linux-gnu", "qemu-riscv64-static", "math"},
      {"riscv64-linux-gnu", "qemu-riscv64-static", "image"}};
  for (const Case& item : cases) {
    SCOPED_TRACE(fmt::format("{} {}", item.triple, item.model));
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o m.o --prefix m --target {} --test", path_of(item.model), item.triple));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    const std::string compiler = std::string(item.triple) + "-gcc";
    if (!has_program(compiler) || !has_program(item.emulator)) GTEST_SKIP() << compiler << " or " << item.emulator;
    const Finished built = in_folder(
        fmt::format("{} -std=c99 -static -Wall -Wextra -Wpedantic -Werror m_test.c m.o -o program && {} ./program",
                    compiler, item.emulator));
    EXPECT_EQ(built.status, 0) << built.output;
    EXPECT_THAT(built.output, HasSubstr("checks passed"));
  }
}

// The emulator is told which CPU to be, and the bits say which code has run.
TEST_F(CompileTargets, OneObjectRunsTheCodeForTheCpuThatItMeets) {
  const Finished compiled =
      tarn(fmt::format("compile '{}' -o m.o --prefix m --cpu x86-64-v4,x86-64,x86-64-v3", path_of("deep")));
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  EXPECT_EQ(in_folder("nm --undefined-only m.o").output, "");
  EXPECT_EQ(in_folder("nm --defined-only m.o | grep -v ' [Ti] m_'").output, "");
  const Finished built = in_folder(
      fmt::format("cc -std=c99 -I. -static '{}/tests/data/compiled_model.c' m.o -o program && ./program results",
                  test::source_folder().string()));
  ASSERT_EQ(built.status, 0) << built.output;
  if (!has_program("qemu-x86_64-static")) GTEST_SKIP() << "qemu-x86_64-static";
  for (const auto& [cpu, level] : {std::pair("Nehalem", "x86-64"), std::pair("Haswell", "x86-64-v3")}) {
    if (!test::runs_here(level)) continue;  // nothing to compare with
    const Finished ran = in_folder(fmt::format("qemu-x86_64-static -cpu {} ./program results", cpu));
    ASSERT_EQ(ran.status, 0) << ran.output;
    const std::string expected = bytes_of_code_in_memory(path_of("deep"), level);
    const std::string actual = read_text(folder_ / "results");
    ASSERT_GE(actual.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), actual.begin())) << cpu;
  }
}

// Sums, a row of b and what else a tile holds fit the registers of every machine: none goes to the stack on the way.
TEST_F(CompileTargets, TilesOfProductsStayInRegisters) {
  test::write_text(folder_ / "products.tarn",
                   "model products { input x[96]\n  output y = x |> dense(50, relu) |> dense(208, tanh) |> dense(300, "
                   "relu) |> dense(10, softmax) }\n"
                   "train { target t[10]\n  loss categorical_crossentropy(y, t)\n  optimizer sgd\n  batch 64 }\n");
  const std::string x86 = R"(%[xyz]mm\d+.*\(%rsp|\(%rsp.*%[xyz]mm\d)", arm = R"(\b(ldr|str|ldp|stp)\s+q.*\[sp)";
  const std::pair<std::string, std::string> machines[] = {{"--cpu x86-64", x86},
                                                          {"--cpu x86-64-v2", x86},
                                                          {"--cpu x86-64-v3", x86},
                                                          {"--cpu x86-64-v4", x86},
                                                          {"--target aarch64-linux-gnu", arm}};
  for (const auto& [machine, spill] : machines) {
    SCOPED_TRACE(machine);
    for (const char* precision : {"f32", "f64"}) {
      const Finished compiled =
          tarn(fmt::format("compile products.tarn -o m.s --precision {} --functions train {}", precision, machine));
      ASSERT_EQ(compiled.status, 0) << compiled.output;
      std::istringstream assembly(read_text(folder_ / "m.s"));
      const std::regex label(R"(^(\.L(tile|dot)\.[^:]*):)"), spills(spill);
      std::size_t tiles = 0;
      std::string of;
      for (std::string line; std::getline(assembly, line);) {
        if (line.find(".size") != std::string::npos) of.clear();
        std::smatch found;
        if (std::regex_search(line, found, label)) {
          of = found[1];
          ++tiles;
        }
        EXPECT_FALSE(!of.empty() && std::regex_search(line, spills)) << of << ": " << line;
      }
      EXPECT_GE(tiles, 4U);
    }
  }
}

TEST_F(CompileTargets, SharedLibrariesOfOtherMachinesAreLinked) {
  const Finished compiled = tarn(fmt::format("compile '{}' -o m.so --target aarch64-linux-gnu", path_of("iris")));
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  EXPECT_THAT(in_folder("readelf -h m.so").output, HasSubstr("AArch64"));
  EXPECT_EQ(in_folder("nm -D --undefined-only m.so").output, "");
}

// A microcontroller has single precision only: what is computed in double precision calls the functions of its ABI
// (Run-time ABI for the Arm Architecture, 4.1.2), which come with every compiler for it.
TEST_F(CompileTargets, AMicrocontrollerNeedsTheArithmeticOfItsAbiAlone) {
  const Finished compiled =
      tarn(fmt::format("compile '{}' -o m.o --prefix m --target thumbv7em-none-eabihf", path_of("iris")));
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  std::istringstream needed(in_folder("nm --undefined-only --format=just-symbols m.o").output);
  for (std::string symbol; needed >> symbol;) EXPECT_THAT(symbol, ::testing::StartsWith("__aeabi_"));
  EXPECT_THAT(in_folder("readelf -A m.o").output, ::testing::AllOf(HasSubstr("v7E-M"), HasSubstr("VFP registers")));
  EXPECT_EQ(in_folder("nm --defined-only m.o | grep ' [bBdDcC] '").output, "");
  EXPECT_LE(size_of("m.o"), 32U * 1024);
  ASSERT_EQ(tarn(fmt::format("compile '{}' -o p.o --functions predict --target thumbv7em-none-eabihf", path_of("iris")))
                .status,
            0);
  EXPECT_LE(size_of("p.o"), 8U * 1024);
}

// Where there is a compiler for microcontrollers, which is too large to ask for.
TEST_F(CompileTargets, SelfTestsPassOnAnEmulatedMicrocontroller) {
  for (const std::string model : {"iris", "deep", "image"}) {
    SCOPED_TRACE(model);
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o m.o --prefix m --target thumbv7em-none-eabihf --test", path_of(model)));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    if (!has_microcontroller()) GTEST_SKIP() << "arm-none-eabi-gcc or qemu-system-arm";
    const Finished built = on_microcontroller("m_test.c", "");
    EXPECT_EQ(built.status, 0) << built.output;
    EXPECT_THAT(built.output, HasSubstr("checks passed"));
  }
}

// Its vectors of 16 bytes are four registers each, without fused multiply-add: the bits are those of x86-64.
TEST_F(CompileTargets, AMicrocontrollerGetsTheBitsOfTheCodeInMemoryWithTheSameVectors) {
  constexpr std::size_t kSteps = 40;
  for (const std::string model : {"iris", "deep", "image"}) {
    SCOPED_TRACE(model);
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o m.o --prefix m --target thumbv7em-none-eabihf", path_of(model)));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    if (!has_microcontroller()) GTEST_SKIP() << "arm-none-eabi-gcc or qemu-system-arm";
    const Finished ran =
        on_microcontroller(fmt::format("-DSTEPS={0} -include '{1}/unguarded_memory.h' '{1}/compiled_model.c'", kSteps,
                                       (test::source_folder() / "tests/data").string()),
                           ",arg=program,arg=results");
    ASSERT_EQ(ran.status, 0) << ran.output;
    expect_results(bytes_of_code_in_memory(path_of(model), "x86-64", kSteps));
  }
}

// Vectors of 16 bytes with fused multiply-add, which x86-64 had for a while. Either end of all memory is guarded.
TEST_F(CompileTargets, AArch64GetsTheBitsOfTheCodeInMemoryWithTheSameVectors) {
  constexpr std::size_t kSteps = 40;
  for (const std::string model : {"iris", "deep", "wide", "image"}) {
    SCOPED_TRACE(model);
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o m.o --prefix m --target aarch64-linux-gnu --threads 3", path_of(model)));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    if (!has_program("aarch64-linux-gnu-gcc") || !has_program("qemu-aarch64-static"))
      GTEST_SKIP() << "aarch64-linux-gnu-gcc or qemu-aarch64-static";
    const Finished ran = in_folder(
        fmt::format("aarch64-linux-gnu-gcc -std=c99 -static -DSTEPS={} -I. '{}/tests/data/compiled_model.c' m.o -o "
                    "program && qemu-aarch64-static ./program results && qemu-aarch64-static ./program others "
                    "at_front && cmp results others",
                    kSteps, test::source_folder().string()));
    ASSERT_EQ(ran.status, 0) << ran.output;
    if (test::runs_here("x86-64-v3")) expect_results(bytes_of_code_in_memory(path_of(model), "bdver2", kSteps));
  }
}

// Vectors of 16 bytes without fused multiply-add, as x86-64 has them: the bits are those of x86-64.
TEST_F(CompileTargets, WebAssemblyGetsTheBitsOfTheCodeInMemoryWithTheSameVectors) {
  for (const std::string model : {"iris", "deep", "image"}) {
    SCOPED_TRACE(model);
    const Finished compiled = tarn(fmt::format("compile '{}' -o m.wasm --prefix m --target wasm32", path_of(model)));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    if (!has_program("node")) GTEST_SKIP() << "node";
    fs::copy_file(fmt::format("{}/tests/data/compiled_model.mjs", test::source_folder().string()),
                  folder_ / "program.mjs", fs::copy_options::overwrite_existing);
    const Finished ran = in_folder("node program.mjs results");
    ASSERT_EQ(ran.status, 0) << ran.output;
    expect_results(bytes_of_code_in_memory(path_of(model), "x86-64"));
  }
}

TEST_F(CompileTargets, TheSelfTestOfWebAssemblySeesWhatIsRightAndWhatIsNot) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"iris", ""},
      {"deep", ""},
      {"image", ""},
      {"iris", "--precision f64"},
      {"iris", fmt::format("--weights '{}'", trained_weights())}};
  for (const auto& [model, arguments] : cases) {
    SCOPED_TRACE(model + " " + arguments);
    const Finished compiled =
        tarn(fmt::format("compile '{}' -o m.wasm --prefix m --target wasm32 --test {}", path_of(model), arguments));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    if (!has_program("node")) GTEST_SKIP() << "node";
    const Finished ran = in_folder("node m_test.mjs");
    EXPECT_EQ(ran.status, 0) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("checks passed"));
    // The same with one number of the first prediction off by a hundredth.
    std::string text = read_text(folder_ / "m_test.mjs");
    const std::size_t number = text.find("[", text.find("when: \"before training\"")) + 1;
    text.insert(number, "0.01 + ");
    std::ofstream(folder_ / "m_test.mjs") << text;
    const Finished failed = in_folder("node m_test.mjs");
    EXPECT_EQ(failed.status, 1) << failed.output;
    EXPECT_THAT(failed.output, HasSubstr("before training 0: "));
  }
}

constexpr const char* kPage = R"(<!DOCTYPE html>
<body><script type="module">
  import { arrays, batch, load } from "./m.mjs";
  const rows = 2 * batch + 3, xSize = arrays.inputs[0].size, tSize = arrays.targets[0].size;
  const x = Float32Array.from({ length: rows * xSize }, (_, i) => ((i * 37) % 64) / 64 - 0.25);
  const t = Float32Array.from({ length: rows * tSize }, (_, i) => (i % tSize === Math.floor(i / tSize) % tSize ? 1 : 0));
  const model = await load({ seed: 7 });
  let loss;
  for (let i = 0; i < 1000; ++i) {
    const count = 1 + (i % batch), first = i % 3 === 0 ? 0 : rows - count, last = first + count;
    loss = model.trainStep({ x: x.subarray(first * xSize, last * xSize), t: t.subarray(first * tSize, last * tSize) });
  }
  document.body.textContent = `loss ${loss} in the last step`;
</script></body>
)";

TEST_F(CompileTargets, ABrowserTrainsAsTheCodeInMemoryDoes) {
  if (!has_program("chromium")) GTEST_SKIP() << "chromium";
  ASSERT_EQ(tarn(fmt::format("compile '{}' -o m.wasm --prefix m --target wasm32", path_of("iris"))).status, 0);
  std::ofstream(folder_ / "page.html") << kPage;
  const Finished shown = in_folder(test::shown_page("page.html"));
  const std::size_t at = shown.output.find("loss ");
  ASSERT_NE(at, std::string::npos) << shown.output;
  const std::string expected = bytes_of_code_in_memory(path_of("iris"), "x86-64");
  float last = 0;
  std::memcpy(&last, expected.data() + 999 * sizeof(float), sizeof(float));
  EXPECT_EQ(std::stof(shown.output.substr(at + 5)), last);
}

TEST_F(CompileTargets, WebAssemblyIsSmallAndImportsNothing) {
  ASSERT_EQ(tarn(fmt::format("compile '{}' -o iris.wasm --target wasm32", path_of("iris"))).status, 0);
  EXPECT_LE(size_of("iris.wasm"), 32U * 1024);
  if (!has_program("node")) GTEST_SKIP() << "node";
  const Finished listed = in_folder(
      "node -e 'const m = new WebAssembly.Module(require(\"fs\").readFileSync(\"iris.wasm\")); "
      "console.log(WebAssembly.Module.imports(m).length, WebAssembly.Module.exports(m).map((e) => "
      "e.name).sort().join())'");
  EXPECT_EQ(listed.output,
            "0 __heap_base,iris_evaluate,iris_init,iris_predict,iris_train_epoch,iris_train_step,memory\n");
}

}  // namespace
}  // namespace tarn
