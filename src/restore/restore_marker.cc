#include "restore/restore_marker.h"

#include <unistd.h>

#include <cerrno>
#include <limits>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;

std::string escape(const std::string& path) {
  return replace_all(replace_all(path, "\\", "\\\\"), "\n", "\\n");
}

std::string unescape(std::string_view text) {
  std::string path;
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '\\' || index + 1 == text.size()) {
      path += text[index];
      continue;
    }
    ++index;
    path += text[index] == 'n' ? '\n' : text[index];
  }
  return path;
}

// "16384:/srv/ts"
void add_marked_tablespace(const std::string& value, RestoreMarker& marker) {
  const std::size_t colon = value.find(':');
  if (colon == std::string::npos) return;
  const std::optional<std::int64_t> oid = parse_integer(value.substr(0, colon));
  fs::path place = unescape(value.substr(colon + 1));
  if (!oid || *oid <= 0 || *oid > std::numeric_limits<std::uint32_t>::max()) return;
  if (place.is_absolute()) marker.tablespaces[static_cast<std::uint32_t>(*oid)] = std::move(place);
}

}  // namespace

std::string format_restore_marker(const RestoreMarker& marker) {
  std::string text =
      fmt::format("server_name={}\nbackup_id={}\n", marker.server_name, marker.backup_id.value);
  if (!marker.destination.empty()) {
    text += fmt::format("destination={}\n", escape(marker.destination.string()));
  }
  for (const auto& [oid, place] : marker.tablespaces) {
    text += fmt::format("tablespace={}:{}\n", oid, escape(place.string()));
  }
  if (marker.staging_wal) {
    text += fmt::format("staging_wal={}\n", escape(marker.staging_wal->string()));
  }
  return text;
}

std::optional<RestoreMarker> parse_restore_marker(const std::string& text) {
  RestoreMarker marker;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (key == "server_name") marker.server_name = value;
    if (key == "backup_id") marker.backup_id = {value};
    if (key == "destination") marker.destination = unescape(value);
    if (key == "tablespace") add_marked_tablespace(value, marker);
    if (key == "staging_wal" && value.starts_with('/')) marker.staging_wal = unescape(value);
  }
  if (marker.server_name.empty() || marker.backup_id.value.empty()) return std::nullopt;
  return marker;
}

void write_restore_marker(const fs::path& directory, const RestoreMarker& marker) {
  write_file_durably(directory / kRestoreMarkerName, format_restore_marker(marker), 0600);
}

std::optional<RestoreMarker> find_restore_marker(const fs::path& directory) {
  const std::optional<std::string> text = find_and_read_file(directory / kRestoreMarkerName);
  return text ? parse_restore_marker(*text) : std::nullopt;
}

void remove_restore_marker(const fs::path& directory) {
  const fs::path path = directory / kRestoreMarkerName;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_errno(fmt::format("cannot remove \"{}\"", path.string()));
  }
}

}  // namespace barman::restore
