#include "restore/restore_marker.h"

#include <unistd.h>

#include <cerrno>
#include <map>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace barman::restore {

void write_restore_marker(const std::filesystem::path& directory, const RestoreMarker& marker) {
  write_file_durably(
      directory / kRestoreMarkerName,
      fmt::format("server_name={}\nbackup_id={}\n", marker.server_name, marker.backup_id.value),
      0600);
}

std::optional<RestoreMarker> find_restore_marker(const std::filesystem::path& directory) {
  const std::optional<std::string> text = find_and_read_file(directory / kRestoreMarkerName);
  if (!text) return std::nullopt;
  std::map<std::string, std::string> values;
  for (const std::string& line : split(*text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  if (values["server_name"].empty() || values["backup_id"].empty()) return std::nullopt;
  return RestoreMarker{values["server_name"], {values["backup_id"]}};
}

void remove_restore_marker(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kRestoreMarkerName;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_errno(fmt::format("cannot remove \"{}\"", path.string()));
  }
}

}  // namespace barman::restore
