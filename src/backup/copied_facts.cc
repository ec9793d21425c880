#include "backup/copied_facts.h"

#include <thread>

#include <fmt/format.h>

#include "backup/close_wal.h"
#include "backup/cluster_facts.h"
#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_kind.h"
#include "postgres/backup_label.h"
#include "postgres/control_file.h"
#include "postgres/page_checksum.h"
#include "wal/wal_file_name.h"

namespace barman::backup {
namespace {

constexpr int kControlFileReads = 50;

}  // namespace

std::vector<OutsideFile> CopiedFacts::outside_files() const {
  std::vector<OutsideFile> files = list_outside_files(settings);
  std::erase_if(files, [](const OutsideFile& file) { return file.is_included(); });
  return files;
}

std::string CopiedFacts::included_files_warning() const {
  std::string list;
  for (const OutsideFile& file : list_outside_files(settings)) {
    if (file.is_included()) list += "\t" + file.path + "\n";
  }
  if (list.empty()) return "";
  return "The usage of include directives is not supported for files that reside outside PGDATA.\n"
         "Please manually backup the following files:\n" +
         list;
}

std::optional<wal::Lsn> CopiedFacts::checked_before(const catalogue::BackupInfo& info) const {
  if (catalogue::data_checksums_of(info) != catalogue::DataChecksums::on ||
      page_size != postgres::kPageSize) {
    return std::nullopt;
  }
  return info.begin_xlog;
}

CopiedFacts note_begin(postgres::Connection& connection, const postgres::LowLevelStart& start,
                       catalogue::BackupInfo& info) {
  CopiedFacts facts;
  // Behind the start: what is made later, WAL makes again.
  facts.settings = take_facts(connection, info, facts.tablespaces);
  if (!facts.settings.data_directory) {
    throw Error(ErrorKind::permission, "PostgreSQL does not tell where its data directory is",
                "Let the user of conninfo read all settings (role pg_monitor).");
  }
  for (const postgres::TablespaceRow& row : facts.tablespaces) {
    // One in place is a directory below the data directory.
    if (row.location.starts_with('/')) {
      info.tablespaces.push_back({.name = row.name, .oid = row.oid, .location = row.location});
    }
  }
  facts.page_size = postgres::query_postmaster(connection).page_size;
  info.timeline = postgres::query_current_timeline(connection);
  info.begin_time = start.time;
  info.begin_xlog = start.lsn;
  info.begin_wal = wal::segment_name(
      wal::segment_of(*info.timeline, start.lsn, info.xlog_segment_size), info.xlog_segment_size);
  info.begin_offset = wal::segment_offset(start.lsn, info.xlog_segment_size);
  return facts;
}

void note_end(postgres::Connection& connection, const postgres::LowLevelStop& stop,
              const std::string& label, catalogue::BackupInfo& info) {
  const postgres::BackupLabel parsed =
      in_context("\"backup_label\"", [&] { return postgres::parse_backup_label(label); });
  if (parsed.start_wal_location != info.begin_xlog) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("backup_label begins at {}, the backup at {}",
                    wal::format_lsn(parsed.start_wal_location), wal::format_lsn(*info.begin_xlog)),
        "Take the backup again.");
  }
  info.timeline = parsed.start_timeline;
  info.begin_wal = parsed.start_wal_file;
  info.backup_label = label;
  info.end_time = stop.time;
  info.end_xlog = stop.lsn;
  info.end_offset = wal::segment_offset(stop.lsn, info.xlog_segment_size);
  info.end_wal = last_segment_before(postgres::query_current_timeline(connection), stop.lsn,
                                     info.xlog_segment_size);
}

std::string read_live_control_file(const std::filesystem::path& path,
                                   const std::optional<std::string>& system_id) {
  for (int read = 1;; ++read) {
    std::string content = read_file(path);
    try {
      const postgres::ControlFile control = postgres::parse_control_file(as_bytes(content));
      if (postgres::format_system_id(control.system_id) == system_id) return content;
      throw Error(ErrorKind::conflict,
                  fmt::format("\"{}\" belongs to the cluster with system identifier {}, not {}",
                              path.string(), postgres::format_system_id(control.system_id),
                              system_id.value_or("None")),
                  "Check that conninfo leads to the server of this host.");
    } catch (const Error& error) {  // Read while PostgreSQL was writing it.
      if (error.kind() != ErrorKind::corrupt || read == kControlFileReads) throw;
      std::this_thread::yield();
    }
  }
}

}  // namespace barman::backup
