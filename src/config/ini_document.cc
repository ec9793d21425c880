// Format: docs/formats/barman_conf.md
#include "config/ini_document.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::config {
namespace {

constexpr std::string_view kDefaultSection = "DEFAULT";
constexpr std::size_t kMaxDepth = 10;
constexpr std::size_t kMaxExpandedSize = std::size_t{1} << 20;

}  // namespace

// One value being expanded: where references are looked up, and the result so far.
struct IniDocument::Expansion {
  std::string_view section;
  IniValue value;

  void fail(std::string reason) {
    if (!value.problem) value.problem = std::move(reason);
  }
  bool has_room_for(std::string_view text) {
    if (value.text.size() + text.size() <= kMaxExpandedSize) return true;
    fail("Bad value substitution: the value becomes too long");
    return false;
  }
};

std::string_view unquote(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.front() == text.back() && text.find('\n') == std::string_view::npos;
  return quoted ? text.substr(1, text.size() - 2) : text;
}

void IniDocument::merge(const IniFile& content, const std::string& file) {
  IniKeys defaults;
  for (const IniSection& section : content.sections) {
    if (section.name != kDefaultSection) continue;
    for (const IniEntry& entry : section.entries)
      defaults.insert_or_assign(entry.key, IniSetting{entry.value, file, entry.line_number});
  }
  for (const auto& [key, setting] : defaults)
    sections_[std::string(kDefaultSection)].insert_or_assign(key, setting);

  std::map<std::string_view, IniKeys> merged;
  for (const IniSection& section : content.sections) {
    if (section.name == kDefaultSection) continue;
    const auto [position, is_new] = merged.try_emplace(section.name);
    if (is_new) position->second = defaults;
    for (const IniEntry& entry : section.entries)
      position->second.insert_or_assign(entry.key,
                                        IniSetting{entry.value, file, entry.line_number});
  }
  for (auto& [name, keys] : merged) {
    IniKeys& target = sections_[std::string(name)];
    for (auto& [key, setting] : keys) target.insert_or_assign(key, std::move(setting));
  }
}

bool IniDocument::has_section(std::string_view section) const {
  return section != kDefaultSection && sections_.find(section) != sections_.end();
}

std::vector<std::string> IniDocument::section_names() const {
  std::vector<std::string> names;
  for (const auto& [name, keys] : sections_)
    if (name != kDefaultSection) names.push_back(name);
  return names;
}

const IniKeys& IniDocument::keys(std::string_view section) const {
  static const IniKeys kNoKeys;
  const auto position = sections_.find(section);
  return position == sections_.end() ? kNoKeys : position->second;
}

const IniSetting* IniDocument::find_setting(std::string_view section, std::string_view key) const {
  const IniKeys& all = keys(section);
  const auto position = all.find(key);
  return position == all.end() ? nullptr : &position->second;
}

std::optional<IniValue> IniDocument::find_value(std::string_view section,
                                                std::string_view key) const {
  const IniSetting* setting = find_setting(section, key);
  if (setting == nullptr) return std::nullopt;
  if (setting->raw.find('%') == std::string::npos)
    return IniValue{std::string(unquote(setting->raw)), {}};
  Expansion state{section, {}};
  expand(state, setting->raw, 0);
  state.value.text = std::string(unquote(state.value.text));
  if (state.value.problem)
    state.value.problem =
        fmt::format("{} (key '{}' in section '{}')", *state.value.problem, key, section);
  return std::move(state.value);
}

// "%%%%" and "%%" both mean one percent sign: Barman reads each value twice, so that its users had
// to write four. A percent sign that begins nothing is itself.
void IniDocument::expand(Expansion& state, std::string_view raw, std::size_t depth) const {
  std::size_t i = 0;
  while (i < raw.size() && !state.value.problem) {
    const std::size_t percent = std::min(raw.find('%', i), raw.size());
    const std::string_view plain = raw.substr(i, percent - i);
    if (!state.has_room_for(plain)) return;
    state.value.text.append(plain);
    i = percent;
    if (i == raw.size()) return;
    const std::string_view rest = raw.substr(i);
    const std::size_t key_end = rest.find(")s");
    if (rest.starts_with("%%")) {
      state.value.text.push_back('%');
      i += rest.starts_with("%%%%") ? 4U : 2U;
    } else if (rest.starts_with("%(") && key_end != std::string_view::npos &&
               rest.find('\n') > key_end) {
      expand_key(state, to_lower(rest.substr(2, key_end - 2)), depth);
      i += key_end + 2;
    } else {
      state.value.text.push_back('%');
      ++i;
    }
  }
}

void IniDocument::expand_key(Expansion& state, std::string_view key, std::size_t depth) const {
  if (depth >= kMaxDepth) {
    state.fail(fmt::format("Bad value substitution: '{}' refers to itself", key));
    return;
  }
  for (const std::string_view section : {state.section, kDefaultSection, kGlobalSection}) {
    if (const IniSetting* setting = find_setting(section, key)) {
      expand(state, unquote(setting->raw), depth + 1);
      return;
    }
  }
  if (key == "name") {
    if (state.has_room_for(state.section)) state.value.text.append(state.section);
    return;
  }
  state.fail(fmt::format("Bad value substitution: there is no key '{}'", key));
}

}  // namespace barman::config
