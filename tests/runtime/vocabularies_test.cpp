// Labels in one spelling, and who may number them. tests/driver/names_test.cpp has what comes of it in the driver.
#include "runtime/data/vocabularies.h"

#include <gtest/gtest.h>

#include <utility>

namespace tarn {
namespace {

TEST(Vocabularies, NumbersOfUnquotedLabelsHaveOneSpelling) {
  const std::pair<const char*, const char*> cases[] = {{"5", "5"},
                                                       {"5.0", "5"},
                                                       {" 5 ", "5"},
                                                       {"+5", "5"},
                                                       {"-0", "0"},
                                                       {"0.5", "0.5"},
                                                       {"0.50", "0.5"},
                                                       {".5", "0.5"},
                                                       {"-1.0", "-1"},
                                                       {"1e3", "1000"},
                                                       {"0", "0"},
                                                       {"0.0", "0"},
                                                       {"007", "007"},
                                                       {"-01", "-01"},
                                                       {"00", "00"},
                                                       {"cat", "cat"},
                                                       {"\tcat ", "cat"},
                                                       {"inf", "inf"},
                                                       {"nan", "nan"},
                                                       {"", ""},
                                                       {"a b", "a b"},
                                                       {"1 2", "1 2"},
                                                       {"5.", "5"},
                                                       {"1.5x", "1.5x"},
                                                       {"größe", "größe"},
                                                       // Beyond 2^53 different numbers may be the same double.
                                                       {"9007199254740993", "9007199254740993"}};
  for (const auto& [text, label] : cases) EXPECT_EQ(unquoted_label(text), label) << "'" << text << "'";
}

TEST(Vocabularies, OnlyInitialWeightsLearnLabelsAndOnce) {
  Vocabularies open;
  EXPECT_TRUE(open.may_learn("t"));
  open.learn("t", {{"cat", "dog"}, 0});
  EXPECT_FALSE(open.may_learn("t"));
  EXPECT_TRUE(open.may_learn("s"));
  EXPECT_EQ(open.names("t"), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_TRUE(open.names("s").empty());
  open.close();
  EXPECT_FALSE(open.may_learn("s"));
  const Vocabularies of_others = Vocabularies::of_weights({});
  EXPECT_TRUE(of_others.is_closed());
  EXPECT_EQ(of_others.find("t"), nullptr);
}

}  // namespace
}  // namespace tarn
