#include "support/page.h"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <regex>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "support/temp_dir.h"
#include "support/two_hosts.h"

namespace barman::test {
namespace {

constexpr const char* kAnything = "...";

// What the comments before a block say of it.
struct BlockRules {
  std::optional<PageStep> reader;  // the command that has the block as its input
  bool is_repeated = false;
  bool fails = false;
  bool is_skipped = false;
};

// Pages show Debian 12 with its PostgreSQL 15; on Debian 13 its own stands there.
std::string as_on_this_debian(const std::string& text) {
  static const std::regex version(R"((^|[ /-])15(?=[ /-]|$))", std::regex::multiline);
  const std::string major = TwoHosts::postgres_major();
  return major.empty() ? text : std::regex_replace(text, version, "$01" + major);
}

// The command of a line with a prompt.
std::optional<PageStep> find_command(const std::string& line) {
  static const std::regex shell(R"(^([a-z_]+)@([a-z0-9]+)[$#] (.*)$)");
  static const std::regex sql(R"(^([a-z]+)=# (.*)$)");
  std::smatch parts;
  if (std::regex_match(line, parts, shell)) {
    return PageStep{.line = 0,
                    .user = parts[1],
                    .host = parts[2],
                    .command = parts[3],
                    .input = {},
                    .expected = {},
                    .value = {}};
  }
  if (std::regex_match(line, parts, sql)) {
    return PageStep{.line = 0,
                    .user = "postgres",
                    .host = "pg",
                    .command = fmt::format("psql -X -v ON_ERROR_STOP=1 -d {}", parts[1].str()),
                    .input = parts[2].str() + "\n",
                    .expected = {},
                    .value = {},
                    .is_exact = true};
  }
  return std::nullopt;
}

class PageReader {
 public:
  explicit PageReader(const std::filesystem::path& file)
      : file_(file), lines_(split(as_on_this_debian(read_text(file)), '\n')) {}

  Page read() {
    while (at_ < lines_.size()) {
      const std::string line = lines_[at_++];
      if (line.starts_with("<!-- ") && line.ends_with(" -->")) {
        take_comment(line.substr(5, line.size() - 9));
      } else if (line.starts_with("```")) {
        take_block(line.substr(3));
      }
    }
    if (page_.hosts.empty()) page_.hosts = {"backup", "pg"};
    return std::move(page_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::internal, fmt::format("{}:{}: {}", file_.string(), at_, what));
  }

  PageStep command_of(const std::string& text) const {
    std::optional<PageStep> step = find_command(text);
    if (!step) fail("no command with a prompt: " + text);
    step->line = static_cast<int>(at_);
    return *std::move(step);
  }

  void take_needs(const std::string& text) {
    const std::vector<std::string> words = split_blanks(text);
    if (words.empty() || (words.size() > 1 && words[1] != "on")) fail("needs: SETUP [on HOST...]");
    page_.setup = words[0];
    for (std::size_t word = 2; word < words.size(); ++word) page_.hosts.push_back(words[word]);
  }

  void take_value(const std::string& text) {
    const std::size_t end = text.find("\" ");
    if (!text.starts_with('"') || end == std::string::npos) fail("value \"TEXT\" PROMPT COMMAND");
    PageStep step = command_of(text.substr(end + 2));
    step.value = text.substr(1, end - 1);
    page_.steps.push_back(std::move(step));
  }

  void take_comment(const std::string& text) {
    const std::size_t blank = text.find(' ');
    const std::string word = text.substr(0, blank);
    const std::string rest = blank == std::string::npos ? "" : text.substr(blank + 1);
    if (word == "needs:") {
      take_needs(rest);
    } else if (word == "run") {
      page_.steps.push_back(command_of(rest));
    } else if (word == "value") {
      take_value(rest);
    } else if (word == "stdin") {
      rules_.reader = command_of(rest);
    } else if (word == "until") {
      rules_.is_repeated = true;
    } else if (word == "fails") {
      rules_.fails = true;
    } else if (text.starts_with("not run: ")) {
      rules_.is_skipped = true;
    } else {
      fail("this comment is not understood: " + text);
    }
  }

  void take_block(const std::string& language) {
    const BlockRules rules = std::exchange(rules_, {});
    const std::size_t begin = at_;
    while (at_ < lines_.size() && !lines_[at_].starts_with("```")) ++at_;
    if (at_ == lines_.size()) fail("a block does not end");
    const std::size_t end = at_++;
    if (rules.is_skipped) return;
    if (rules.reader) {
      PageStep step = *rules.reader;
      for (std::size_t line = begin; line < end; ++line) step.input += lines_[line] + "\n";
      page_.steps.push_back(std::move(step));
    } else if (language == "console") {
      take_console(begin, end, rules);
    } else {
      at_ = begin;
      fail("a block that nobody runs: make it a console, or the input of a command, or say why");
    }
  }

  void take_console(std::size_t begin, std::size_t end, const BlockRules& rules) {
    bool has_command = false;
    bool goes_on = false;
    for (std::size_t line = begin; line < end; ++line) {
      const std::string& text = lines_[line];
      std::optional<PageStep> step = goes_on ? std::nullopt : find_command(text);
      if (step) {
        step->line = static_cast<int>(line) + 1;
        step->is_repeated = rules.is_repeated;
        step->fails = rules.fails;
        page_.steps.push_back(*std::move(step));
        has_command = true;
      } else if (!has_command) {
        at_ = line + 1;
        fail("a console block begins without a prompt");
      } else if (goes_on) {
        page_.steps.back().command += "\n" + text;
      } else {
        page_.steps.back().expected.push_back(text);
        continue;
      }
      goes_on = text.ends_with('\\');
    }
  }

  std::filesystem::path file_;
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
  BlockRules rules_;
  Page page_;
};

// What differs from run to run is made equal: positions and names of WAL, numbers with their units.
std::string without_numbers(std::string text) {
  static const std::vector<std::pair<std::regex, std::string>> rules = {
      {std::regex(R"(\b[0-9A-F]+/[0-9A-F]+\b)"), "1"},
      {std::regex(R"(\b[0-9A-F]{24}\b)"), "1"},
      {std::regex(R"(\b\d{8}T\d{6}\b)"), "1"},
      {std::regex(
           R"(\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b)"),
       "1"},
      {std::regex(R"(\d+([.:,-]\d+)*)"), "1"},
      {std::regex(R"(\b1 ?([KMG]i?B|B|bytes?)\b)"), "1 B"},
      {std::regex(R"(\b1 (second|minute|hour|file)s?\b)"), "1 $1s"},
      {std::regex(R"(\b1( ?ms| ?s)\b)"), "1 s"},
      {std::regex("less than one second"), "1 seconds"},
      {std::regex(R"(\s+)"), " "}};
  for (const auto& [pattern, replacement] : rules) {
    text = std::regex_replace(text, pattern, replacement);
  }
  return text;
}

// "..." stands for any text.
bool is_line_as_shown(std::string_view shown, std::string_view line) {
  const std::size_t gap = shown.find(kAnything);
  if (gap == std::string_view::npos) return shown == line;
  if (!line.starts_with(shown.substr(0, gap))) return false;
  line.remove_prefix(gap);
  shown.remove_prefix(gap + 3);
  for (std::size_t from = 0; from <= line.size(); ++from) {
    if (is_line_as_shown(shown, line.substr(from))) return true;
  }
  return false;
}

bool are_lines_as_shown(const std::vector<std::string>& shown, std::size_t next_shown,
                        const std::vector<std::string>& lines, std::size_t next_line) {
  if (next_shown == shown.size()) return next_line == lines.size();
  if (shown[next_shown] == kAnything) {
    for (std::size_t from = next_line; from <= lines.size(); ++from) {
      if (are_lines_as_shown(shown, next_shown + 1, lines, from)) return true;
    }
    return false;
  }
  return next_line < lines.size() && is_line_as_shown(shown[next_shown], lines[next_line]) &&
         are_lines_as_shown(shown, next_shown + 1, lines, next_line + 1);
}

std::vector<std::string> comparable(const std::vector<std::string>& lines, bool is_exact) {
  std::vector<std::string> made;
  for (const std::string& line : lines) {
    std::string text(strip(line));
    if (text.empty()) continue;
    made.push_back(is_exact ? std::move(text) : without_numbers(std::move(text)));
  }
  return made;
}

}  // namespace

Page load_page(const std::filesystem::path& file) { return PageReader(file).read(); }

bool is_as_shown(const PageStep& step, std::string_view output) {
  if (step.expected.empty()) return true;
  return are_lines_as_shown(comparable(step.expected, step.is_exact), 0,
                            comparable(split(std::string(output), '\n'), step.is_exact), 0);
}

}  // namespace barman::test
