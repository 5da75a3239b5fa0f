// Native code on disk: what is kept comes back, what is damaged does not, what others could have written is not
// trusted.
#include "runtime/session/object_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/support/files.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

std::string key_of(char digit) { return std::string(64, digit); }

class ObjectCacheTest : public ::testing::Test {
 protected:
  std::string entry(char digit) const { return folder_ + "/" + key_of(digit) + ".o"; }
  static void write(const std::string& path, const std::string& bytes) { test::write_text(path, bytes); }

  const test::TemporaryFolder root_;
  const std::string folder_ = root_.file("below/tarn");
};

TEST_F(ObjectCacheTest, WhatIsKeptComesBack) {
  const auto cache = open_object_cache(folder_);
  EXPECT_EQ(cache->find(key_of('a')), std::nullopt);
  EXPECT_FALSE(fs::exists(folder_)) << "asking makes no folder";
  cache->keep(key_of('a'), "code");
  EXPECT_EQ(cache->find(key_of('a')), "code");
  EXPECT_EQ(cache->find(key_of('b')), std::nullopt);
  EXPECT_EQ(open_object_cache(folder_)->find(key_of('a')), "code");
  struct stat status = {};
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  EXPECT_EQ(object_cache_use(folder_).entries, 1U);
}

TEST_F(ObjectCacheTest, DamagedEntriesAreNotThere) {
  const auto cache = open_object_cache(folder_);
  cache->keep(key_of('a'), "some machine code");
  const std::string good = test::read_text(entry('a'));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    write(entry('a'), bad);
    EXPECT_EQ(cache->find(key_of('a')), std::nullopt) << "byte " << i;
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    write(entry('a'), good.substr(0, length));
    EXPECT_EQ(cache->find(key_of('a')), std::nullopt) << "length " << length;
  }
  write(entry('a'), good + "x");
  EXPECT_EQ(cache->find(key_of('a')), std::nullopt);
  write(entry('b'), good);
  EXPECT_EQ(cache->find(key_of('b')), std::nullopt) << "an entry under another key's name";
  cache->keep(key_of('a'), "some machine code");
  EXPECT_EQ(cache->find(key_of('a')), "some machine code");
}

TEST_F(ObjectCacheTest, FoldersThatOthersCanWriteToAreNotUsed) {
  const auto cache = open_object_cache(folder_);
  cache->keep(key_of('a'), "code");
  fs::permissions(folder_, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(cache->find(key_of('a')), std::nullopt);
  cache->keep(key_of('b'), "code");
  EXPECT_FALSE(fs::exists(entry('b')));
  fs::permissions(folder_, fs::perms::owner_all);
  EXPECT_EQ(cache->find(key_of('a')), "code");
  // Neither through a link to a folder, nor an entry that is a link.
  fs::create_symlink(folder_, root_.file("link"));
  EXPECT_EQ(open_object_cache(root_.file("link"))->find(key_of('a')), std::nullopt);
  fs::rename(entry('a'), root_.file("elsewhere"));
  fs::create_symlink(root_.file("elsewhere"), entry('a'));
  EXPECT_EQ(cache->find(key_of('a')), std::nullopt);
}

TEST_F(ObjectCacheTest, SizeIsBounded) {
  constexpr std::uint64_t kLimit = 10'000;
  const auto cache = open_object_cache(folder_, kLimit);
  cache->keep(key_of('x'), std::string(kLimit, 'x'));
  EXPECT_EQ(cache->find(key_of('x')), std::nullopt) << "larger than a quarter of the limit";
  for (char digit = 'a'; digit <= 'h'; ++digit) {
    cache->keep(key_of(digit), std::string(2000, digit));
    EXPECT_TRUE(cache->find(key_of(digit)).has_value()) << digit;
    EXPECT_LE(object_cache_use(folder_).bytes, kLimit);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // above the resolution of time stamps
    cache->find(key_of('a'));                                   // used again and again: stays
  }
  EXPECT_TRUE(cache->find(key_of('a')).has_value());
  EXPECT_EQ(cache->find(key_of('b')), std::nullopt);
}

TEST_F(ObjectCacheTest, ClearingRemovesEntriesAndNothingElse) {
  const auto cache = open_object_cache(folder_);
  cache->keep(key_of('a'), "code");
  cache->keep(key_of('b'), "code");
  write(folder_ + "/notes.txt", "the user's");
  write(entry('c') + ".Ab12Cd", "left by a writer that was killed");
  EXPECT_EQ(clear_object_cache(folder_).entries, 3U);
  EXPECT_EQ(object_cache_use(folder_).entries, 0U);
  EXPECT_TRUE(fs::exists(folder_ + "/notes.txt"));
  EXPECT_EQ(clear_object_cache(root_.file("none")).entries, 0U);
}

// Each reader gets a whole entry of one of the writers, or nothing.
TEST_F(ObjectCacheTest, ManyWritersAndReaders) {
  std::vector<std::jthread> threads;
  for (char writer = 'a'; writer < 'e'; ++writer) {
    threads.emplace_back([this, writer] {
      const auto cache = open_object_cache(folder_, 100'000);
      for (int round = 0; round < 25; ++round) {
        cache->keep(key_of('0'), std::string(3000, writer));
        if (const auto found = cache->find(key_of('0'))) {
          EXPECT_EQ(found->size(), 3000U);
          EXPECT_EQ(found->find_first_not_of(found->front()), std::string::npos);
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(object_cache_use(folder_).entries, 1U) << "no temporary files are left";
}

}  // namespace
}  // namespace tarn
