// Folders of images as data: which rows commands read, of which class, and what they say of what is wrong.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "runtime/files/npy.h"
#include "tests/support/compiler/image_files.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::png_of;
using ::testing::StartsWith;

class ImageFolders : public Driver {
 protected:
  // Images of 1 x 2 grey pixels.
  void image(const std::string& name, int left, int right) const { write(name, png_of(1, 2, 1, {left, right})); }

  // y = x, and a loss that is the square of x[0] + x[1] less 100 times the class.
  void write_model(const std::string& data, const std::string& shape = "1, 2, 1") const {
    write("m.tarn", "model m {\n  input x[" + shape +
                        "]\n  param w = 1\n  output y = w * x\n}\ntrain {\n  target t[]\n  loss "
                        "mean_squared_error(sum(y), 100 * t)\n  optimizer sgd(lr = 0)\n}\n" +
                        data);
  }
  // A model whose output tells three classes apart, with these names in its weights after a training.
  void write_classifier(const std::string& data, const std::string& target = "t[3]") const {
    write("c.tarn",
          "model c {\n  input x[1, 2, 1]\n  output y = flatten(x) |> dense(3) |> softmax\n}\ntrain {\n  target " +
              target + "\n  loss categorical_crossentropy(y, t)\n  optimizer sgd(lr = 0)\n  epochs 1\n}\n" + data);
  }
  // Runs the command, which has to fail as a user's fault with this and no other message.
  void expect_error(const std::string& arguments, const std::vector<std::string>& parts) const {
    const Outcome outcome = tarn(arguments + " --quiet");
    EXPECT_EQ(outcome.status, 1) << arguments << outcome.err;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part)) << arguments;
    std::size_t errors = 0;
    for (std::size_t at = 0; (at = outcome.err.find("error: ", at)) != std::string::npos; ++at) ++errors;
    EXPECT_EQ(errors, 1U) << outcome.err;
  }
};

TEST_F(ImageFolders, RowsAreSortedByClassAndName) {
  image("d/b/2.png", 120, 2);
  image("d/b/10.PNG", 110, 2);
  image("d/a/z.png", 1, 3);
  image("d/B/x.png", 5, 6);  // capitals come first
  write_model("data {\n  images \"d\"\n}\n");
  EXPECT_EQ(tarn("predict m.tarn --quiet").out,
            "x.file,y[0][0][0],y[0][1][0]\nB/x.png,5,6\na/z.png,1,3\nb/10.PNG,110,2\nb/2.png,120,2\n");
  const json predicted = events(tarn("predict m.tarn --quiet --json").out).front();
  EXPECT_EQ(predicted["files"], json({"B/x.png", "a/z.png", "b/10.PNG", "b/2.png"}));
  EXPECT_EQ(predicted["outputs"]["y"][1], json({{{1}, {3}}}));
  // Classes are 0, 1, 2, 2.
  EXPECT_EQ(tarn("eval m.tarn --quiet").out,
            fmt::format("4 samples  loss {:.4f}\n", (11.0 * 11 + 96.0 * 96 + 88.0 * 88 + 78.0 * 78) / 4));
}

TEST_F(ImageFolders, NamesOfClassesGoWithTheWeights) {
  for (const char* name : {"train/dog/1.png", "train/cat/1.png", "train/eel/1.png", "test/eel/1.png"})
    image(name, 1, 2);
  for (const std::string lines : {"", "  x = image\n  t = class\n", "  t = one_hot(class, 3)\n"}) {
    write_classifier("data {\n  images \"train\"\n" + lines + "}\ndata test { images \"test\" }\n");
    ASSERT_EQ(tarn("train c.tarn --quiet").status, 0);
    EXPECT_THAT(tarn("eval c.tarn --quiet").out, StartsWith("1 samples")) << lines;
    EXPECT_THAT(tarn("predict c.tarn --quiet").out, StartsWith("x.file,y[0],y[1],y[2],y.class\neel/1.png,")) << lines;
  }
  image("test/emu/1.png", 1, 2);
  expect_error("eval c.tarn", {"'test/emu': training did not see the class 'emu'; it knows cat, dog, eel"});
  // Without targets nobody asks.
  EXPECT_EQ(tarn("predict c.tarn --quiet").status, 0);
}

TEST_F(ImageFolders, NumbersAreTheirOwnClasses) {
  for (int i = 0; i < 12; ++i) image(fmt::format("d/{}/1.png", i), 100 * i % 256, 0);
  write_model("data {\n  images \"d\"\n}\n");
  double loss = 0;
  for (int i = 0; i < 12; ++i) loss += std::pow(100 * i % 256 - 100 * i, 2) / 12;
  EXPECT_EQ(tarn("eval m.tarn --quiet").out, fmt::format("12 samples  loss {:.4f}\n", loss));
}

TEST_F(ImageFolders, SizesAndChannels) {
  write("d/a/1.png", png_of(2, 2, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}));
  const auto predicted = [&](const std::string& lines, const std::string& shape) {
    write_model("data {\n  images \"d\"\n" + lines + "}\n", shape);
    const std::string out = tarn("predict m.tarn --quiet").out;
    return out.substr(out.find('\n') + 1);
  };
  const std::string colours = "a/1.png,255,0,0,0,255,0,0,0,255,255,255,255\n", grey = "a/1.png,76,150,29,255\n";
  EXPECT_EQ(predicted("", "2, 2, 3"), colours);
  EXPECT_EQ(predicted("", "12"), colours);
  EXPECT_EQ(predicted("  channels 3\n", "12"), colours);
  EXPECT_EQ(predicted("", "2, 2, 1"), grey);
  EXPECT_EQ(predicted("", "2, 2"), grey);
  EXPECT_EQ(predicted("  channels 1\n", "4"), grey);
  EXPECT_EQ(predicted("  size 1, 1\n", "1, 1, 3"), "a/1.png,127.5,127.5,127.5\n");
  EXPECT_EQ(predicted("  size 1, 2\n", "1, 2, 1"), "a/1.png,52.5,202.5\n");
  EXPECT_EQ(predicted("  size 1, 1\n", "3"), "a/1.png,127.5,127.5,127.5\n");
  EXPECT_EQ(predicted("  size 1, 1\n  x = scale(image, 1/255)\n", "1, 1, 3"), "a/1.png,0.5,0.5,0.5\n");
  const auto fails = [&](const std::string& lines, const std::string& shape, const std::string& problem) {
    write_model("data {\n  images \"d\"\n" + lines + "}\n", shape);
    expect_error("predict m.tarn", {problem});
  };
  fails("  size 3, 2\n", "2, 2, 3", "'x' is [2, 2, 3], and an image here [3, 2, 3]");
  fails("  channels 3\n", "2, 2, 1", "'x' is [2, 2, 1], and an image here [2, 2, 3]");
  fails("", "7", "'x' is [7], and an image here [2, 2, 1]");
  fails("", "2, 2, 4", "'x' is [2, 2, 4], and an image [height, width, 1] or [height, width, 3]");
  fails("", "3, 2, 2", "[height, width, 3]: channels come last");
  fails("", "2, 4, 3", "d/a/1.png: the image is 2 x 2 (height x width), and 'x' takes 2 x 4");
  fails("", "2, 4, 3", "`size 2, 4` in the data block makes all images this size");
}

TEST_F(ImageFolders, FoldersWithoutClassesAndLoneFiles) {
  image("d/2.png", 3, 4);
  image("d/1.png", 1, 2);
  write_model("data {\n  images \"d\"\n}\n");
  const std::string head = "x.file,y[0][0][0],y[0][1][0]\n";
  EXPECT_EQ(tarn("predict m.tarn --quiet").out, head + "1.png,1,2\n2.png,3,4\n");
  EXPECT_EQ(tarn("predict m.tarn --quiet --data d/2.png").out, head + "2.png,3,4\n");
  EXPECT_EQ(tarn("predict m.tarn --quiet --data d/").out, head + "1.png,1,2\n2.png,3,4\n");
  EXPECT_EQ(tarn("predict m.tarn --quiet --data d -o out.npy").status, 0);
  EXPECT_EQ(read_npy((folder_ / "out.npy").string())->to_doubles(), (std::vector<double>{1, 2, 3, 4}));
  expect_error("eval m.tarn", {"'d' has no sub-folders, so that nothing says the class of its images"});
  expect_error("eval m.tarn --data d/1.png", {"'d/1.png' is a file, so that nothing says its class"});
  // A model of other data takes images as well, and the other way round.
  write_model("data {\n  csv \"d.csv\"\n  x = scale(columns(0..2), 2)\n  t = column(2)\n}\n");
  EXPECT_EQ(tarn("predict m.tarn --quiet --data d").out, head + "1.png,2,4\n2.png,6,8\n");
  write_model("data {\n  images \"d\"\n}\n");
  ASSERT_TRUE(write_npy((folder_ / "x.npy").string(),
                        Array::from_doubles(ArrayType::u8, {1, 1, 2}, std::vector<double>{7, 8})));
  EXPECT_EQ(tarn("predict m.tarn --quiet --data x.npy").out, head.substr(head.find(',') + 1) + "7,8\n");
}

TEST_F(ImageFolders, WhatIsLeftOutIsSaid) {
  image("d/a/1.png", 1, 2);
  image("d/a/.hidden.png", 1, 2);
  image("d/a/deep/1.png", 1, 2);
  image("d/stray.png", 1, 2);
  image("d/.git/1.png", 1, 2);
  write("d/notes.txt", "");
  fs::create_directories(folder_ / "d/empty");
  write_model("data {\n  images \"d\"\n}\n");
  const Outcome outcome = tarn("predict m.tarn");
  EXPECT_EQ(outcome.out, "x.file,y[0][0][0],y[0][1][0]\na/1.png,1,2\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("note: 5 files in 'd' left out: .png, .jpg and .jpeg are read in sub-folders"
                                           ", here are .git, notes.txt, stray.png, a/deep, a/.hidden.png"),
                                 HasSubstr("warning: 'd/empty' has no images")));
}

TEST_F(ImageFolders, BrokenImagesAreNamed) {
  image("d/a/1.png", 1, 2);
  image("d/b/3.png", 5, 6);
  const std::string whole = png_of(1, 2, 1, {3, 4});
  const std::string cases[] = {
      whole.substr(0, whole.size() - 20),
      "text",
      "",
  };
  const std::string problems[] = {"d/b/2.png: is a broken PNG file: it is cut off",
                                  "d/b/2.png: is neither a PNG nor a JPEG file", "d/b/2.png: is empty"};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    write("d/b/2.png", cases[i]);
    write_model("data {\n  images \"d\"\n}\n");
    expect_error("predict m.tarn", {problems[i], "`skip_broken` in the data block leaves such images out"});
    write_model("data {\n  images \"d\"\n  skip_broken\n}\n");
    const Outcome left = tarn("predict m.tarn");
    EXPECT_EQ(left.out, "x.file,y[0][0][0],y[0][1][0]\na/1.png,1,2\nb/2.png,,\nb/3.png,5,6\n");
    EXPECT_THAT(left.err, HasSubstr("note: 1 of 3 images in 'd' left out: it is broken: b/2.png"));
    EXPECT_EQ(tarn("eval m.tarn --quiet").out, fmt::format("2 samples  loss {:.4f}\n", (9.0 + 89 * 89) / 2));
  }
  fs::remove(folder_ / "d/a/1.png");
  fs::remove(folder_ / "d/b/3.png");
  expect_error("predict m.tarn", {"every image in 'd' is broken"});
  // The first five of many are shown, in their order, whichever thread read them.
  for (int i = 10; i < 30; ++i) write(fmt::format("d/b/{}.png", i), "text");
  write_model("data {\n  images \"d\"\n}\n");
  const Outcome many = tarn("predict m.tarn");
  EXPECT_EQ(many.status, 1);
  EXPECT_THAT(many.err, AllOf(HasSubstr("d/b/10.png"), HasSubstr("d/b/14.png"), Not(HasSubstr("d/b/15.png")),
                              HasSubstr("21 images cannot be read")));
}

TEST_F(ImageFolders, FoldersThatAreNone) {
  write_model("data {\n  images \"d\"\n}\n");
  expect_error("predict m.tarn", {"cannot read 'd': No such file or directory"});
  fs::create_directories(folder_ / "d");
  expect_error("predict m.tarn", {"'d' has no images: no .png, .jpg or .jpeg file"});
  fs::create_directories(folder_ / "d/a");
  expect_error("eval m.tarn", {"'d' has no images"});
  image("d/a/1.png", 1, 2);
  fs::create_symlink("loop", folder_ / "d/loop");
  expect_error("predict m.tarn", {"cannot read 'd/loop': Too many levels of symbolic links"});
  fs::remove(folder_ / "d/loop");
  // A folder that leads back is a class without images; a link to nowhere a broken image.
  fs::create_directory_symlink("..", folder_ / "d/a/back");
  EXPECT_EQ(tarn("predict m.tarn --quiet").status, 0);
  fs::create_symlink("nowhere.png", folder_ / "d/a/2.png");
  expect_error("predict m.tarn", {"cannot read 'd/a/2.png': No such file or directory"});
}

TEST_F(ImageFolders, ClassesThatDoNotFit) {
  for (const char* name : {"a", "b", "c", "d"}) image(fmt::format("many/{}/1.png", name), 1, 2);
  image("named/cat/1.png", 1, 2);
  write_classifier("data {\n  images \"many\"\n}\n");
  expect_error("train c.tarn",
               {"'many' has 4 sub-folders, one a class, but 't' is [3] and takes 3 classes: a, b, c, d"});
  write_classifier("data {\n  images \"many\"\n  t = one_hot(class, 4)\n}\n");
  expect_error("train c.tarn", {"c.tarn:13:7", "'t' is [3], and one_hot makes 4 numbers of a label"});
  // Weights that know numbers alone.
  for (const char* name : {"0", "1", "2"}) image(fmt::format("numbers/{}/1.png", name), 1, 2);
  write_classifier("data {\n  images \"numbers\"\n}\n");
  ASSERT_EQ(tarn("train c.tarn --quiet").status, 0);
  expect_error("eval c.tarn --data named", {"'named/cat': the name of the folder must be the number of a class from 0 "
                                            "to 2"});
}

// Arrays of images: one of 28 x 28 numbers feeds an input with an axis of channels.
TEST_F(ImageFolders, ArraysFeedInputsWithChannels) {
  std::vector<double> values(12);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  const auto predict = [&](const std::vector<std::int64_t>& array, const std::string& shape) {
    EXPECT_TRUE(write_npy((folder_ / "x.npy").string(), Array::from_doubles(ArrayType::u8, array, values)));
    write_model("", shape);
    return tarn("predict m.tarn --quiet --data x.npy");
  };
  const std::string numbers = "0,1,2,3,4,5,6,7,8,9,10,11\n";
  EXPECT_THAT(predict({1, 3, 4}, "3, 4, 1").out, HasSubstr("\n" + numbers));
  EXPECT_THAT(predict({1, 2, 2, 3}, "2, 2, 3").out, HasSubstr("\n" + numbers));
  EXPECT_THAT(predict({1, 12}, "2, 2, 3").out, HasSubstr("\n" + numbers));
  EXPECT_THAT(predict({1, 1, 3, 4}, "3, 4, 1").out, HasSubstr("\n" + numbers));
  const Outcome first = predict({1, 3, 2, 2}, "2, 2, 3");
  EXPECT_EQ(first.status, 1);
  EXPECT_THAT(first.err, AllOf(HasSubstr("'x' is [2, 2, 3], and a sample of the array [3, 2, 2]"),
                               HasSubstr("numpy.transpose(array, (0, 2, 3, 1))")));
  EXPECT_THAT(predict({1, 4, 3}, "3, 4, 1").err, HasSubstr("'x' is [3, 4, 1], and a sample of the array [4, 3]"));
  std::string idx("\0\0\x08\x03\0\0\0\x01\0\0\0\x03\0\0\0\x04", 16);
  for (char i = 0; i < 12; ++i) idx += i;
  write("x-idx3-ubyte", idx);
  write_model("", "3, 4, 1");
  EXPECT_THAT(tarn("predict m.tarn --quiet --data x-idx3-ubyte").out, HasSubstr("\n" + numbers));
  write("x.csv", "0,1,2,3,4,5,6,7,8,9,10,11\n");
  write_model("data {\n  csv \"x.csv\"\n  header false\n  x = columns(0..12)\n  t = column(0)\n}\n", "3, 4, 1");
  EXPECT_THAT(tarn("predict m.tarn --quiet").out, HasSubstr("\n" + numbers));
}

}  // namespace
}  // namespace tarn::driver_test
