// Expected outputs of commands, kept in tests/golden/<command>/<case>.txt. What differs from run to
// run (ids, times, sizes, positions, paths) is replaced by a word in angle brackets before the
// comparison; labels, order, blanks and messages are not. BARMAN_ACCEPT=1 rewrites the files.
//
//   Normalizer words;
//   words.replace(barman.directory().string(), "<DIR>");
//   expect_golden("status/streaming", words(barman.run({"status", "main"}).out));
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/command.h"

namespace barman::test {

class Normalizer {
 public:
  // Fixed texts of this test; the longest is replaced first.
  void replace(const std::string& text, const std::string& word);
  std::string operator()(std::string text) const;

 private:
  std::vector<std::pair<std::string, std::string>> fixed_;
};

// Both streams and the exit code in one text: what a golden file of a command shows.
std::string transcript(const CommandResult& result);

// A failure of the test when `text` is not what the file says. `name` is "command/case", with an
// extension if it is not "txt".
void expect_golden(const std::string& name, const std::string& text);

// The file tests/fixtures/NAME.
std::filesystem::path fixture(const std::string& name);

}  // namespace barman::test
