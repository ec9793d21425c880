#include "config/ini_document.h"

#include <string>

#include <gtest/gtest.h>

namespace barman::config {
namespace {

IniDocument document_of(std::string_view text) {
  IniDocument document;
  document.merge(parse_ini(text, "main.conf"), "main.conf");
  return document;
}

std::string expand(std::string_view value) {
  const IniDocument document =
      document_of("[barman]\nbarman_home = '/srv/b'\n[s]\nw = %(v)s!\nv = " + std::string(value) +
                  "\nplain = text\n");
  return document.find_value("s", "v")->text;
}

TEST(IniDocument, LaterFilesOverrideKeyByKey) {
  IniDocument document = document_of("[a]\nx = 1\ny = 2\n");
  document.merge(parse_ini("[a]\ny = 3\n[b]\nz = 4\n", "inc.conf"), "inc.conf");
  EXPECT_EQ(document.find_value("a", "x")->text, "1");
  EXPECT_EQ(document.find_value("a", "y")->text, "3");
  EXPECT_EQ(document.find_setting("a", "x")->file, "main.conf");
  EXPECT_EQ(document.find_setting("a", "y")->file, "inc.conf");
  EXPECT_EQ(document.section_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(document.find_value("a", "z"));
}

TEST(IniDocument, MergesRepeatedSectionsAndTakesTheLastKey) {
  const IniDocument document = document_of("[a]\nx = 1\n[b]\n[a]\nx = 2\nx = 3\n");
  EXPECT_EQ(document.find_value("a", "x")->text, "3");
}

TEST(IniDocument, DefaultSectionCoversItsOwnFile) {
  IniDocument document = document_of("[DEFAULT]\nx = 1\n[a]\n[b]\nx = 2\n");
  document.merge(parse_ini("[c]\n", "c.conf"), "c.conf");
  EXPECT_EQ(document.find_value("a", "x")->text, "1");
  EXPECT_EQ(document.find_value("b", "x")->text, "2");
  EXPECT_FALSE(document.find_value("c", "x"));
  EXPECT_FALSE(document.has_section("DEFAULT"));
}

TEST(IniDocument, RemovesOnePairOfQuotes) {
  EXPECT_EQ(expand("\"'x y'\""), "'x y'");
  EXPECT_EQ(expand("'a' 'b'"), "a' 'b");
  EXPECT_EQ(expand("'open"), "'open");
  EXPECT_EQ(expand("\"  kept  \""), "  kept  ");
  EXPECT_EQ(expand("'"), "'");
}

TEST(IniDocument, InterpolatesFromSectionGlobalAndBuiltIn) {
  EXPECT_EQ(expand("%(plain)s/%(PLAIN)s"), "text/text");
  EXPECT_EQ(expand("%(barman_home)s/%(name)s"), "/srv/b/s");
  EXPECT_EQ(document_of("[s]\na = %(b)s\nb = %(c)s\nc = 1\n").find_value("s", "a")->text, "1");
}

TEST(IniDocument, TakesPercentSignsAsTheyCome) {
  EXPECT_EQ(expand("100%"), "100%");
  EXPECT_EQ(expand("100%%"), "100%");
  EXPECT_EQ(expand("100%%%%"), "100%");
  EXPECT_EQ(expand("postgresql://u:p%40x@host/db"), "postgresql://u:p%40x@host/db");
  EXPECT_EQ(expand("%%%%(plain)s"), "%(plain)s");
  EXPECT_EQ(expand("%(plain"), "%(plain");
}

TEST(IniDocument, ReportsBadReferencesWithoutThrowing) {
  const IniDocument document = document_of("[s]\na = %(nope)s\nloop = %(loop)s\n");
  EXPECT_EQ(document.find_value("s", "a")->problem,
            "Bad value substitution: there is no key 'nope' (key 'a' in section 's')");
  EXPECT_EQ(document.find_value("s", "loop")->problem,
            "Bad value substitution: 'loop' refers to itself (key 'loop' in section 's')");
}

TEST(IniDocument, BoundsTheSizeOfExpansions) {
  std::string text = "[s]\na0 = " + std::string(1000, 'x') + "\n";
  for (int i = 1; i < 9; ++i) {
    text += "a" + std::to_string(i) + " = ";
    for (int j = 0; j < 20; ++j) text += "%(a" + std::to_string(i - 1) + ")s";
    text += "\n";
  }
  const auto value = document_of(text).find_value("s", "a8");
  EXPECT_TRUE(value->problem);
  EXPECT_LE(value->text.size(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace barman::config
