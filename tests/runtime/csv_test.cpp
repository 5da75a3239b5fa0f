// CSV against csv-spectrum, RFC 4180, and the messages that users see.
#include "runtime/files/csv.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::bytes_of;
using testing::data_folder;
using testing::load_json;
using testing::messages;

using CellRows = std::vector<std::vector<std::string>>;

CellRows cells_of(const Table& table) {
  CellRows rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    auto& cells = rows.emplace_back();
    for (std::size_t column = 0; column < table.columns(); ++column) cells.emplace_back(table.cell(row, column));
  }
  return rows;
}

Result<Table> parse(std::string_view text, const CsvOptions& options = {}) {
  return parse_csv(bytes_of(text), "x.csv", options);
}

TEST(Csv, Spectrum) {
  const auto folder = data_folder("csv-spectrum");
  for (const std::string name :
       {"comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "location_coordinates", "newlines",
        "newlines_crlf", "quotes_and_newlines", "simple", "simple_crlf", "utf8"}) {
    SCOPED_TRACE(name);
    const Result<Table> table = read_csv((folder / (name + ".csv")).string(), {.separator = {}, .header = true});
    ASSERT_TRUE(table) << messages(table);
    nlohmann::json expected = load_json(folder / (name + ".json"));
    // One file describes its only row without a list around it, with a telephone number of its own.
    if (expected.is_object()) {
      expected["Contact Phone Number"] = "2095257564";
      expected = nlohmann::json::array({expected});
    }
    nlohmann::json actual = nlohmann::json::array();
    for (std::size_t row = 0; row < table->rows(); ++row) {
      nlohmann::json object = nlohmann::json::object();
      for (std::size_t column = 0; column < table->columns(); ++column) {
        object[table->column_names()[column]] = table->cell(row, column);
      }
      actual.push_back(object);
    }
    EXPECT_EQ(actual, expected);
  }
}

TEST(Csv, Texts) {
  struct Case {
    std::string text;
    CellRows rows;
  };
  const Case cases[] = {
      {"", {}},
      {"\n\r\n\n", {}},
      {"\xEF\xBB\xBF", {}},
      {"\xEF\xBB\xBF"
       "1,2",
       {{"1", "2"}}},
      {"1,2\n3,4", {{"1", "2"}, {"3", "4"}}},
      {"1,2\r3,4\r", {{"1", "2"}, {"3", "4"}}},
      {"1,2\r\n\r\n3,4\r\n", {{"1", "2"}, {"3", "4"}}},
      {"1,\n,\n", {{"1", ""}, {"", ""}}},
      {"1\n\"\"\n2\n", {{"1"}, {""}, {"2"}}},
      {"1;2,5;3\n", {{"1", "2,5", "3"}}},
      {"1,5;2,5;3\n", {{"1,5", "2,5", "3"}}},
      {"1,5;2,5\n", {{"1,5", "2,5"}}},
      {"-1,5;2\n", {{"-1,5", "2"}}},
      {"1,5,2;3\n", {{"1", "5", "2;3"}}},
      {"1,;2\n", {{"1,", "2"}}},
      {"1\t2,3\t4\n", {{"1", "2,3", "4"}}},
      {"\"a;b;c\",1\n", {{"a;b;c", "1"}}},
      {"1,\"\"\"\",\"a\"\"\"\n", {{"1", "\"", "a\""}}},
      {"1,a\"b\"c, \"d\"\n", {{"1", "a\"b\"c", " \"d\""}}},
      {"\"1\",\"2\",3,\"4,\r\n\",5\n", {{"1", "2", "3", "4,\r\n", "5"}}},
  };
  for (const Case& c : cases) {
    const Result<Table> table = parse(c.text, {.separator = {}, .header = false});
    ASSERT_TRUE(table) << c.text << messages(table);
    EXPECT_EQ(cells_of(*table), c.rows) << c.text;
  }
}

TEST(Csv, AHeaderIsAFirstRowWithoutANumber) {
  struct Case {
    std::string text;
    std::optional<bool> option;
    std::vector<std::string> names;
    std::size_t rows;
  };
  const Case cases[] = {
      {"a, b \n1,2\n", {}, {"a", "b"}, 1},
      {"a,2\n1,2\n", {}, {}, 2},
      {"150,4,setosa\n5.1,3.5,0\n", {}, {}, 2},
      {"a,b\n", {}, {"a", "b"}, 0},
      // Where numbers are missing there are no names.
      {"nan,\n1,2\n", {}, {}, 2},
      {"NA,?\n1,2\n", {}, {}, 2},
      {"inf,nan\n1,2\n", {}, {}, 2},
      {"a,\n1,2\n", {}, {"a", ""}, 1},
      {"1,2\n3,4\n", true, {"1", "2"}, 1},
      {"a,b\n1,2\n", false, {}, 2},
      {"", true, {}, 0},
      // Years are no data above what are no years; above others they are.
      {"id,2019,2020\nu,1,2\nv,3,4\n", {}, {"id", "2019", "2020"}, 2},
      {"id,2019,2020\nu,1999,2007\nv,2001,2002\n", {}, {}, 3},
      {"2019,2020\n1,2\n", {}, {}, 2},
  };
  for (const Case& c : cases) {
    const Result<Table> table = parse(c.text, {.separator = {}, .header = c.option});
    ASSERT_TRUE(table) << messages(table);
    EXPECT_EQ(table->column_names(), c.names) << c.text;
    EXPECT_EQ(table->rows(), c.rows) << c.text;
  }
}

TEST(Csv, AFirstRowWithANameThatIsAskedForIsAHeader) {
  const Result<Table> table =
      parse("2019,2020\n2021,2022\n", {.separator = {}, .header = {}, .column_names = {"2020"}});
  ASSERT_TRUE(table) << messages(table);
  EXPECT_EQ(table->column_names(), (std::vector<std::string>{"2019", "2020"}));
  EXPECT_EQ(table->header_remark(), "");
}

TEST(Csv, AFirstRowThatCouldBeMeantOtherwiseIsRemarkedOn) {
  struct Case {
    std::string text, remark;
  };
  const std::string is_data = "row 1 is read as data: `header true` says that it is a header";
  const Case cases[] = {
      {"a,b\n1,2\n", ""},
      {"1,2\n3,4\n", ""},
      {"5.1,3.5,setosa\n4.9,3,setosa\n", ""},
      {"5.1,3.5,setosa\n4.9,3,virginica\n", ""},
      {"1,2,3\n4,5,6\n", ""},
      {"a,2\n1,2\n", is_data},
      {"150,4,setosa\n5.1,3.5,0\n", is_data},
      {",0,1\n0,0.5,0.25\n1,3,4\n", is_data},
      {"name,1,2\nu,0.5,7\nv,2,4\n", is_data},
      {"2019,2020\n1,2\n", is_data},
      {"id,2019,2020\nu,1,2\n",
       "row 1 is taken as a header, for its numbers look like years: `header false` says that it is data"},
      {"red,yes\nblue,no\n",
       "row 1 is taken as a header, though all rows below are text, too: `header false` says that it is data"},
  };
  for (const Case& c : cases) {
    const Result<Table> table = parse(c.text);
    ASSERT_TRUE(table) << messages(table);
    EXPECT_EQ(table->header_remark(), c.remark) << c.text;
    const Result<Table> said = parse(c.text, {.separator = {}, .header = false});
    EXPECT_EQ(said->header_remark(), "") << c.text;
  }
}

TEST(Csv, ALineMayNameTheSeparator) {
  const Result<Table> table = parse("sep=;\r\na;b\r\n1,5;2\r\n");
  ASSERT_TRUE(table) << messages(table);
  EXPECT_EQ(table->column_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(cells_of(*table), (CellRows{{"1,5", "2"}}));
  EXPECT_EQ(table->line(0), 3U);
  for (const std::string text : {"sep=", "sep=\n", "sep=;", "sep=|\n"}) EXPECT_TRUE(parse(text).has_value()) << text;
}

TEST(Csv, AnEmptyLineIsARowWhereRowsHaveOneField) {
  const Result<Table> table = parse("\na\n1\n\n\r\n3\n\n\n");
  ASSERT_TRUE(table) << messages(table);
  EXPECT_EQ(cells_of(*table), (CellRows{{"1"}, {""}, {""}, {"3"}})) << "those at the end are none";
  EXPECT_EQ(table->line(1), 4U);
  EXPECT_EQ(table->line(2), 5U);
  EXPECT_EQ(table->line(3), 6U);
  EXPECT_EQ(cells_of(*parse("1,2\n\n3,4\n")), (CellRows{{"1", "2"}, {"3", "4"}}));
}

TEST(Csv, Errors) {
  struct Case {
    std::string text;
    std::string messages;
  };
  const Case cases[] = {
      {"a,b\n1,2\n3\n", "x.csv:3: row 3 has 1 field, the header has 2\n"},
      {"1,2\n\n3,4,5\n", "x.csv:3: row 3 has 3 fields, the first row has 2\n"},
      {"a,b\n\"x\ny\",2\n3\n", "x.csv:4: row 4 has 1 field, the header has 2\n"},
      {"1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n",
       "x.csv:2: row 2 has 2 fields, the first row has 1\nx.csv:3: row 3 has 2 fields, the first row has 1\n"
       "x.csv:4: row 4 has 2 fields, the first row has 1\nx.csv:5: row 5 has 2 fields, the first row has 1\n"
       "x.csv:6: row 6 has 2 fields, the first row has 1\nx.csv: and 2 more such rows\n"},
      {"a\n1\n\"b\nc", "x.csv:3: the quote that opens here is never closed\n"},
      {"a,b\n\"1\"2,3\n", "x.csv:2: text follows a closing quote (a quote within quotes is written twice)\n"},
      {"a\n\xE9t\xE9\n", "x.csv:2: byte 0xe9 is not UTF-8; convert the file, for example with iconv\n"},
      {std::string("a\0\n", 3), "x.csv:1: holds a zero byte, so it is no UTF-8 text (UTF-16, or not text at all?)\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(messages(parse(c.text)), c.messages) << c.text;
}

TEST(Csv, Columns) {
  const Result<Table> table = parse("sepal_length,petal_width,x,x\n1,2,3,4\n");
  ASSERT_TRUE(table);
  const Result<std::size_t> found = table->find_column("petal_width");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, 1u);
  EXPECT_EQ(messages(table->find_column("petal_widht")),
            "x.csv: has no column 'petal_widht'; did you mean 'petal_width'?\n");
  EXPECT_EQ(messages(table->find_column("entirely_other")),
            "x.csv: has no column 'entirely_other'; it has sepal_length, petal_width, x, x\n");
  EXPECT_EQ(messages(table->find_column("x")), "x.csv: has more than one column 'x'\n");
  EXPECT_NE(messages(parse("1,2\n")->find_column("a")).find("has no header"), std::string::npos);
}

TEST(Csv, Numbers) {
  const Result<Table> table = parse("a,b\n 1 ,0.1\n+1.5,-2e3\n12345678,123456789\ninf,00\n");
  ASSERT_TRUE(table);
  const std::vector<std::size_t> columns = {1, 0};
  const Result<Numbers> doubles = numbers(*table, columns, ArrayType::f64);
  ASSERT_TRUE(doubles) << messages(doubles);
  EXPECT_EQ(doubles->values.shape, (std::vector<std::int64_t>{4, 2}));
  EXPECT_EQ(doubles->values.to_doubles(), (std::vector<double>{0.1, 1, -2000, 1.5, 123456789, 12345678, 0, INFINITY}));
  EXPECT_TRUE(doubles->missing.empty());
  const Result<Numbers> floats = numbers(*table, columns);
  ASSERT_TRUE(floats);
  EXPECT_EQ(floats->values.values<float>()[0], 0.1f);
  EXPECT_EQ(floats->values.values<float>()[4], 123456792.0f) << "the float nearest to 123456789";
}

TEST(Csv, MissingValuesAreNoErrorsOfTheirOwn) {
  const Result<Table> table = parse("a,b\n1,\n?,NA\nnull,nan\n NaN ,2\n", {});
  ASSERT_TRUE(table);
  const std::vector<std::size_t> columns = {0, 1};
  const std::vector<TableCell> expected = {{0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {3, 0}};
  EXPECT_EQ(missing_cells(*table, columns), expected);
  const Result<Numbers> values = numbers(*table, columns);
  ASSERT_TRUE(values) << messages(values);
  EXPECT_EQ(values->missing, expected);
  for (const TableCell& cell : expected) {
    EXPECT_TRUE(std::isnan(values->values.at(static_cast<std::int64_t>(2 * cell.row + cell.column))));
  }
  EXPECT_EQ(messages(missing_errors(*table, expected)),
            "x.csv:2: column 'b': the value is missing\nx.csv:3: column 'a': the value is missing\n"
            "x.csv:3: column 'b': the value is missing\nx.csv:4: column 'a': the value is missing\n"
            "x.csv:4: column 'b': the value is missing\nx.csv: and 1 more\n");
}

TEST(Csv, NoNumberIsMissingInAnySpelling) {
  for (const char* text : {"", " ", "NA", "null", "?", "nan", "NaN", "NAN", "-nan", "+NaN", "-NAN", "nan(ind)",
                           "-nan(ind)", "nan(snan)", "1.#QNAN", "-1.#IND", "1.#QNAN0", " -nan "})
    EXPECT_TRUE(is_missing(text)) << text;
  for (const char* text : {"0", "-", "+", "nano", "nation", "n", "N", "inf", "-inf", "1.#INF", "1", "NAT", "x"})
    EXPECT_FALSE(is_missing(text)) << text;
}

TEST(Csv, TextWhereANumberMustBe) {
  const std::vector<std::size_t> column = {1};
  EXPECT_EQ(
      messages(numbers(*parse("a,petal_width\n1,abc\n2,3\n3,1 2\n"), column)),
      "x.csv:2: column 'petal_width': 'abc' is not a number\nx.csv:4: column 'petal_width': '1 2' is not a number\n");
  std::string text;
  for (int i = 0; i < 42; ++i) text += "1,abc\n";
  const std::string all = messages(numbers(*parse(text), column));
  EXPECT_TRUE(all.starts_with("x.csv:1: column 2: 'abc' is not a number\n")) << all;
  EXPECT_TRUE(all.ends_with("x.csv:5: column 2: 'abc' is not a number\nx.csv: and 37 more\n")) << all;
}

// The digits that the eight-at-once conversion must tell from everything else.
TEST(Csv, ShortCellsAgreeWithStrtod) {
  const unsigned seed = 7;
  std::mt19937 random(seed);
  std::string text;
  std::vector<double> expected;
  for (int i = 0; i < 20'000; ++i) {
    std::string cell = std::to_string(random() >> (random() % 32));
    if (random() % 3 == 0) cell.insert(random() % (cell.size() + 1), 1, '.');
    expected.push_back(std::strtod(cell.c_str(), nullptr));
    text += cell + "\n";
  }
  const std::vector<std::size_t> column = {0};
  const Result<Numbers> values = numbers(*parse(text, {.separator = ',', .header = false}), column, ArrayType::f64);
  ASSERT_TRUE(values) << messages(values);
  EXPECT_EQ(values->values.to_doubles(), expected) << "seed " << seed;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte >= '0' && byte <= '9') continue;
    const std::string cell = {'1', static_cast<char>(byte), '2'};
    const Result<Table> table = parse(cell, {.separator = ';', .header = false});
    if (!table || table->rows() != 1 || table->columns() != 1) continue;
    EXPECT_EQ(numbers(*table, column).has_value(), byte == '.' || byte == 'e' || byte == 'E') << byte;
  }
}

// What a writer after RFC 4180 quotes, the parser gives back.
TEST(Csv, RandomTablesSurviveQuoting) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  const std::string alphabet = "ab1.,;\t\"\r\n ";
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t columns = 1 + random() % 4;
    CellRows rows(1 + random() % 5);
    std::vector<bool> quoted;
    std::string text;
    for (auto& row : rows) {
      for (std::size_t column = 0; column < columns; ++column) {
        std::string& cell = row.emplace_back();
        for (std::size_t i = random() % 6; i > 0; --i) cell += alphabet[random() % alphabet.size()];
        const bool quote = cell.empty() || cell.find_first_of(",\"\r\n") != std::string::npos || random() % 3 == 0;
        quoted.push_back(quote);
        if (column > 0) text += ',';
        if (quote) text += '"';
        for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
        if (quote) text += '"';
      }
      text += std::vector<std::string>{"\n", "\r\n", "\r"}[random() % 3];
    }
    const Result<Table> table = parse(text, {.separator = ',', .header = false});
    ASSERT_TRUE(table) << text << messages(table);
    EXPECT_EQ(cells_of(*table), rows) << "trial " << trial << " of seed " << seed << ":\n" << text;
    for (std::size_t cell = 0; cell < quoted.size(); ++cell)
      EXPECT_EQ(table->is_quoted(cell / columns, cell % columns), quoted[cell]) << text;
  }
}

TEST(Csv, FieldsThatAreWrittenAreReadAsTheyAre) {
  for (const char* text : {"plain", "Smith, John", "says \"hi\"", "\"", "two\nlines", "\r", " blank", "blank\t", "NA",
                           "?", "nan", "", "a;b", "größe"}) {
    const Result<Table> table = parse(fmt::format("{},1\n", csv_field(text)), {.separator = ',', .header = false});
    ASSERT_TRUE(table) << text << messages(table);
    EXPECT_EQ(table->cell(0, 0), text);
    // What would be taken for no value, or lose its blanks, is marked as text.
    EXPECT_TRUE(table->is_quoted(0, 0) || !(is_missing(text) || text[0] == ' ')) << text;
  }
  EXPECT_EQ(csv_field("Smith, \"J\""), "\"Smith, \"\"J\"\"\"");
  EXPECT_EQ(csv_field("a;b"), "a;b");
}

}  // namespace
}  // namespace tarn
