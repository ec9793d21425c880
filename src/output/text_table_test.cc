#include "output/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "output/terminal.h"

namespace barman::output {
namespace {

using ::testing::ElementsAre;

std::string plain(std::string_view text, Color) { return std::string(text); }
std::string marked(std::string_view text, Color color) {
  return (color == Color::red ? "<R>" : "<G>") + std::string(text) + "</>";
}

TextTable sample() {
  return {.columns = {{.title = "Name"},
                      {.title = "Size", .align = Align::right, .dispensability = 1},
                      {.title = "Note", .dispensability = 2},
                      {.title = "End"}},
          .rows = {{{"a"}, {"5 B"}, {}, {"now", Color::green}},
                   {{"longer"}, {"100 KiB"}, {"hm"}, {"late", Color::red}}}};
}

TEST(TextTable, AlignsColumnsWithoutBlanksAtTheEnd) {
  EXPECT_THAT(format_table(sample(), 80, plain),
              ElementsAre("Name       Size  Note  End",  //
                          "a           5 B        now", "longer  100 KiB  hm    late"));
}

TEST(TextTable, PaintsTheTextOnly) {
  EXPECT_THAT(format_table(sample(), 80, marked),
              ElementsAre("Name       Size  Note  End",  //
                          "a           5 B        <G>now</>", "longer  100 KiB  hm    <R>late</>"));
}

TEST(TextTable, LeavesOutWhatIsLeastNeededUntilItFits) {
  EXPECT_THAT(format_table(sample(), 27, plain).front(), "Name       Size  Note  End");
  EXPECT_THAT(format_table(sample(), 26, plain),
              ElementsAre("Name       Size  End", "a           5 B  now", "longer  100 KiB  late"));
  EXPECT_THAT(format_table(sample(), 20, plain), ElementsAre("Name    End", "a       now",  //
                                                             "longer  late"));
  EXPECT_THAT(format_table(sample(), 1, plain).front(), "Name    End");
}

TEST(TextTable, LeavesOutColumnsWithoutText) {
  TextTable table = sample();
  table.rows.pop_back();
  EXPECT_THAT(format_table(table, 80, plain), ElementsAre("Name  Size  End", "a      5 B  now"));
}

TEST(TextTable, CountsCharactersNotBytes) {
  EXPECT_EQ(display_width("Größe"), 5U);
  const TextTable table = {.columns = {{.title = "N"}, {.title = "E"}},
                           .rows = {{{"Größe"}, {"x"}}, {{"Grase"}, {"y"}}}};
  EXPECT_THAT(format_table(table, 80, plain), ElementsAre("N      E", "Größe  x", "Grase  y"));
}

TEST(TextTable, NamesCannotMoveTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\x7f"), "a?[2Jb??");
  EXPECT_EQ(printable("\xc2\x9b\x31m"), "?1m");
  EXPECT_EQ(printable("Größe"), "Größe");
}

TEST(Terminal, KnowsLocalesOfUtf8) {
  EXPECT_TRUE(is_utf8_locale("de_DE.UTF-8"));
  EXPECT_TRUE(is_utf8_locale("C.utf8"));
  EXPECT_TRUE(is_utf8_locale("de_DE.utf8@euro"));
  EXPECT_FALSE(is_utf8_locale("C"));
  EXPECT_FALSE(is_utf8_locale("POSIX"));
  EXPECT_FALSE(is_utf8_locale("de_DE.ISO-8859-1"));
  EXPECT_FALSE(find_terminal(-1).has_value());
}

}  // namespace
}  // namespace barman::output
