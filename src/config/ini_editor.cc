#include "config/ini_editor.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "config/ini_document.h"
#include "config/ini_reader.h"

namespace barman::config {
namespace {

// Lines with their ends. Line numbers begin at 1.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
      const std::size_t size = end + (text.substr(end, 2) == "\r\n" ? 2U : 1U);
      lines_.emplace_back(text.substr(0, size));
      text.remove_prefix(std::min(text.size(), size));
    }
  }

  void replace(std::size_t first, std::size_t last, std::string line) {
    const auto begin = lines_.begin() + static_cast<std::ptrdiff_t>(first) - 1;
    *begin = std::move(line);
    lines_.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(last - first) + 1);
  }
  void insert_after(std::size_t number, std::string line) {
    if (number > 0) end_line(number);
    lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(number), std::move(line));
  }
  void append(std::string line) { insert_after(lines_.size(), std::move(line)); }
  bool is_empty() const { return lines_.empty(); }

  std::string text() const {
    std::string text;
    for (const std::string& line : lines_) text += line;
    return text;
  }

 private:
  // The last line of a file may have no end.
  void end_line(std::size_t number) {
    std::string& line = lines_[number - 1];
    if (!line.ends_with('\n') && !line.ends_with('\r')) line.push_back('\n');
  }

  std::vector<std::string> lines_;
};

// What the file sets, to see that one setting has changed and nothing else.
IniDocument document_of(const IniFile& file, const std::string& name) {
  IniDocument document;
  document.merge(file, name);
  return document;
}

bool says_the_same(const IniDocument& before, const IniDocument& after, std::string_view section,
                   std::string_view key, std::string_view value) {
  const IniSetting* changed = after.find_setting(section, key);
  if (changed == nullptr || changed->raw != value) return false;
  for (const std::string& name : after.section_names()) {
    IniKeys expected = before.keys(name);
    if (name == section) expected.insert_or_assign(std::string(key), *changed);
    if (expected != after.keys(name)) return false;
  }
  return true;
}

}  // namespace

std::string set_ini_value(std::string_view text, std::string_view section, std::string_view key,
                          std::string_view value, const std::string& name) {
  const IniFile file = parse_ini(text, name);
  const IniSection* target = nullptr;
  const IniEntry* current = nullptr;
  for (const IniSection& candidate : file.sections) {
    if (candidate.name != section) continue;
    target = &candidate;
    for (const IniEntry& entry : candidate.entries) {
      if (entry.key == key) current = &entry;
    }
  }
  Lines lines(text);
  std::string setting = fmt::format("{} = {}\n", key, value);
  if (current != nullptr) {
    lines.replace(current->line_number, current->last_line_number, std::move(setting));
  } else if (target != nullptr) {
    const std::size_t last =
        target->entries.empty() ? target->line_number : target->entries.back().last_line_number;
    lines.insert_after(last, std::move(setting));
  } else {
    const bool is_first = lines.is_empty();
    lines.append(fmt::format("{}[{}]\n", is_first ? "" : "\n", section));
    lines.append(std::move(setting));
  }
  std::string result = lines.text();
  if (!says_the_same(document_of(file, name), document_of(parse_ini(result, name), name), section,
                     key, value)) {
    throw Error(ErrorKind::config,
                fmt::format("cannot change '{}' in section [{}] of \"{}\"", key, section, name),
                "Change the file by hand.");
  }
  return result;
}

}  // namespace barman::config
