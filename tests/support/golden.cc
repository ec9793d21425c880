#include "support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "base/fd.h"
#include "base/text.h"
#include "support/privileges.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

struct Pattern {
  std::regex expression;
  const char* word;
};

std::regex expression(const char* text) {
  return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
}

// The order matters: the longer form of a thing comes before its parts.
const std::vector<Pattern>& patterns() {
  static const std::vector<Pattern> list{
      {expression(
           R"re((Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4})re"),
       "<CTIME>"},
      {expression(R"re(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d\d(:\d\d)?)re"), "<TIME+ZONE>"},
      {expression(R"re(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d(:\d\d)?)re"), "<TIME+ZONE>"},
      {expression(R"re(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?)re"), "<TIME>"},
      {expression(R"re(\b\d{8}T\d{6}\b)re"), "<ID>"},
      {expression(R"re(\b[0-9A-F]{24}\b)re"), "<WAL>"},
      {expression(R"re(\b[0-9A-F]+/[0-9A-F]{6,8}\b)re"), "<LSN>"},
      {expression(R"re(<WAL>, [0-9A-F]{8}\))re"), "<WAL>, <OFFSET>)"},
      {expression(R"re(\b\d{19}\b)re"), "<SYSTEMID>"},
      {expression(R"re(-?\b\d+(\.\d)? ([KMGT]i)?B/s)re"), "<RATE>"},
      {expression(R"re(-?\b\d+(\.\d)? ([KMGT]i)?B\b)re"), "<SIZE>"},
      {expression(R"re(=\d+B\b)re"), "=<SIZE>"},
      {expression(R"re(\d+\.\d\d/hour)re"), "<RATE>"},
      {expression(R"re(less than one second|\d+ minutes?, \d+ seconds?|\d+ (second|minute)s?\b)re"),
       "<DURATION>"},
      {expression(R"re(\b1[3-8]00\d\d\b)re"), "<VERSION>"},
      {expression(R"re(\b1[3-8]\.\d+\b)re"), "<VERSION>"},
      {expression(R"re(("\w*(bytes|timestamp|seconds|per_second|_offset)": "?)-?[\d.e+-]+)re"),
       "$1<NUMBER>"},
      {expression(R"re((PID  : |_pid": |Port: |receive-wal\(|current_size(?:": "|: ))\d+)re"),
       "$1<NUMBER>"},
      {expression(R"re((Begin Offset|End Offset)( +): \d+)re"), "$1$2: <NUMBER>"},
      {expression(R"re(line \d+)re"), "line <NUMBER>"},
      {expression(R"re((WAL queue(": |: |", "message": "))\d+ segments?[^\n"]*)re"), "$1<QUEUE>"},
      {expression(R"re(archived up to <WAL>|nothing archived)re"), "archived up to <WAL>"},
      {expression(R"re("archived_wal": ("<WAL>"|null))re"), "\"archived_wal\": <WAL or null>"},
      {expression(
           R"re(("queue_files"|"archived_wals_per_second"|"queue_drained_in_seconds"): (null|[\d.]+|<NUMBER>))re"),
       "$1: <NUMBER>"},
      // How many segments are there at a moment is a matter of timing, and so is whether the next
      // partial segment is there already.
      {expression(R"re(from streaming for (\w+)( \(batch size: \d+\))?)re"),
       "from streaming for $1[ (batch size: <NUMBER>)]"},
      {expression(R"re((\t<WAL>( from server \w+ has been removed)?\n)(\1)+)re"), "$1"},
      {expression(R"re((Processing xlog segments [^\n]*\n\t<WAL>\n)(\1)+)re"), "$1"},
  };
  return list;
}

fs::path golden_file(const std::string& name) {
  const fs::path file = fs::path(BARMAN_GOLDEN_DIRECTORY) / name;
  return file.has_extension() ? file : fs::path(file.string() + ".txt");
}

void accept(const fs::path& file, const std::string& text) {
  if (!has_root()) {
    fs::create_directories(file.parent_path());
    write_text(file, text);
    return;
  }
  const ActAsRoot as_root;  // the checkout belongs to who has started the tests
  fs::create_directories(file.parent_path());
  write_text(file, text);
}

}  // namespace

void Normalizer::replace(const std::string& text, const std::string& word) {
  fixed_.emplace_back(text, word);
  std::ranges::stable_sort(fixed_, [](const auto& left, const auto& right) {
    return left.first.size() > right.first.size();
  });
}

std::string Normalizer::operator()(std::string text) const {
  for (const auto& [from, to] : fixed_) text = replace_all(text, from, to);
  for (const Pattern& pattern : patterns()) {
    text = std::regex_replace(text, pattern.expression, pattern.word);
  }
  return text;
}

std::string transcript(const CommandResult& result) {
  std::string text = result.out;
  if (!text.empty() && !text.ends_with('\n')) text += "\n--- no final newline\n";
  if (!result.err.empty()) text += "--- standard error\n" + result.err;
  if (result.exit_code != 0) text += "--- exit code " + std::to_string(result.exit_code) + "\n";
  return text;
}

void expect_golden(const std::string& name, const std::string& text) {
  const fs::path file = golden_file(name);
  if (std::getenv("BARMAN_ACCEPT") != nullptr) {
    accept(file, text);
    return;
  }
  const std::optional<std::string> expected = find_and_read_file(file);
  if (!expected) {
    ADD_FAILURE() << "no golden file " << file << "; the output is:\n" << text;
    return;
  }
  EXPECT_EQ(text, *expected) << "differs from " << file
                             << "; BARMAN_ACCEPT=1 rewrites it, review the difference";
}

fs::path fixture(const std::string& name) {
  return fs::path(BARMAN_GOLDEN_DIRECTORY).parent_path() / "fixtures" / name;
}

}  // namespace barman::test
