// Several configuration files merged: later files override earlier ones, key by key. Each setting
// remembers its file. Values are interpolated when they are asked for, so that %(key)s sees all
// files.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/ini_reader.h"

namespace barman::config {

inline constexpr std::string_view kGlobalSection = "barman";

struct IniSetting {
  std::string raw;
  std::string file;
  std::size_t line_number = 0;
  // The same setting, on whatever line.
  bool operator==(const IniSetting& other) const { return raw == other.raw && file == other.file; }
};

using IniKeys = std::map<std::string, IniSetting, std::less<>>;

struct IniValue {
  std::string text;
  // Why the value cannot be used: it refers to a key that does not exist.
  std::optional<std::string> problem;
};

class IniDocument {
 public:
  // `file` is remembered as the source of each setting.
  void merge(const IniFile& content, const std::string& file);

  bool has_section(std::string_view section) const;
  // In order of name, without [DEFAULT].
  std::vector<std::string> section_names() const;
  const IniKeys& keys(std::string_view section) const;
  const IniSetting* find_setting(std::string_view section, std::string_view key) const;

  // The value after interpolation, with one pair of quotes around the whole removed. %(key)s is
  // looked up in the section, [DEFAULT], [barman] and among the built-in "name" and "barman_home".
  std::optional<IniValue> find_value(std::string_view section, std::string_view key) const;

 private:
  struct Expansion;
  void expand(Expansion& state, std::string_view raw, std::size_t depth) const;
  void expand_key(Expansion& state, std::string_view key, std::size_t depth) const;

  std::map<std::string, IniKeys, std::less<>> sections_;
};

// Removes one pair of quotes around the whole of a one-line value.
std::string_view unquote(std::string_view text);

}  // namespace barman::config
