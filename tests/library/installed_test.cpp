// What a new user does: install to a prefix, build the examples against it, and run every block of the documents.
#include <gmock/gmock.h>
#include <regex>
#include <sstream>

#include "../support/markdown.h"
#include "../support/process.h"
#include "models.h"

namespace library_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

using tarn::test::CodeBlock;
using tarn::test::Finished;
using tarn::test::read_text;
using tarn::test::write_text;

// A home of its own, with Tarn in ~/tarn, and a checkout's files that the documents speak of.
class Installed : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = std::make_unique<TemporaryFolder>();
    const Finished installed =
        in(home_->path(), "cmake --install '" + tarn::test::build_folder().string() + "' --prefix ~/tarn");
    ASSERT_EQ(installed.status, 0) << installed.output;
  }
  static void TearDownTestSuite() { home_.reset(); }

  // Runs a script of bash in the folder, as somebody who has set up nothing but where Tarn is.
  static Finished in(const fs::path& folder, const std::string& script) {
    write_text(
        home_->path() / "script.sh",
        "set -e\ncd '" + folder.string() + "'\nexport HOME='" + home_->path().string() +
            "'\nexport CMAKE_PREFIX_PATH=~/tarn PKG_CONFIG_PATH=~/tarn/lib/pkgconfig LD_LIBRARY_PATH=~/tarn/lib\n"
            "unset CXXFLAGS CFLAGS LDFLAGS\n" +
            script);
    return tarn::test::run("bash '" + home_->file("script.sh") + "'");
  }

  // These files of the examples, at their places in a folder of them.
  static fs::path copied_examples(const std::vector<std::string>& names) {
    fs::path folder = home_->path() / "examples";
    for (const std::string& name : names) {
      fs::create_directories((folder / name).parent_path());
      fs::copy_file(example(name), folder / name, fs::copy_options::overwrite_existing);
    }
    return folder;
  }

  static std::unique_ptr<TemporaryFolder> home_;
};

std::unique_ptr<TemporaryFolder> Installed::home_;

TEST_F(Installed, TheExampleBuildsWithBothLibrariesAndWithPkgConfig) {
  const fs::path folder = home_->path() / "embed_jit";
  fs::copy(example("embed_jit"), folder);
  const Finished shared = in(folder, "cmake -B build && cmake --build build && build/circle\n");
  EXPECT_EQ(shared.status, 0) << shared.output;
  // Of a circle in a square with half its area, half would be right by guessing.
  EXPECT_THAT(shared.output, ContainsRegex("accuracy on fresh points (0[.]9|1)"));
  EXPECT_THAT(shared.output, HasSubstr("0.1, 0.2: inside\n0.9, -0.8: outside\n"));

  const Finished with_static =
      in(folder,
         "sed -i s/Tarn::tarn$/Tarn::tarn_static/ CMakeLists.txt && sed -i 's/Tarn::tarn)/Tarn::tarn_static)/' "
         "CMakeLists.txt && cmake -B static && cmake --build static && unset LD_LIBRARY_PATH && static/circle\n"
         "readelf -d static/circle\n");
  EXPECT_EQ(with_static.status, 0) << with_static.output;
  EXPECT_THAT(with_static.output, HasSubstr("0.1, 0.2: inside\n0.9, -0.8: outside\n"));
  EXPECT_THAT(with_static.output, ::testing::Not(HasSubstr("libtarn.so")));

  const Finished with_pkg_config =
      in(folder, "c++ -std=c++20 main.cpp $(pkg-config --cflags --libs tarn) -o circle && ./circle\n");
  EXPECT_EQ(with_pkg_config.status, 0) << with_pkg_config.output;
  EXPECT_EQ(in(folder, "build/circle missing.tarn").status, 1);
}

TEST_F(Installed, ProjectsInCLinkBothLibraries) {
  const fs::path folder = home_->path() / "in_c";
  write_text(
      folder / "main.c",
      "#include <stdio.h>\n#include <tarn/c.h>\n"
      "int main(void) { return tarn_compile_file(NULL, NULL, NULL) == TARN_INVALID ? !puts(tarn_version()) : 1; }\n");
  write_text(folder / "CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.16)\nproject(in_c LANGUAGES C)\nfind_package(Tarn 0.1 REQUIRED)\n"
             "foreach(library tarn tarn_static)\n  add_executable(with_${library} main.c)\n"
             "  target_link_libraries(with_${library} PRIVATE Tarn::${library})\nendforeach()\n");
  const Finished built = in(
      folder, "cmake -B build\ncmake --build build\nbuild/with_tarn\nunset LD_LIBRARY_PATH\nbuild/with_tarn_static\n");
  EXPECT_EQ(built.status, 0) << built.output;
}

// The models are compiled by the driver that was installed, the programs built without anything else of Tarn.
TEST_F(Installed, TheExamplesOfCompiledModelsBuildAndRun) {
  const fs::path examples = copied_examples(
      {"embed_c/main.c", "embed_c/Makefile", "embed_cpp/main.cpp", "embed_cpp/CMakeLists.txt", "web/Makefile",
       "web/index.html", "web/main.js", "web/page.css", "web/page.js", "iris.tarn", "iris.csv", "sums.tarn"});
  const Finished in_c = in(examples / "embed_c", "make TARN=~/tarn/bin/tarn\n./flowers\n");
  EXPECT_EQ(in_c.status, 0) << in_c.output;
  EXPECT_THAT(in_c.output, ContainsRegex("150 flowers: loss 0[.]0.*accuracy 0[.]9"));
  const Finished in_cpp = in(examples / "embed_cpp",
                             "cmake -B build -DTARN=$HOME/tarn/bin/tarn\ncmake --build build\n"
                             "build/flower 5.1 3.5 1.4 0.2\n");
  EXPECT_EQ(in_cpp.status, 0) << in_cpp.output;
  EXPECT_THAT(in_cpp.output, HasSubstr("setosa 0.9"));
  const Finished for_web = in(examples / "web", "make TARN=~/tarn/bin/tarn\nls\n");
  EXPECT_EQ(for_web.status, 0) << for_web.output;
  EXPECT_THAT(for_web.output, ::testing::AllOf(HasSubstr("sums.wasm"), HasSubstr("sums.mjs"), HasSubstr("sums.d.mts")));

  // The page, as it is after some seconds of its own clock.
  if (in(examples, "command -v chromium\n").status != 0) GTEST_SKIP() << "chromium";
  const Finished shown = in(examples, tarn::test::shown_page("web/index.html"));
  std::smatch loss, accuracy;
  ASSERT_TRUE(std::regex_search(shown.output, loss, std::regex("id=\"train_loss\">([0-9.]+)<"))) << shown.output;
  ASSERT_TRUE(std::regex_search(shown.output, accuracy, std::regex("id=\"accuracy\">([0-9.]+) %<"))) << shown.output;
  EXPECT_LT(std::stod(loss[1]), 1);
  EXPECT_GT(std::stod(accuracy[1]), 60);  // by guessing it would be 50
  EXPECT_THAT(shown.output, HasSubstr("id=\"error\" role=\"alert\"></p>"));
}

// One epoch of the six, which an emulated microcontroller takes seconds for.
TEST_F(Installed, TheExampleOfAMicrocontrollerTrainsThereToTheBitsOfThisMachine) {
  const fs::path examples = home_->path() / "examples_mcu", folder = examples / "embed_mcu";
  fs::create_directories(examples / "data");
  fs::copy_file(example("data/digits.csv.gz"), examples / "data/digits.csv.gz");
  fs::create_directories(folder);
  for (const char* const name : {"Makefile", "digits.tarn", "main.c", "memory.ld", "start.c"})
    fs::copy_file(fs::path(example("embed_mcu")) / name, folder / name);
  const std::string options =
      " TARN=~/tarn/bin/tarn FLAGS='-std=c99 -O2 -Wall -Wextra -Wpedantic -Werror -DEPOCHS=1'\n";
  const Finished here = in(folder, "make here/digits" + options + "here/digits\n");
  ASSERT_EQ(here.status, 0) << here.output;
  const std::string found = here.output.substr(std::min(here.output.find("epoch 1: loss "), here.output.size()));
  std::smatch right;
  ASSERT_TRUE(std::regex_search(found, right, std::regex("(\\d+) of 360 digits")));
  EXPECT_GT(std::stoi(right[1]), 250) << here.output;  // by guessing it would be 36

  if (in(folder, "command -v arm-none-eabi-gcc\ncommand -v qemu-system-arm\n").status != 0)
    GTEST_SKIP() << "arm-none-eabi-gcc or qemu-system-arm";
  const Finished there = in(folder, "make arm/digits" + options + "timeout 300 make run" + options);
  EXPECT_EQ(there.status, 0) << there.output;
  EXPECT_THAT(there.output, HasSubstr(found));
  // All data of the program, those of the C library with them.
  const Finished sizes = in(folder, "arm-none-eabi-size arm/digits | awk 'NR == 2 {print $2 + $3}'\n");
  EXPECT_LE(std::stoi(sizes.output), 64 * 1024) << sizes.output;
}

// Two drawings of each digit, by strokes in drawn_digits.mjs: of ten digits it is to read nine.
TEST_F(Installed, APageThatHasLearntDigitsReadsDrawnOnes) {
  const fs::path examples =
      copied_examples({"web/page.css", "web/page.js", "web_digits/Makefile", "web_digits/index.html",
                       "web_digits/main.js", "web_digits/strokes.js", "web_digits.tarn", "data/digits.csv.gz"});
  const Finished made = in(examples / "web_digits", "make TARN=~/tarn/bin/tarn\nls\n");
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_THAT(made.output, ::testing::AllOf(HasSubstr("web_digits.wasm"), HasSubstr("digits.csv")));
  if (in(examples, "command -v chromium\n").status != 0) GTEST_SKIP() << "chromium";
  for (const char* const name : {"drawn_digits.html", "drawn_digits.mjs"})
    fs::copy_file(tarn::test::source_folder() / "tests/data" / name, examples / name);
  const Finished shown = in(examples, tarn::test::shown_page("drawn_digits.html"));
  std::smatch found;
  ASSERT_TRUE(std::regex_search(shown.output, found, std::regex("<p id=\"result\">(read ([0-9]+) of 20; .*)</p>")))
      << shown.output;
  EXPECT_GE(std::stoi(found[2]), 18) << found[1];
  EXPECT_THAT(found[1].str(), HasSubstr("the same: true; cleared: nothing;"));
  EXPECT_THAT(found[1].str(), ContainsRegex("accuracy: (9[5-9]|100)[.][0-9] %; error: none"));
}

TEST_F(Installed, TheLibrariesExportTheCApiAndNothingElse) {
  const Finished shared = in(home_->path(), "nm -D --defined-only --format=just-symbols tarn/lib/libtarn.so\n");
  const Finished in_archive = in(home_->path(), "nm -g --defined-only --format=just-symbols tarn/lib/libtarn.a\n");
  const std::string header = read_text(home_->path() / "tarn/include/tarn/c.h");
  for (const std::string& output : {shared.output, in_archive.output}) {
    std::istringstream lines(output);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::string name = line.substr(0, line.find('@'));
      // The archive's member has a heading; the version has a symbol of its own.
      if (name.empty() || name.ends_with(":") || name == "TARN_0") continue;
      ++count;
      EXPECT_TRUE(name.starts_with("tarn_")) << name;
      EXPECT_THAT(header, HasSubstr(name + "("));
    }
    EXPECT_GE(count, 28U);
  }
  EXPECT_THAT(in(home_->path(), "readelf -d tarn/lib/libtarn.so").output, HasSubstr("soname: [libtarn.so.0]"));
}

TEST_F(Installed, HeadersAreClean) {
  for (const auto& entry : fs::directory_iterator(home_->path() / "tarn/include/tarn")) {
    const std::string name = entry.path().filename().string();
    const std::string text = read_text(entry.path());
    EXPECT_EQ(text.find("llvm"), std::string::npos) << name;
    EXPECT_EQ(text.find("fmt/"), std::string::npos) << name;
  }
  // tarn.h includes all others.
  write_text(home_->path() / "header.cpp", "#include <tarn/tarn.h>\nint main() {}\n");
  for (const std::string compiler : {"g++", "clang++-19"}) {
    const Finished built = in(home_->path(), compiler +
                                                 " -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
                                                 "-fsyntax-only $(pkg-config --cflags tarn) header.cpp\n");
    EXPECT_EQ(built.status, 0) << built.output;
  }
  write_text(home_->path() / "header.c", "#include <tarn/c.h>\nint main(void) { return 0; }\n");
  for (const std::string compiler : {"cc -std=c99", "cc -std=c11", "clang-19 -std=c99", "clang-19 -std=c11"}) {
    const Finished in_c =
        in(home_->path(), compiler +
                              " -Wall -Wextra -Wpedantic -Wconversion -Wstrict-prototypes -Werror -fsyntax-only "
                              "$(pkg-config --cflags tarn) header.c\n");
    EXPECT_EQ(in_c.status, 0) << compiler << ": " << in_c.output;
  }
}

TEST_F(Installed, PythonUsesTheCApi) {
  const Finished finished = in(home_->path(), "python3 '" + tarn::test::source_folder().string() +
                                                  "/tests/library/session_ctypes.py' libtarn.so.0\n");
  EXPECT_EQ(finished.status, 0) << finished.output;
  EXPECT_THAT(finished.output, HasSubstr("trained in"));
}

// Shell blocks run one after the other in a folder that looks like a checkout which is built. C and C++ blocks begin
// with a comment that names their file and says how to build and run it.
TEST_F(Installed, EveryBlockOfTheDocumentsRuns) {
  const std::regex heading(R"(^(?:/\*|//) (\S+): (.*?)(?: \*/)?\n)");
  int pages = 0, shell = 0, programs = 0;
  for (const fs::path& document : tarn::test::documents()) {
    const fs::path folder = home_->path() / ("document_" + std::to_string(++pages));
    fs::create_directories(folder / "build");
    fs::copy(tarn::test::source_folder() / "examples", folder / "examples", fs::copy_options::recursive);
    fs::create_directory_symlink(tarn::test::build_folder(), folder / "build/release");
    write_text(folder / "tools/tarn", "#!/bin/sh\nexec '" + tarn::test::driver() + "' \"$@\"\n");
    // The suite is what is running.
    write_text(folder / "tools/test", "#!/bin/sh\n");
    for (const char* const tool : {"tarn", "test"}) fs::permissions(folder / "tools" / tool, fs::perms::owner_all);
    for (const CodeBlock& block : tarn::test::code_blocks(document)) {
      SCOPED_TRACE(block.place);
      if (block.language == "sh") {
        ++shell;
        const Finished finished = in(folder, block.text);
        EXPECT_EQ(finished.status, 0) << finished.output;
      } else if (block.language == "c" || block.language == "cpp") {
        ++programs;
        std::smatch match;
        ASSERT_TRUE(std::regex_search(block.text, match, heading)) << "the block does not say how it is built";
        write_text(folder / match[1].str(), block.text);
        const Finished finished = in(folder, match[2].str() + "\n");
        EXPECT_EQ(finished.status, 0) << finished.output;
      }
    }
  }
  EXPECT_GE(shell, 4);
  EXPECT_GE(programs, 3);
}

TEST_F(Installed, TheProgramAtTheTopOfTheHeaderLearns) {
  std::istringstream header(read_text(home_->path() / "tarn/include/tarn/tarn.h"));
  std::string program;
  for (std::string line; std::getline(header, line) && line.starts_with("//");) {
    if (line.starts_with("//   ")) program += line.substr(5) + '\n';
  }
  write_text(home_->path() / "program.cpp", program);
  const Finished finished =
      in(home_->path(),
         "c++ -std=c++20 -Wall -Wextra program.cpp $(pkg-config --cflags --libs tarn) -o program && ./program\n");
  ASSERT_EQ(finished.status, 0) << finished.output;
  std::istringstream output(finished.output);
  std::string word;
  double loss = 1, same = 1, left = 0, right = 0, both = 1;
  output >> word >> loss >> same >> left >> right >> both;
  EXPECT_LT(loss, 0.1);
  EXPECT_TRUE(same < 0.5 && left > 0.5 && right > 0.5 && both < 0.5) << finished.output;
}

}  // namespace
}  // namespace library_test
