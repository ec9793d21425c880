#include "base/python_text.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

using namespace std::string_literals;

// repr() of the same texts by Python 3.11.
TEST(PythonText, ChoosesTheQuotesAsPythonDoes) {
  EXPECT_EQ(python_quoted("abc"), "'abc'");
  EXPECT_EQ(python_quoted("it's"), "\"it's\"");
  EXPECT_EQ(python_quoted("say \"it\""), "'say \"it\"'");
  EXPECT_EQ(python_quoted("a'b\"c\\"), "'a\\'b\"c\\\\'");
}

TEST(PythonText, EscapesWhatIsNotPrintable) {
  EXPECT_EQ(python_quoted("\t\n\r\0\x1f\x7f"s), R"('\t\n\r\x00\x1f\x7f')");
  EXPECT_EQ(python_quoted("größe 表"), "'größe 表'");
  EXPECT_EQ(python_quoted("\u0085\u00a0\u00ad\u200b\ufeff"), R"('\x85\xa0\xad\u200b\ufeff')");
  EXPECT_EQ(python_quoted("\U000e0001"), R"('\U000e0001')");
}

TEST(PythonText, KeepsBytesThatAreNotUtf8) {
  EXPECT_EQ(python_quoted("a\xff\xc3("), R"('a\udcff\udcc3(')");
}

}  // namespace
}  // namespace barman
