// Zip archives that lie, and archives of our own.
#include "runtime/files/npz.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "runtime/files/zip.h"
#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::data_folder;
using testing::load;
using testing::messages;

TEST(Npz, ReadsWhatItWrites) {
  const test::TemporaryFolder folder;
  std::vector<NamedArray> arrays;
  arrays.push_back({"dense_1.kernel", Array::from_doubles(ArrayType::f32, {2, 2}, std::vector<double>{1, -2, 3.5, 4})});
  arrays.push_back({"größe", Array::from_doubles(ArrayType::i64, {}, std::vector<double>{-7})});
  arrays.push_back({"empty", Array::zeros(ArrayType::f64, {0, 3})});
  const std::string path = folder.file("weights.npz");
  const std::string comment = "{\"größe\": \"PK\\u0005\\u0006\"}";
  ASSERT_TRUE(write_npz(path, views_of(arrays), comment));
  EXPECT_EQ(parse_npz(load(path))->comment, comment);
  EXPECT_FALSE(write_npz(path, views_of(arrays), std::string(kMostZipComment + 1, 'x')));
  ASSERT_TRUE(write_npz(folder.file("longest.npz"), views_of(arrays), std::string(kMostZipComment, 'x')));
  EXPECT_EQ(parse_npz(load(folder.file("longest.npz")))->comment.size(), kMostZipComment);
  const auto read = read_npz(path);
  ASSERT_TRUE(read) << messages(read);
  ASSERT_EQ(read->size(), arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ((*read)[i].name, arrays[i].name);
    EXPECT_EQ((*read)[i].array.type, arrays[i].array.type);
    EXPECT_EQ((*read)[i].array.shape, arrays[i].array.shape);
    EXPECT_EQ((*read)[i].array.data, arrays[i].array.data);
  }
}

// Positions in an archive, by the signatures of APPNOTE.TXT 4.3.
std::size_t position_of(const Bytes& archive, std::string_view signature) { return text_of(archive).find(signature); }
std::size_t central(const Bytes& archive) { return position_of(archive, "PK\x01\x02"); }
std::size_t end_record(const Bytes& archive) { return position_of(archive, "PK\x05\x06"); }

template <class T>
void patch(Bytes& archive, std::size_t offset, T value) {
  ASSERT_LE(offset + sizeof(T), archive.size());
  std::memcpy(archive.data() + offset, &value, sizeof(T));
}

TEST(Npz, LiesAreFound) {
  struct Case {
    std::string what;
    std::function<void(Bytes&)> damage;
    std::string problem;
  };
  const Case cases[] = {
      {"another format", [](Bytes& a) { a[0] = std::byte{'X'}; }, "is not a .npz file"},
      {"cut off", [](Bytes& a) { a.resize(a.size() - 1); }, "end record is missing"},
      {"directory outside", [](Bytes& a) { patch<std::uint32_t>(a, end_record(a) + 16, 0x7FFFFFFF); },
       "outside the file"},
      {"too many members", [](Bytes& a) { patch<std::uint16_t>(a, end_record(a) + 10, 60000); }, "outside the file"},
      {"no directory entry", [](Bytes& a) { patch<std::uint8_t>(a, central(a) + 3, 9); }, "cut off"},
      {"split archive", [](Bytes& a) { patch<std::uint16_t>(a, end_record(a) + 4, 1); }, "split"},
      {"encrypted", [](Bytes& a) { patch<std::uint16_t>(a, central(a) + 8, 1); }, "is encrypted"},
      {"bzip2", [](Bytes& a) { patch<std::uint16_t>(a, central(a) + 10, 12); }, "method 12"},
      {"checksum", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 16, 1); }, "its checksum differs"},
      {"bomb", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 24, 0xFFFFFFF0); }, "no deflated data"},
      {"size too small", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 24, 10); }, "is damaged"},
      {"size too large", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 24, 4000); }, "is damaged"},
      {"size deferred to nowhere", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 24, 0xFFFFFFFF); }, "cut off"},
      {"content outside", [](Bytes& a) { patch<std::uint32_t>(a, central(a) + 42, 0x7FFFFFFF); }, "is damaged"},
      {"name too long", [](Bytes& a) { patch<std::uint16_t>(a, central(a) + 28, 60000); }, "cut off"},
      {"name not UTF-8", [](Bytes& a) { patch<std::uint8_t>(a, central(a) + 46, 0xFF); }, "not UTF-8"},
      {"same name twice",
       [](Bytes& a) {
         const std::size_t second = text_of(a).find("PK\x01\x02", central(a) + 1);
         patch<std::uint16_t>(a, second + 28, 0);
         patch<std::uint16_t>(a, second + 30, 8);
         patch<std::uint16_t>(a, central(a) + 28, 0);
         patch<std::uint16_t>(a, central(a) + 30, 11);
       },
       "twice"},
  };
  const Bytes good = load(data_folder("npy/written") / "deflated.npz");
  ASSERT_TRUE(parse_npz(good)) << messages(parse_npz(good));
  for (const Case& c : cases) {
    Bytes bad = good;
    c.damage(bad);
    const std::string message = messages(parse_npz(bad, "x.npz"));
    EXPECT_NE(message.find(c.problem), std::string::npos) << c.what << ": " << message;
  }
}

TEST(Npz, TheLimitCountsAllMembers) {
  const Bytes archive = load(data_folder("npy/written") / "stored.npz");
  const auto members = zip_members(archive, "x.npz");
  ASSERT_TRUE(members);
  std::uint64_t total = 0;
  for (const ZipMember& member : *members) total += member.size;
  EXPECT_TRUE(zip_members(archive, "x.npz", total));
  EXPECT_EQ(messages(zip_members(archive, "x.npz", total - 1)),
            "x.npz: inflates to more than the " + std::to_string(total - 1) + " bytes that are read\n");
}

TEST(Npz, MembersThatShareTheirBytesAreRefused) {
  // Every directory entry claims the whole archive: together they claim more than there is.
  Bytes archive = load(data_folder("npy/written") / "stored.npz");
  const auto size = static_cast<std::uint32_t>(archive.size() - 200);
  std::size_t entry = central(archive);
  while (entry != std::string::npos) {
    patch<std::uint32_t>(archive, entry + 20, size);
    patch<std::uint32_t>(archive, entry + 24, size);
    entry = text_of(archive).find("PK\x01\x02", entry + 1);
  }
  EXPECT_NE(messages(parse_npz(archive, "x.npz")).find("take more bytes than it has"), std::string::npos);
}

}  // namespace
}  // namespace tarn
