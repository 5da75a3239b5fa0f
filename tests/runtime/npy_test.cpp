// .npy against files that NumPy wrote, and against those that it refuses.
#include "runtime/files/npy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/files/npz.h"
#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::data_folder;
using testing::load;
using testing::load_json;
using testing::messages;

const std::map<std::string, ArrayType>& types_of_numpy() {
  static const std::map<std::string, ArrayType> types = {
      {"float16", ArrayType::f16}, {"float32", ArrayType::f32}, {"float64", ArrayType::f64},
      {"int8", ArrayType::i8},     {"int16", ArrayType::i16},   {"int32", ArrayType::i32},
      {"int64", ArrayType::i64},   {"uint8", ArrayType::u8},    {"uint16", ArrayType::u16},
      {"uint32", ArrayType::u32},  {"uint64", ArrayType::u64},  {"bool", ArrayType::boolean}};
  return types;
}

void expect_array(const Array& array, const nlohmann::json& expected) {
  EXPECT_EQ(array.type, types_of_numpy().at(expected.at("type").get<std::string>()));
  EXPECT_EQ(array.shape, expected.at("shape").get<std::vector<std::int64_t>>());
  EXPECT_EQ(array.to_doubles(), expected.at("values").get<std::vector<double>>());
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const auto folder = data_folder("npy/written");
  for (const auto& entry : load_json(folder / "index.json")) {
    const std::string name = entry.at("file");
    SCOPED_TRACE(name);
    if (entry.contains("members")) {
      const auto arrays = read_npz((folder / name).string());
      ASSERT_TRUE(arrays) << messages(arrays);
      ASSERT_EQ(arrays->size(), entry.at("members").size());
      for (std::size_t i = 0; i < arrays->size(); ++i) {
        EXPECT_EQ((*arrays)[i].name, entry.at("members")[i].at("file").get<std::string>());
        expect_array((*arrays)[i].array, entry.at("members")[i]);
      }
    } else {
      const Result<Array> array = read_npy((folder / name).string());
      ASSERT_TRUE(array) << messages(array);
      expect_array(*array, entry);
    }
  }
}

TEST(Npy, WritesTheBytesThatNumpyWrites) {
  const auto folder = data_folder("npy/written");
  const test::TemporaryFolder output;
  for (const std::string name : {"little_f2.npy", "little_f4.npy", "little_f8.npy", "little_i1.npy", "little_i2.npy",
                                 "little_i4.npy", "little_i8.npy", "little_u1.npy", "little_u2.npy", "little_u4.npy",
                                 "little_u8.npy", "bool.npy", "scalar.npy", "empty.npy"}) {
    const Result<Array> array = read_npy((folder / name).string());
    ASSERT_TRUE(array);
    ASSERT_TRUE(write_npy(output.file(name), *array));
    EXPECT_EQ(load(output.file(name)), load(folder / name)) << name;
  }
}

TEST(Npy, RefusesWhatNumpyRefuses) {
  const auto folder = data_folder("npy/refused");
  const nlohmann::json index = load_json(folder / "index.json");
  ASSERT_EQ(index.at("vectors").size(), 19u);
  for (const auto& entry : index.at("vectors")) {
    const std::string name = entry.at("file");
    const Bytes bytes = load(folder / name);
    const std::string message =
        name.ends_with(".npz") ? messages(parse_npz(bytes, name)) : messages(parse_npy(bytes, name));
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << name << ": " << message;
    EXPECT_TRUE(message.starts_with(name + ": ")) << message;
    if (name.find("objarr") != std::string::npos) {
      EXPECT_NE(message.find("Python objects"), std::string::npos) << message;
    }
  }
}

std::string file_of(std::string dict, std::size_t data_bytes) {
  dict += '\n';
  std::string file = "\x93NUMPY";
  file += {'\x01', '\x00', static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  return file + dict + std::string(data_bytes, '\0');
}

TEST(Npy, Headers) {
  struct Case {
    std::string dict;
    std::size_t data_bytes;
    std::string problem;  // empty: accepted
  };
  const Case cases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24, ""},
      {"{\"shape\":(6,),\"fortran_order\":True,\"descr\":\"=f4\"}", 24, ""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }", 24, ""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, ""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 23, "takes 24 bytes, but 23"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 25, "takes 24 bytes, but 25"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}", 8, "is too large"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,)}", 8, "is too large"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8, "not a tuple of extents"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 8, "not a tuple of extents"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", 12, "not a tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': [3]}", 12, "lacks a '('"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}", 12, "neither True nor False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", 12, "key that is not"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 12, "'descr' twice"},
      {"{'descr': '<f4', 'fortran_order': False}", 12, "lacks one of the keys"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} 1", 12, "behind the dict"},
      {"{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}", 12, "lacks a '}'"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", 12, "structured type"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", 24, "elements of type '<c8'"},
      {"{'descr': '<U4', 'fortran_order': False, 'shape': (3,)}", 48, "elements of type '<U4'"},
      {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", 12, "elements of type ''"},
      {"", 0, "lacks a '{'"},
      {std::string(10001, ' '), 0, "at most 10000"},
  };
  for (const Case& c : cases) {
    const std::string file = file_of(c.dict, c.data_bytes);
    const std::string message = messages(parse_npy(view_of(file), "x.npy"));
    EXPECT_EQ(message.empty(), c.problem.empty()) << c.dict << "\n" << message;
    EXPECT_NE(message.find(c.problem), std::string::npos) << c.dict << "\n" << message;
  }
}

}  // namespace
}  // namespace tarn
