#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/fd.h"
#include "catalogue/backup_files.h"
#include "catalogue/cloud_catalogue.h"
#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "facts/backup_facts.h"
#include "stored/restorable.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_check.h"
#include "wal_archive/wal_listing.h"

namespace barman::cli {
namespace {

namespace fs = std::filesystem;

// In a bucket the names of objects tell how they are stored. One listing of each directory.
std::map<std::string, std::string> find_stored_keys(const wal_archive::WalArchive& archive,
                                                    const std::vector<std::string>& names) {
  std::set<std::string> prefixes;
  for (const std::string& name : names) {
    const std::string key = wal_archive::WalArchive::key_of(name);
    const std::size_t slash = key.rfind('/');
    prefixes.insert(slash == std::string::npos ? key : key.substr(0, slash + 1));
  }
  std::map<std::string, std::string> stored;
  for (const std::string& prefix : prefixes) {
    archive.storage().list(prefix, [&](const storage::ObjectFacts& object) {
      stored[object.key] = object.stored_key;
    });
  }
  return stored;
}

// Archived or not: what is listed is where the WAL belongs.
void list_wals(CommandContext& context, const server::Server& server,
               const std::vector<std::string>& names) {
  const wal_archive::WalArchive archive(server);
  std::map<std::string, std::string> stored;
  if (archive.is_in_bucket()) stored = find_stored_keys(archive, names);
  for (const std::string& name : names) {
    const auto key = stored.find(wal_archive::WalArchive::key_of(name));
    const fs::path path =
        key == stored.end() ? archive.path_of(name) : archive.directory() / key->second;
    context.reporter.info_unlogged(path.string());
  }
}

// A backup that failed before its copy began has metadata only; that another one has lost its files
// is an error, not a short list.
void require_nothing(const server::Server& server, const catalogue::BackupInfo& backup) {
  if (!backup.is_copy_done() || backup.type() == catalogue::BackupType::snapshot) return;
  stored::require_files(server.catalogue(), backup);
}

// As "s3://bucket/path/main/base/ID/data.tar".
void list_objects(CommandContext& context, const server::Server& server,
                  const catalogue::CloudCatalogue& bucket, const catalogue::BackupInfo& backup) {
  const std::string place = server.locations().basebackups_directory.string();
  bool is_empty = true;
  bucket.storage().list(bucket.layout().backup_prefix(backup.id),
                        [&](const storage::ObjectFacts& object) {
                          is_empty = false;
                          context.reporter.info_unlogged(fmt::format("{}/{}", place, object.key));
                        });
  if (is_empty) require_nothing(server, backup);
}

void list_data(CommandContext& context, const server::Server& server,
               const catalogue::BackupInfo& backup) {
  if (const auto bucket = server.catalogue().bucket()) {
    return list_objects(context, server, *bucket, backup);
  }
  const auto empty_directories = context.arguments.is_set("list_empty_directories")
                                     ? catalogue::EmptyDirectories::list
                                     : catalogue::EmptyDirectories::leave_out;
  const fs::path directory = server.catalogue().base_directory(backup.id);
  if (!find_status(directory, Links::refuse)) return require_nothing(server, backup);
  catalogue::visit_files(directory, empty_directories, [&](const fs::path& path) {
    context.interrupt.throw_if_requested();
    context.reporter.info_unlogged(path.string());
  });
}

}  // namespace

void run_list_files(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const std::string& target = context.arguments.get("target");
  const catalogue::BackupInfo backup = select_backup(context, server);
  if (target != "wal") list_data(context, server, backup);
  if (target == "standalone") list_wals(context, server, wal_archive::required_segments(backup));
  if (target == "wal" || target == "full") {
    const std::vector<catalogue::BackupInfo> backups =
        facts::list_readable_backups(context.reporter, server);
    list_wals(context, server,
              wal_archive::list_wals_until_next(backups, backup, facts::wal_lines(server)));
  }
}

}  // namespace barman::cli
