// The syntax of a configuration file (docs/formats/barman_conf.md), nothing of its meaning:
// sections and raw values in file order. Interpolation and quotes belong to IniDocument.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace barman::config {

struct IniEntry {
  std::string key;    // lower case
  std::string value;  // continuation lines joined by '\n'
  std::size_t line_number = 0;
  std::size_t last_line_number = 0;  // greater for a value of several lines
};

struct IniSection {
  std::string name;
  std::vector<IniEntry> entries;  // a repeated key stays: the last one wins
  std::size_t line_number = 0;
};

struct IniFile {
  std::vector<IniSection> sections;  // a repeated section stays
};

// Throws Error(config) naming `name` and the line. The text of the line is not repeated: it may be
// a secret.
IniFile parse_ini(std::string_view text, const std::string& name);

}  // namespace barman::config
