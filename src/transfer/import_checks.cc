#include "transfer/import_checks.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "transfer/tarball.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {

using catalogue::BackupInfo;
using wal_archive::WalIndexEntry;

namespace {

std::string require_text(const Staging& content, const std::string& name) {
  std::optional<std::string> text = content.find_text(name);
  if (!text) {
    throw refused_tarball(fmt::format("Exported tarball does not contain a '{}' file", name));
  }
  return std::move(*text);
}

std::vector<WalIndexEntry> parse_index(const std::string& text) {
  std::vector<WalIndexEntry> entries;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto parsed = wal_archive::parse_wal_index_line(line);
    if (!parsed) {
      throw refused_tarball(fmt::format("'xlog.db' of the tarball has a wrong line: {}", line));
    }
    entries.push_back(parsed->entry());
  }
  return entries;
}

}  // namespace

void require_identity(const Staging& content, const catalogue::Identity& identity,
                      Messages& messages) {
  const nlohmann::json json =
      nlohmann::json::parse(require_text(content, "identity.json"), nullptr, false);
  const auto text_of = [&](const char* key) -> std::string {
    if (!json.is_object() || !json.contains(key)) return "";
    return json[key].is_string() ? json[key].get<std::string>() : json[key].dump();
  };
  if (text_of("systemid") != identity.system_id) {
    throw Error(ErrorKind::conflict,
                fmt::format("Server identity mismatch: exported backup has systemid '{}' but "
                            "target server has systemid '{}'",
                            text_of("systemid"), identity.system_id),
                "Import it into the server whose cluster it is of.");
  }
  if (text_of("version") != identity.version) {
    messages.warning(
        fmt::format("PostgreSQL version mismatch: exported backup has version '{}' but target "
                    "server has version '{}'",
                    text_of("version"), identity.version));
  }
}

BackupInfo load_imported_info(const Staging& content, const catalogue::BackupId& id) {
  for (const auto& [has, name] :
       {std::pair{content.has_backup(), "backup"}, std::pair{content.has_wals(), "wals"}}) {
    if (!has) {
      throw refused_tarball(
          fmt::format("Exported tarball does not contain a '{}/' directory", name));
    }
  }
  BackupInfo info = catalogue::parse_backup_info(require_text(content, catalogue::kBackupInfo), id,
                                                 catalogue::kBackupInfo);
  if (!info.unknown.empty()) {
    throw refused_tarball(fmt::format("backup.info of the tarball has an unknown key '{}'",
                                      info.unknown.begin()->first));
  }
  if (info.is_incremental()) {
    throw refused_tarball("The tarball holds an incremental backup, which cannot be imported");
  }
  if (info.status != catalogue::BackupStatus::done) {
    throw refused_tarball(fmt::format("The tarball holds a backup with status {}",
                                      catalogue::status_text(info.status)));
  }
  info.children_backup_ids.clear();
  return info;
}

std::vector<WalIndexEntry> list_required_wals(
    const Staging& content, const BackupInfo& info,
    const std::function<bool(const std::string& name)>& is_there) {
  const std::vector<WalIndexEntry> index = parse_index(require_text(content, "xlog.db"));
  std::vector<WalIndexEntry> wals;
  for (const std::string& name : wal_archive::required_segments(info)) {
    const auto line = std::find_if(index.begin(), index.end(),
                                   [&](const WalIndexEntry& entry) { return entry.name == name; });
    if (line == index.end() || !is_there(name)) {
      throw refused_tarball(
          fmt::format("Exported tarball does not contain the required WAL file {}", name));
    }
    wals.push_back(*line);
  }
  std::sort(wals.begin(), wals.end(),
            [](const WalIndexEntry& a, const WalIndexEntry& b) { return a.name < b.name; });
  return wals;
}

void require_no_conflicts(std::vector<std::string> names) {
  if (names.empty()) return;
  constexpr std::size_t kShown = 5;
  const std::size_t more = names.size() > kShown ? names.size() - kShown : 0;
  names.resize(names.size() - more);
  throw Error(
      ErrorKind::conflict,
      fmt::format("WAL file(s) already exist in target server with conflicting content: "
                  "{}{}",
                  fmt::join(names, ", "), more > 0 ? fmt::format(" (and {} more)", more) : ""),
      "The archive of this server belongs to another history, or stores WAL otherwise.");
}

Error already_there(const std::string& server_name, const catalogue::BackupId& id) {
  return {ErrorKind::conflict,
          fmt::format("Backup '{}' already exists in the catalog for server '{}'", id.value,
                      server_name),
          "It is there already; to replace it, delete it first."};
}

}  // namespace barman::transfer
