#include "host/shell_word.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/process.h"

namespace barman::host {
namespace {

const std::array<std::string, 14> kWords = {
    "a b", "'",        "\"it's\"",          "a\nb\n", "\n",          "-rf",
    "--",  "$(false)", "`x`;&|<>*?[]!#~\\", "\\",     "Zürich/日本", "",
    "=ls", "\xff\xfe"};

std::string after_shells(std::string word, int shells) {
  for (int i = 0; i < shells; ++i) word = shell_word(word);
  std::string line = "printf '[%s]' " + word;
  for (int i = 1; i < shells; ++i) line = "eval \"printf '[%s]' \"" + word;
  return run_process({.argv = shell_command(line)}).standard_output;
}

TEST(ShellWord, EveryByteArrives) {
  for (const std::string& word : kWords) {
    EXPECT_EQ(after_shells(word, 1), "[" + word + "]");
    EXPECT_EQ(after_shells(word, 2), "[" + word + "]");
  }
}

// Forced commands and wrappers of restricted keys compare what they get.
TEST(ShellWord, OrdinaryNamesStayAsTheyAre) {
  for (const char* word : {"main", "/srv/main/base/20261102T000001", "000000010000000000000001",
                           "-c", "--format=pax", "b@h:1", "100%", "a,b", "{}", "+"}) {
    EXPECT_EQ(shell_word(word), word);
  }
  EXPECT_EQ(shell_word("a'b"), "'a'\\''b'");
}

}  // namespace
}  // namespace barman::host
