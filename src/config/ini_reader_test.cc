#include "config/ini_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::config {
namespace {

std::string value_of(std::string_view body) {
  const IniFile file = parse_ini("[s]\n" + std::string(body), "x.conf");
  return file.sections.at(0).entries.at(0).value;
}

std::string refusal_of(std::string_view text) {
  try {
    parse_ini(text, "x.conf");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.message();
  }
  return "accepted";
}

TEST(IniReader, ReadsSectionsInFileOrderWithLowerCaseKeys) {
  const IniFile file = parse_ini("[b x]\nDESCRIPTION = One\n[a]\nk: v=w\n", "x.conf");
  ASSERT_EQ(file.sections.size(), 2U);
  EXPECT_EQ(file.sections[0].name, "b x");
  EXPECT_EQ(file.sections[0].entries[0].key, "description");
  EXPECT_EQ(file.sections[0].entries[0].value, "One");
  EXPECT_EQ(file.sections[1].entries[0].key, "k");
  EXPECT_EQ(file.sections[1].entries[0].value, "v=w");
  EXPECT_EQ(file.sections[1].entries[0].line_number, 4U);
}

TEST(IniReader, AcceptsByteOrderMarkAndAllLineEndings) {
  const IniFile file = parse_ini("\xEF\xBB\xBF[a]\r\nx=1\r\ry=2", "x.conf");
  ASSERT_EQ(file.sections.at(0).entries.size(), 2U);
  EXPECT_EQ(file.sections[0].entries[0].value, "1");
  EXPECT_EQ(file.sections[0].entries[1].value, "2");
  EXPECT_EQ(file.sections[0].entries[1].line_number, 4U);
}

TEST(IniReader, JoinsContinuationLines) {
  EXPECT_EQ(value_of("k = one\n  two\n\tthree\n"), "one\ntwo\nthree");
  EXPECT_EQ(value_of("k =\n  one\n"), "\none");
  EXPECT_EQ(value_of("k = one\n  # a comment\n  ; another\n  two\n"), "one\ntwo");
  EXPECT_EQ(value_of("k = one\n\n  two\n\n\nj = 1\n"), "one\n\ntwo");
  // A line that looks like a section or a key is text when it is indented deeper.
  EXPECT_EQ(value_of("k = one\n  [no section]\n  a = b\n"), "one\n[no section]\na = b");
}

TEST(IniReader, ComparesIndentationWithTheKey) {
  const IniFile file = parse_ini("[s]\n  k = 1\n  j = 2\n", "x.conf");
  EXPECT_EQ(file.sections[0].entries.size(), 2U);
}

TEST(IniReader, KeepsEmptyValuesAndInlineComments) {
  EXPECT_EQ(value_of("k =\n"), "");
  EXPECT_EQ(value_of("k = 5120  ; 5 MB/s\n"), "5120  ; 5 MB/s");
}

TEST(IniReader, NamesFileAndLineOfWhatItRefuses) {
  EXPECT_EQ(refusal_of("x = 1\n"),
            "configuration file \"x.conf\", line 1: a section header such as [barman] must come "
            "first");
  EXPECT_EQ(refusal_of("# c\n[a]\nsecret\n"),
            "configuration file \"x.conf\", line 3: neither a section header nor \"key = value\"");
  EXPECT_EQ(refusal_of("[a]\n= 1\n"),
            "configuration file \"x.conf\", line 2: there is no key before the delimiter");
  EXPECT_EQ(refusal_of("[]\n"), "configuration file \"x.conf\", line 1: the section has no name");
  EXPECT_EQ(refusal_of(std::string_view("[a]\nk=\0\n", 8)),
            "configuration file \"x.conf\", line 2: the line contains a NUL byte");
  EXPECT_EQ(refusal_of(""), "accepted");
}

}  // namespace
}  // namespace barman::config
