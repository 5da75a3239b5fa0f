// Files in and out: messages, whose fault a failure is, and that no failure leaves anything behind.
#include "runtime/files/file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using test::TemporaryFolder;
using testing::load;
using testing::messages;

TEST(File, WhatCannotBeRead) {
  const TemporaryFolder folder;
  const Result<Bytes> missing = read_file(folder.file("missing.csv"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(messages(missing),
            fmt::format("cannot read '{}': No such file or directory\n", folder.file("missing.csv")));
  EXPECT_FALSE(machine_failed(missing.error()));

  const Result<Bytes> directory = read_file(folder.file(""));
  ASSERT_FALSE(directory);
  EXPECT_EQ(messages(directory), fmt::format("'{}' is a directory, not a file\n", folder.file("")));

  ASSERT_TRUE(write_file(folder.file("secret"), "x"));
  ASSERT_EQ(::chmod(folder.file("secret").c_str(), 0), 0);
  if (::geteuid() != 0) {  // root reads everything
    EXPECT_EQ(messages(read_file(folder.file("secret"))),
              fmt::format("cannot read '{}': Permission denied\n", folder.file("secret")));
  }
}

TEST(File, NotMoreThanTheLimitIsRead) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder.file("ten"), "0123456789"));
  EXPECT_TRUE(read_file(folder.file("ten"), 10));
  EXPECT_FALSE(read_file(folder.file("ten"), 9));
  // A device states no size and never ends.
  const Result<Bytes> endless = read_file("/dev/zero", 100'000);
  ASSERT_FALSE(endless);
  EXPECT_EQ(messages(endless), "/dev/zero: has more than the 100000 bytes that are read\n");
}

TEST(File, FilesOfUnstatedSizeAreReadToTheirEnd) {
  // Files under /proc state a size of 0.
  const Result<Bytes> status = read_file("/proc/self/status");
  ASSERT_TRUE(status);
  EXPECT_NE(text_of(*status).find("Pid:"), std::string::npos);
}

TEST(File, WritingReplacesAndKeepsModeAndLinks) {
  const TemporaryFolder folder;
  const std::string path = folder.file("weights");
  const std::string link = folder.file("link");
  ASSERT_TRUE(write_file(path, "old"));
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  std::filesystem::create_symlink("weights", link);
  const ByteView parts[] = {view_of("new "), view_of(""), view_of("text")};
  ASSERT_TRUE(write_file(link, parts));
  EXPECT_EQ(text_of(load(path)), "new text");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(folder.names().size(), 2u);
}

TEST(File, WhatCannotBeWritten) {
  const TemporaryFolder folder;
  const Status missing_folder = write_file(folder.file("missing/weights"), "x");
  ASSERT_FALSE(missing_folder);
  EXPECT_EQ(messages(missing_folder),
            fmt::format("cannot write '{}': No such file or directory\n", folder.file("missing/weights")));
  EXPECT_FALSE(machine_failed(missing_folder.error()));

  EXPECT_EQ(messages(write_file(folder.file(""), "x")),
            fmt::format("'{}' is a directory, not a file\n", folder.file("")));

  const Status full = write_file("/dev/full", "x");
  ASSERT_FALSE(full);
  EXPECT_EQ(messages(full), "cannot write '/dev/full': No space left on device\n");
  EXPECT_TRUE(machine_failed(full.error()));
}

TEST(File, WhetherItCouldBeWrittenIsKnownBefore) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder.file("old"), "x"));
  std::filesystem::create_symlink("old", folder.file("link"));
  std::filesystem::create_symlink("nowhere", folder.file("dangling"));
  for (const std::string& path :
       {folder.file("old"), folder.file("link"), folder.file("dangling"), folder.file("new"), std::string("/dev/null")})
    EXPECT_EQ(messages(can_be_written(path)), "") << path;
  const auto refusal = [&](const std::string& path, const char* reason) {
    EXPECT_EQ(messages(can_be_written(path)), fmt::format("cannot write '{}': {}\n", path, reason));
    EXPECT_FALSE(write_file(path, "x")) << path;
  };
  refusal(folder.file("missing/new"), "No such file or directory");
  refusal(folder.file("old/new"), "Not a directory");
  refusal(folder.file(""), "Is a directory");
  EXPECT_EQ(folder.names().size(), 3U) << "asking leaves nothing behind";

  for (const char* path : {"", "made", "made/below/that"})
    EXPECT_EQ(messages(folder_can_be_made(folder.file(path))), "") << path;
  for (const char* path : {"old", "old/below", "old/below/that"}) {
    EXPECT_EQ(messages(folder_can_be_made(folder.file(path))),
              fmt::format("cannot write '{}': Not a directory\n", folder.file(path)));
  }
  if (::geteuid() != 0) {  // root writes everywhere
    ASSERT_EQ(::chmod(folder.file("old").c_str(), 0400), 0);
    refusal(folder.file("old"), "Permission denied");
    EXPECT_FALSE(folder_can_be_made("/made"));
  }
}

TEST(File, AFailureInTheMiddleLeavesTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("weights");
  ASSERT_TRUE(write_file(path, "old"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4096;
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_file(path, std::string(10000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);

  ASSERT_FALSE(status);
  EXPECT_EQ(messages(status), fmt::format("cannot write '{}': File too large\n", path));
  EXPECT_TRUE(machine_failed(status.error()));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"weights"});
  EXPECT_EQ(text_of(load(path)), "old");
}

}  // namespace
}  // namespace tarn
