#include "pipeline/relative_path.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::pipeline {

bool is_safe_relative_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::filesystem::path path_below(const std::filesystem::path& directory, std::string_view told,
                                 std::string_view teller) {
  if (is_safe_relative_path(told)) return directory / told;
  throw Error(ErrorKind::corrupt,
              fmt::format("{} names \"{}\", which is no path below \"{}\"", teller, told,
                          directory.string()),
              "Nothing was written there; find out who has changed it.");
}

std::optional<std::uint32_t> tablespace_oid_of(std::string_view path) {
  if (!path.starts_with(kTablespaceLinks)) return std::nullopt;
  const std::string_view digits = path.substr(kTablespaceLinks.size());
  std::uint32_t oid = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, oid);
  if (error != std::errc() || stop != end || digits.front() == '0') return std::nullopt;
  return oid;
}

std::string in_place_location(std::uint32_t oid) {
  return fmt::format("{}{}", kTablespaceLinks, oid);
}

bool is_tablespace_location(std::string_view location, std::uint32_t oid) {
  if (location.starts_with('/')) return location.find('\0') == std::string_view::npos;
  return oid != 0 && tablespace_oid_of(location) == oid;
}

}  // namespace barman::pipeline
