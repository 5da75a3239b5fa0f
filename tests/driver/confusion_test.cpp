// Confusion matrices of `tarn eval --confusion` and of the page of a training, counted again from what `tarn predict`
// says, and the pictures of that page, pixel by pixel.
#include <gmock/gmock.h>

#include <algorithm>
#include <regex>
#include <utility>

#include "runtime/files/csv.h"
#include "runtime/files/image.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Confusion : public Driver {
 protected:
  json evaluated(const std::string& arguments) const {
    const Outcome outcome = tarn("eval --json --quiet --confusion " + arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? events(outcome.out).back()["confusion"] : json();
  }
  Table table(const std::string& name) const {
    Result<Table> read = read_csv((folder_ / name).string());
    if (!read) throw std::runtime_error(read.error().front().message);
    return std::move(*read);
  }
  // The same from the table that `predict` writes and the column of labels of its data.
  json counted(const std::string& arguments, const std::string& data, const std::string& label,
               const std::vector<std::string>& classes) const {
    write("predicted.csv", tarn("predict --quiet " + arguments).out);
    const Table found = table("predicted.csv"), expected = table(data);
    json counts = std::vector<std::vector<int>>(classes.size(), std::vector<int>(classes.size()));
    const auto number = [&](const std::string& name) {
      return static_cast<std::size_t>(std::ranges::find(classes, name) - classes.begin());
    };
    for (std::size_t row = 0; row < found.rows(); ++row) {
      json& count = counts.at(number(std::string(expected.cell(row, *expected.find_column(label)))))
                        .at(number(std::string(found.cell(row, *found.find_column("y.class")))));
      count = count.get<int>() + 1;
    }
    return counts;
  }
  // The numbers in the cells of a page, row by row.
  static std::vector<int> cells(const std::string& page) {
    const std::regex cell("<td class=\"(right|wrong|none)\"[^>]*>([0-9]+)</td>");
    std::vector<int> numbers;
    for (std::sregex_iterator at(page.begin(), page.end(), cell), end; at != end; ++at)
      numbers.push_back(std::stoi((*at)[2].str()));
    return numbers;
  }
};

TEST_F(Confusion, OfLabelsAsPredictionsSayThem) {
  ASSERT_EQ(tarn("train iris.tarn --epochs 20 --report r.html --validation iris.csv").status, 0);
  const json confusion = evaluated("iris.tarn")["y"];
  const std::vector<std::string> classes = confusion["classes"];
  EXPECT_THAT(classes, ::testing::UnorderedElementsAre("setosa", "versicolor", "virginica"));
  EXPECT_EQ(confusion["target"], "t");
  const json expected = counted("iris.tarn", "iris.csv", "species", classes);
  EXPECT_EQ(confusion["counts"], expected);
  // The page has the same rows, which it validates on.
  const std::string page = read_text(folder_ / "r.html");
  EXPECT_THAT(page, HasSubstr("<h2>Classes of t, by y: validation rows</h2>"));
  std::vector<int> flat;
  for (const json& line : expected) {
    for (const json& count : line) flat.push_back(count.get<int>());
  }
  EXPECT_EQ(cells(page), flat);
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(tarn("eval iris.tarn --confusion").out, HasSubstr("\nprecision "));
}

TEST_F(Confusion, OfOneProbability) {
  write("m.tarn",
        "model m {\n  input x\n  output y = sigmoid(x)\n}\ntrain {\n  target t\n  loss binary_crossentropy(y, t)\n"
        "  optimizer sgd\n}\ndata {\n  csv \"d.csv\"\n  x = column(\"x\")\n  t = ordinal(column(\"t\"))\n}\n");
  write("d.csv", "x,t\n-1,no\n2,yes\n3,yes\n-4,yes\n5,no\n-6,no\n-7,no\n");
  EXPECT_EQ(evaluated("m.tarn"), json::parse(R"({"y": {"target": "t", "classes": ["no", "yes"],
                                                 "counts": [[3, 1], [1, 2]]}})"));
  EXPECT_EQ(tarn("eval m.tarn --quiet --confusion").out.substr(tarn("eval m.tarn --quiet").out.size()),
            "\nt by y: a line for each class of t, a column for what its rows are taken for\n"
            "               no     yes  recall\n"
            "no              3       1  0.7500\n"
            "yes             1       2  0.6667\n"
            "precision  0.7500  0.6667\n");
}

// Classes without names are numbers; what is ignored counts nowhere, and a class without rows has no shares.
TEST_F(Confusion, OfNumbersOfClasses) {
  write("m.tarn",
        "model m {\n  input x[3]\n  output y = x\n}\ntrain {\n  target t: i32\n"
        "  loss sparse_categorical_crossentropy(y, t, from_logits = true, ignore_class = -1)\n  optimizer sgd\n}\n"
        "data {\n  csv \"d.csv\"\n  x = columns(0..3)\n  t = column(3)\n}\n");
  write("d.csv", "9,1,2,0\n1,9,2,0\n1,1,9,-1\n1,9,1,1\n9,1,1,1\n5,5,5,0\n");
  EXPECT_EQ(evaluated("m.tarn")["y"]["counts"], json::parse("[[2, 1, 0], [1, 1, 0], [0, 0, 0]]"));
  EXPECT_EQ(evaluated("m.tarn")["y"]["classes"], json::parse(R"(["0", "1", "2"])"));
  EXPECT_THAT(tarn("eval m.tarn --confusion").out, HasSubstr("2               0       0       0       -\n"));
}

TEST_F(Confusion, WhatHasNoClasses) {
  write("mixture.tarn",
        "model m {\n  input x[3]\n  output y = softmax(x)\n}\ntrain {\n  target t[3]\n"
        "  loss categorical_crossentropy(y, t)\n  optimizer sgd\n}\n"
        "data {\n  csv \"d.csv\"\n  x = columns(0..3)\n  t = columns(3..6)\n}\n");
  write("d.csv", "1,2,3,1,0,0\n1,2,3,0.5,0.5,0\n");
  for (const char* model : {"line.tarn", "mixture.tarn"}) {
    const Outcome refused = tarn(fmt::format("eval {} --confusion", model));
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("tells classes apart"));
    EXPECT_EQ(refused.out, "");
  }
  ASSERT_EQ(tarn("train line.tarn --epochs 1 --report r.html").status, 0);
  EXPECT_THAT(read_text(folder_ / "r.html"), Not(HasSubstr("Classes of")));
}

std::string decoded(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : base64) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(digits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

// Test rows stand in where nothing is validated; wrong ones come first, the surest of them ahead. Grey goes from -1 to
// 3, the ends of what is shown.
TEST_F(Confusion, ThePageShowsImages) {
  write("m.tarn",
        "model m {\n  input x[2, 2, 1]\n  param k[2, 2] = [[1, 0], [0, 1]]\n  output y = softmax(x[0, :, 0] @ k)\n}\n"
        "train {\n  target t: i32\n  loss sparse_categorical_crossentropy(y, t)\n  optimizer sgd(lr = 0)\n"
        "  epochs 1\n}\ndata {\n  csv \"train.csv\"\n  x = columns(0..4)\n  t = ordinal(column(4))\n}\n"
        "data test { csv \"test.csv\" }\n");
  write("train.csv", "0,1,0,0,left\n1,0,0,0,right\n");
  write("test.csv", "1,0,-1,0,right\n3,1,0,2,left\n0,2,1,1,left\n");
  const Outcome trained = tarn("train m.tarn --report r.html");
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::string page = read_text(folder_ / "r.html");
  EXPECT_THAT(page, HasSubstr("<h2>Classes of t, by y: test rows</h2>"));
  EXPECT_EQ(cells(page), (std::vector<int>{1, 1, 1, 0}));
  const std::regex picture("<img src=\"data:image/png;base64,([^\"]*)\" alt=\"([^\"]*)\"");
  std::vector<std::pair<std::string, std::vector<double>>> found;
  for (std::sregex_iterator at(page.begin(), page.end(), picture), end; at != end; ++at) {
    const std::string bytes = decoded((*at)[1].str());
    const Result<Array> read = parse_image(view_of(bytes), 1);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->shape, (std::vector<std::int64_t>{2, 2, 1}));
    found.emplace_back((*at)[2].str(), read->to_doubles());
  }
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].first, "left, taken for right");
  EXPECT_EQ(found[0].second, (std::vector<double>{64, 191, 128, 128}));
  EXPECT_EQ(found[1].first, "right, taken for left");
  EXPECT_EQ(found[1].second, (std::vector<double>{128, 64, 0, 64}));
  EXPECT_EQ(found[2].first, "left, taken for it");
  EXPECT_EQ(found[2].second, (std::vector<double>{255, 128, 64, 191}));
  // Test data that are not there are no reason to lose what was trained.
  fs::remove(folder_ / "test.csv");
  const Outcome again = tarn("train m.tarn --report r.html");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("--report shows the training rows"));
  EXPECT_THAT(read_text(folder_ / "r.html"), HasSubstr("<h2>Classes of t, by y: training rows</h2>"));
}

}  // namespace
}  // namespace tarn::driver_test
