#include "catalogue/python_literal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::catalogue {
namespace {

TEST(PythonLiteral, WritesWhatItRead) {
  for (const char* text : {
           "None",
           "True",
           "False",
           "0",
           "-17",
           "5.00304",
           "1e-05",
           "1e+16",
           "'abc'",
           "\"it's\"",
           "'\"both\\' quotes'",
           "'tab\\tline\\nback\\\\slash\\rend'",
           "'\\x00\\x1f\\x7f\\x85\\xa0'",
           "'größe 表 \\u200b \\ufeff'",
           "[]",
           "()",
           "(1,)",
           "{}",
           "[('t1', 16384, '/srv/ts1'), ('t2', 16385, '/srv/ts2')]",
           "{'copy_time': 5.00304, 'total_time': 5.00304}",
           "{'a': {'b': [1, None, (2, 'x')]}, 'c': -0.5}",
       }) {
    EXPECT_EQ(repr_python(parse_python(text)), text);
  }
}

TEST(PythonLiteral, ReadsOtherSpellings) {
  EXPECT_EQ(repr_python(parse_python("  [ 1 ,2, ] ")), "[1, 2]");
  EXPECT_EQ(repr_python(parse_python("u'old'")), "'old'");
  EXPECT_EQ(repr_python(parse_python("(7)")), "7");
  EXPECT_EQ(repr_python(parse_python("16777216L")), "16777216");
  EXPECT_EQ(repr_python(parse_python("'\\u00fc\\U0001f600'")), "'ü😀'");
}

TEST(PythonLiteral, KeepsBytesThatAreNotUtf8) {
  const std::string bytes = "a\xff\xc3(";
  const std::string text = repr_python(std::string_view(bytes));
  EXPECT_EQ(text, "'a\\udcff\\udcc3('");
  EXPECT_EQ(*parse_python(text).as_text(), bytes);
}

TEST(PythonLiteral, RejectsWhatIsNoLiteral) {
  for (const char* text : {"", "abc", "'open", "[1 2]", "{1}", "{'a' 1}", "[1", "1 2", "'\\q'",
                           "'\\x1'", "1.2.3", "99999999999999999999", "__import__('os')", "-"}) {
    EXPECT_THROW(parse_python(text), Error) << text;
  }
}

TEST(PythonLiteral, LimitsNesting) {
  EXPECT_NO_THROW(parse_python(std::string(20, '[') + std::string(20, ']')));
  EXPECT_THROW(parse_python(std::string(100'000, '[')), Error);
}

TEST(PythonLiteral, FindsAndSetsKeys) {
  PythonDict dict;
  dict.set("a", {1.5});
  dict.set("b", {std::int64_t{2}});
  dict.set("a", {std::string("x")});
  EXPECT_EQ(*dict.find("a")->as_text(), "x");
  EXPECT_EQ(dict.find("b")->as_number(), 2.0);
  EXPECT_EQ(dict.find("c"), nullptr);
  EXPECT_EQ(repr_python(PythonValue{dict}), "{'a': 'x', 'b': 2}");
}

}  // namespace
}  // namespace barman::catalogue
