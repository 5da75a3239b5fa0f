// safetensors against the vectors of its reference implementation.
#include "runtime/files/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::data_folder;
using testing::load;
using testing::load_json;
using testing::messages;

TEST(Safetensors, VectorsOfTheReference) {
  const auto folder = data_folder("safetensors");
  const nlohmann::json index = load_json(folder / "index.json");
  ASSERT_EQ(index.at("vectors").size(), 22u);
  for (const auto& entry : index.at("vectors")) {
    const std::string name = entry.at("file");
    const std::string verdict = entry.at("verdict");
    const std::string message = messages(parse_safetensors(load(folder / name), name));
    if (verdict == "accept") {
      EXPECT_EQ(message, "") << name;
    } else {
      EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << name << ": " << message;
      EXPECT_TRUE(message.starts_with(name + ": ")) << message;
    }
    if (verdict == "accept-or-unsupported-dtype") {
      EXPECT_EQ(message, name + ": tensor 'attn.0' has elements of type 'F4', which is not read\n");
    }
  }
}

TEST(Safetensors, ValuesOfTheVectors) {
  const auto folder = data_folder("safetensors");
  const auto floats = read_safetensors((folder / "ok_f32_1x2x3.safetensors").string());
  ASSERT_TRUE(floats);
  ASSERT_EQ(floats->tensors.size(), 1u);
  EXPECT_EQ(floats->tensors[0].name, "attn.0");
  EXPECT_EQ(floats->tensors[0].array.shape, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(floats->tensors[0].array.to_doubles(), (std::vector<double>{0, 1, 2, 3, 4, 5}));
  const auto metadata = read_safetensors((folder / "ok_empty_metadata.safetensors").string());
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->metadata, (std::map<std::string, std::string>{{"framework", "pt"}}));
}

TEST(Safetensors, WritesTheBytesThatTheReferenceWrites) {
  const auto folder = data_folder("safetensors");
  const test::TemporaryFolder output;
  for (const std::string name : {"ok_f32_1x2x3.safetensors", "ok_f32_forced_alignment.safetensors",
                                 "ok_empty.safetensors", "ok_empty_metadata.safetensors"}) {
    const auto file = read_safetensors((folder / name).string());
    ASSERT_TRUE(file) << name;
    ASSERT_TRUE(write_safetensors(output.file(name), views_of(file->tensors), file->metadata));
    EXPECT_EQ(load(output.file(name)), load(folder / name)) << name;
  }
}

TEST(Safetensors, TensorsAreAlignedWhateverTheirOrder) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("mixed.safetensors");
  std::vector<NamedArray> tensors;
  tensors.push_back({"bytes", Array::from_doubles(ArrayType::u8, {3}, std::vector<double>{1, 2, 3})});
  tensors.push_back({"double", Array::from_doubles(ArrayType::f64, {1}, std::vector<double>{0.1})});
  tensors.push_back({"flags", Array::from_doubles(ArrayType::boolean, {2}, std::vector<double>{0, 1})});
  tensors.push_back({"float", Array::from_doubles(ArrayType::f32, {}, std::vector<double>{-0.5})});
  const std::map<std::string, std::string> metadata = {{"classes", "[\"größe\",\"a\\\"b\"]"}, {"broken", "\xFF"}};
  ASSERT_TRUE(write_safetensors(path, views_of(tensors), metadata));

  const Bytes bytes = load(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(text_of(bytes).substr(8, length));
  for (const NamedArray& tensor : tensors) {
    EXPECT_EQ(header.at(tensor.name).at("data_offsets")[0].get<std::size_t>() % size_of(tensor.array.type), 0u)
        << tensor.name;
  }

  const auto file = read_safetensors(path);
  ASSERT_TRUE(file) << messages(file);
  ASSERT_EQ(file->tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(file->tensors[i].name, tensors[i].name);
    EXPECT_EQ(file->tensors[i].array.type, tensors[i].array.type);
    EXPECT_EQ(file->tensors[i].array.data, tensors[i].array.data);
  }
  EXPECT_EQ(file->metadata.at("classes"), metadata.at("classes"));
  EXPECT_EQ(file->metadata.at("broken"), "\uFFFD");
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data_bytes, '\0');
}

TEST(Safetensors, Headers) {
  struct Case {
    std::string header;
    std::size_t data_bytes;
    std::string problem;  // empty: accepted
  };
  const Case cases[] = {
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"shape":[1],"data_offsets":[2,3],"dtype":"U8"}})",
       3, ""},
      {R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})",
       3, ""},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "tensor 'b' begins at byte 1 of the data, where 2 is"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "begins at byte 1"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "2 bytes of data where its header states 1"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "before its begin"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1, "third offset"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "lacks dtype"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "negative number"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "not an integer"},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "a list where it does not belong"},
      {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "a number where it does not belong"},
      {R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1, "a number where it does not belong"},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, "'dtype' twice"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1, "unknown key 'x'"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       1, "has 'a' twice"},
      {R"({"a":null})", 0, "null where"},
      {R"({"a":true})", 0, "a truth value where"},
      {R"({"__metadata__":{"a":1}})", 0, "a number where"},
      {R"({"__metadata__":{"a":{}}})", 0, "an object where"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "metadata 'a' twice"},
      {R"([1])", 0, "is a list, not an object"},
      {R"(5)", 0, "is a number, not an object"},
      {R"()", 0, "is not JSON"},
      {R"({} {})", 0, "is not JSON"},
      {std::string(1'000'000, '['), 0, "is a list, not an object"},
  };
  for (const Case& c : cases) {
    const std::string file = file_of(c.header, c.data_bytes);
    const std::string message = messages(parse_safetensors(view_of(file), "x"));
    EXPECT_EQ(message.empty(), c.problem.empty()) << c.header.substr(0, 200) << "\n" << message;
    EXPECT_NE(message.find(c.problem), std::string::npos) << c.header.substr(0, 200) << "\n" << message;
  }
}

}  // namespace
}  // namespace tarn
