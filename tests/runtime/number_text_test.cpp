// Numbers in text against strtod, which the C library rounds correctly; UTF-8 against the tables of Unicode.
#include "runtime/files/number_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "runtime/files/utf8.h"

namespace tarn {
namespace {

TEST(NumberText, Accepted) {
  for (const std::string text : {"5",
                                 "-5",
                                 "+1.5",
                                 "1.",
                                 ".5",
                                 "-.5",
                                 "1e5",
                                 "1E-5",
                                 "1e+5",
                                 "0.1",
                                 "123456789012345",
                                 "1234567890123456",
                                 "123456789.012345",
                                 "0.000000000000001",
                                 "3.4028234663852886e38",
                                 "5e-324",
                                 "1e400",
                                 "-1e400",
                                 "1e-400",
                                 "inf",
                                 "-Infinity",
                                 "+inf",
                                 "00012",
                                 "9007199254740993",
                                 "0",
                                 "-0"}) {
    const std::optional<double> number = parse_number(text);
    ASSERT_TRUE(number) << text;
    const double expected = std::strtod(text.c_str(), nullptr);
    EXPECT_EQ(*number, expected) << text;
    EXPECT_EQ(std::signbit(*number), std::signbit(expected)) << text;
  }
  EXPECT_EQ(parse_number(" \t12 "), 12);
  EXPECT_TRUE(std::isnan(parse_number("nan").value_or(0)));
}

TEST(NumberText, Refused) {
  for (const char* text : {"", " ", "-", "+", ".", "1,5", "1.5.2", "1 2", "--1", "+-1", "abc", "1e", "0x10", "1_000",
                           "1f", "e5", "\n1", "١"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << '\'' << text << '\'';
  }
}

TEST(NumberText, RandomDecimalsAreRoundedAsStrtodDoes) {
  const unsigned seed = 20240611;
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100'000; ++i) {
    std::string text = std::to_string(random() >> (random() % 64));
    if (random() % 2 == 0) text.insert(random() % (text.size() + 1), 1, '.');
    if (random() % 4 == 0) text += fmt::format("e{}", static_cast<int>(random() % 80) - 40);
    if (random() % 2 == 0) text.insert(0, 1, '-');
    EXPECT_EQ(parse_number(text), std::strtod(text.c_str(), nullptr)) << text << " of seed " << seed;
  }
}

TEST(NumberText, ExcerptsAreShortAndWhole) {
  EXPECT_EQ(excerpt("short"), "short");
  EXPECT_EQ(excerpt("a\nb"), "a b");
  EXPECT_EQ(excerpt(std::string(50, 'x')), std::string(40, 'x') + "…");
  EXPECT_EQ(excerpt(std::string(39, 'x') + "äöü"), std::string(39, 'x') + "…");
}

TEST(Utf8, FindsTheFirstByteThatIsNone) {
  struct Case {
    std::string text;
    std::optional<std::size_t> position;
  };
  const Case cases[] = {
      {"", {}},
      {"plain ASCII, longer than a word", {}},
      {"größe ∑ 😀", {}},
      {"\xEF\xBF\xBD", {}},
      {"\xF4\x8F\xBF\xBF", {}},
      {"12345678\x80", 8},
      {"ab\xC3", 2},
      {"ab\xC3(", 2},
      {"\xC0\x80", 0},
      {"\xE0\x9F\xBF", 0},
      {"\xF0\x8F\xBF\xBF", 0},
      {"\xED\xA0\x80", 0},
      {"\xF4\x90\x80\x80", 0},
      {"\xF5\x80\x80\x80", 0},
      {"x\xFF", 1},
  };
  for (const Case& c : cases) EXPECT_EQ(first_invalid_utf8(c.text), c.position) << c.text;
}

}  // namespace
}  // namespace tarn
