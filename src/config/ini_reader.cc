// Format: docs/formats/barman_conf.md
#include "config/ini_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\f\v";

// Takes the next line off `text`; LF, CR LF and CR end a line.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  const bool is_crlf = text.substr(end, 2) == "\r\n";
  text.remove_prefix(std::min(text.size(), end + (is_crlf ? 2U : 1U)));
  return line;
}

class Parser {
 public:
  explicit Parser(const std::string& name) : name_(name) {}

  void read_line(std::string_view line) {
    ++line_number_;
    if (line.find('\0') != std::string_view::npos) fail("the line contains a NUL byte");
    const std::string_view content = strip(line);
    if (content.empty()) {
      if (in_value_) ++pending_empty_lines_;
      return;
    }
    if (content.front() == '#' || content.front() == ';') return;
    const std::size_t indent = line.find_first_not_of(kBlanks);
    if (in_value_ && indent > indent_) return continue_value(content);
    indent_ = indent;
    pending_empty_lines_ = 0;
    if (content.front() == '[' && content.find(']') != std::string_view::npos) {
      open_section(content);
    } else {
      add_entry(content);
    }
  }

  IniFile take() { return std::move(file_); }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(ErrorKind::config,
                fmt::format("configuration file \"{}\", line {}: {}", name_, line_number_, reason),
                "Correct this line; a setting has the form \"key = value\".");
  }

  void open_section(std::string_view content) {
    const std::string_view section = content.substr(1, content.find(']') - 1);
    if (section.empty()) fail("the section has no name");
    file_.sections.push_back({std::string(section), {}, line_number_});
    in_value_ = false;
  }

  void add_entry(std::string_view content) {
    if (file_.sections.empty()) fail("a section header such as [barman] must come first");
    const std::size_t delimiter = content.find_first_of("=:");
    if (delimiter == std::string_view::npos) fail("neither a section header nor \"key = value\"");
    const std::string_view key = strip(content.substr(0, delimiter));
    if (key.empty()) fail("there is no key before the delimiter");
    const std::string_view value = strip(content.substr(delimiter + 1));
    file_.sections.back().entries.push_back(
        {to_lower(key), std::string(value), line_number_, line_number_});
    in_value_ = true;
  }

  // Empty lines belong to the value only if a continuation follows them.
  void continue_value(std::string_view content) {
    IniEntry& entry = file_.sections.back().entries.back();
    std::string& value = entry.value;
    entry.last_line_number = line_number_;
    value.append(pending_empty_lines_ + 1, '\n').append(content);
    pending_empty_lines_ = 0;
  }

  const std::string& name_;
  IniFile file_;
  std::size_t line_number_ = 0;
  std::size_t indent_ = 0;
  std::size_t pending_empty_lines_ = 0;
  bool in_value_ = false;
};

}  // namespace

IniFile parse_ini(std::string_view text, const std::string& name) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Parser parser(name);
  while (!text.empty()) parser.read_line(take_line(text));
  return parser.take();
}

}  // namespace barman::config
