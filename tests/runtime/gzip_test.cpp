// Inflating what zlib itself compressed.
#include "runtime/files/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::bytes_of;
using testing::messages;

Bytes compress(std::string_view text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes result(deflateBound(&stream, text.size()) + 64);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(result.size() - stream.avail_out);
  deflateEnd(&stream);
  return result;
}
Bytes gzip(std::string_view text) { return compress(text, 15 + 16); }

const std::string& sample() {
  static const std::string text = [] {
    std::string t;
    for (int i = 0; i < 20000; ++i) t += std::to_string(i * 7919 % 1000) + ",";
    return t;
  }();
  return text;
}

TEST(Gzip, Inflates) {
  const Result<Bytes> inflated = inflate_gzip(gzip(sample()), "x.gz");
  ASSERT_TRUE(inflated) << messages(inflated);
  EXPECT_EQ(text_of(*inflated), sample());
  const Result<Bytes> empty = inflate_gzip(gzip(""), "x.gz");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->empty());
}

TEST(Gzip, MembersFollowEachOther) {
  Bytes two = gzip("first,");
  const Bytes second = gzip("second");
  two.insert(two.end(), second.begin(), second.end());
  Result<Bytes> inflated = inflate_gzip(two, "x.gz");
  ASSERT_TRUE(inflated) << messages(inflated);
  EXPECT_EQ(text_of(*inflated), "first,second");
  two.resize(two.size() + 3);
  std::fill(two.end() - 3, two.end(), std::byte{0});
  EXPECT_TRUE(inflate_gzip(two, "x.gz")) << "zeros behind the end are padding";
  two.back() = std::byte{1};
  EXPECT_EQ(messages(inflate_gzip(two, "x.gz")), "x.gz: the gzip file has other data behind its end\n");
}

TEST(Gzip, DamageIsFound) {
  const Bytes good = gzip(sample());
  for (const std::size_t size : {std::size_t{2}, std::size_t{9}, good.size() / 2, good.size() - 1}) {
    EXPECT_EQ(messages(inflate_gzip(ByteView(good).first(size), "x.gz")), "x.gz: the gzip file ends early\n") << size;
  }
  Bytes wrong_checksum = good;
  wrong_checksum[good.size() - 6] ^= std::byte{1};
  EXPECT_EQ(messages(inflate_gzip(wrong_checksum, "x.gz")), "x.gz: the gzip file is damaged: incorrect data check\n");
}

TEST(Gzip, TheLimitIsExact) {
  const Bytes compressed = gzip(sample());
  EXPECT_TRUE(inflate_gzip(compressed, "x.gz", sample().size()));
  EXPECT_EQ(messages(inflate_gzip(compressed, "x.gz", 1000)),
            "x.gz: inflates to more than the 1000 bytes that are read\n");
  EXPECT_FALSE(inflate_gzip(compressed, "x.gz", sample().size() - 1));
}

TEST(Gzip, RawStreamsMustGiveExactlyTheStatedSize) {
  const Bytes raw = compress(sample(), -15);
  const auto inflated = inflate_raw(raw, sample().size());
  ASSERT_TRUE(inflated);
  EXPECT_EQ(text_of(*inflated), sample());
  EXPECT_FALSE(inflate_raw(raw, sample().size() - 1));
  EXPECT_FALSE(inflate_raw(raw, sample().size() + 1));
  EXPECT_FALSE(inflate_raw(ByteView(raw).first(raw.size() - 1), sample().size()));
  EXPECT_TRUE(inflate_raw(compress("", -15), 0));
}

TEST(Gzip, FilesAreRecognisedByTheirFirstBytes) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("data.csv");
  ASSERT_TRUE(write_file(path, text_of(gzip("a,b"))));
  Result<Bytes> inflated = read_data_file(path);
  ASSERT_TRUE(inflated);
  EXPECT_EQ(text_of(*inflated), "a,b");
  ASSERT_TRUE(write_file(path, "a,b"));
  EXPECT_EQ(text_of(*read_data_file(path)), "a,b");
}

}  // namespace
}  // namespace tarn
