#include "backup/cluster_facts.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "postgres/versions.h"
#include "replication/system_identity.h"

namespace barman::backup {
namespace {

using postgres::TablespaceRow;

// In-place tablespaces have archives of their own.
constexpr int kFirstVersionWithInPlace = postgres::kVersion16;
// What fits into a header of a tar archive.
constexpr std::size_t kLongestLink = 99;

bool is_in_place(const TablespaceRow& tablespace) { return !tablespace.location.starts_with('/'); }

}  // namespace

postgres::ServerSettings take_facts(postgres::Connection& connection, catalogue::BackupInfo& info,
                                    std::vector<TablespaceRow>& tablespaces) {
  postgres::ServerSettings settings = postgres::query_settings(connection);
  info.pgdata = settings.data_directory;
  info.version = connection.server_version();
  info.xlog_segment_size = settings.segment_size;
  info.config_file = settings.config_file;
  info.hba_file = settings.hba_file;
  info.ident_file = settings.ident_file;
  info.included_files = settings.included_files;
  info.data_checksums = settings.data_checksums;
  info.summarize_wal = settings.summarize_wal;
  tablespaces = postgres::list_tablespaces(connection);
  if (postgres::query_privileges(connection).backup) {
    info.cluster_size = static_cast<std::int64_t>(postgres::query_cluster_size(connection));
  }
  return settings;
}

void take_announcement(postgres::Connection& connection, const replication::BackupBegin& begin,
                       replication::TablespaceMap map, catalogue::BackupInfo& info,
                       std::vector<TablespaceRow>& tablespaces) {
  const std::vector<TablespaceRow> listed_before = tablespaces;
  take_facts(connection, info, tablespaces);
  const auto lost = std::find_if(tablespaces.begin(), tablespaces.end(), is_in_place);
  if (lost != tablespaces.end() && map == replication::TablespaceMap::yes &&
      connection.server_version() < kFirstVersionWithInPlace) {
    throw Error(ErrorKind::conflict,
                fmt::format("tablespace \"{}\" was made in place when the backup had begun, and is "
                            "not part of it",
                            lost->name),
                "Take the backup again.");
  }
  info.tablespaces = name_tablespaces(begin.archives, tablespaces, listed_before);
}

std::vector<catalogue::Tablespace> name_tablespaces(
    const std::vector<replication::BackupArchive>& archives,
    const std::vector<TablespaceRow>& listed, const std::vector<TablespaceRow>& listed_before) {
  const auto name_of = [&](std::uint32_t oid) {
    for (const auto* list : {&listed, &listed_before}) {
      for (const TablespaceRow& tablespace : *list) {
        if (tablespace.oid == oid) return tablespace.name;
      }
    }
    return std::to_string(oid);
  };
  std::vector<catalogue::Tablespace> tablespaces;
  for (const replication::BackupArchive& archive : archives) {
    // One in place is a directory below the data directory, and is backed up and restored with it.
    if (archive.is_base() || archive.is_in_place()) continue;
    tablespaces.push_back(
        {.name = name_of(archive.oid), .oid = archive.oid, .location = archive.location});
  }
  return tablespaces;
}

replication::TablespaceMap choose_tablespace_map(const std::vector<TablespaceRow>& tablespaces,
                                                 catalogue::StoredForm format, int server_version) {
  const bool has_in_place = std::any_of(tablespaces.begin(), tablespaces.end(), is_in_place);
  const bool has_long = std::any_of(
      tablespaces.begin(), tablespaces.end(),
      [](const TablespaceRow& tablespace) { return tablespace.location.size() > kLongestLink; });
  const bool is_wanted = format == catalogue::StoredForm::tar || has_long;
  const bool harms = has_in_place && server_version < kFirstVersionWithInPlace;
  return is_wanted && !harms ? replication::TablespaceMap::yes : replication::TablespaceMap::no;
}

void require_same_cluster(const catalogue::BackupInfo& info, postgres::Connection& connection) {
  const std::string system_id =
      postgres::format_system_id(replication::identify_system(connection).system_id);
  if (info.systemid == system_id) return;
  throw Error(ErrorKind::config,
              fmt::format("the backup was begun of the cluster with system identifier {}, but now "
                          "PostgreSQL answers with {}",
                          info.systemid.value_or("None"), system_id),
              "Correct streaming_conninfo, then take the backup again.");
}

}  // namespace barman::backup
