#include "wal_archive/known_cluster.h"

#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/system_id.h"
#include "postgres/version_facts.h"
#include "wal/segment_header.h"
#include "wal/wal_file_name.h"
#include "wal_archive/segment_beginning.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_archive {
namespace {

// nullopt for one that cannot be decrypted or is damaged.
std::optional<catalogue::Identity> read_cluster_of(const WalArchive& archive,
                                                   const std::string& segment) {
  std::vector<std::byte> beginning;
  try {
    const std::optional<StoredWal> stored = archive.find(segment);
    if (!stored || stored->form.encryption) return std::nullopt;
    beginning = read_segment_beginning([&](pipeline::Sink& sink) { archive.read(*stored, sink); });
  } catch (const Error& error) {  // Another one may tell.
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::config) throw;
    return std::nullopt;
  }
  const std::optional<wal::SegmentHeader> header = wal::parse_segment_header(beginning);
  if (!header) return std::nullopt;
  const std::optional<int> major = wal::find_server_major(beginning);
  return catalogue::Identity{.system_id = postgres::format_system_id({header->system_id}),
                             .version = major ? std::to_string(*major) : ""};
}

std::optional<catalogue::Identity> find_cluster_of_backups(const server::Server& server) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  for (auto backup = list.backups.rbegin(); backup != list.backups.rend(); ++backup) {
    if (!backup->systemid) continue;
    return catalogue::Identity{
        .system_id = *backup->systemid,
        .version = backup->version ? postgres::major_version_text(*backup->version) : ""};
  }
  return std::nullopt;
}

std::optional<catalogue::Identity> find_cluster_of_archive(const server::Server& server) {
  constexpr int kTries = 3;
  const WalArchive archive(server);
  // Each would be fetched as a whole.
  if (archive.is_in_bucket()) return std::nullopt;
  int tries = 0;
  const std::vector<std::string> names = archive.list_newest_names();
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!wal::is_segment_name(*name)) continue;
    if (auto identity = read_cluster_of(archive, *name)) return identity;
    if (++tries == kTries) break;
  }
  return std::nullopt;
}

// What is damaged does not keep WAL from coming in while backups and WAL tell the same; `check` and
// catalogue-check tell of it.
std::optional<catalogue::Identity> find_stored_identity(const server::Server& server) {
  try {
    return server.catalogue().find_identity();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kWalArchiverComponent, "{}", error.describe_with_hint());
    return std::nullopt;
  }
}

}  // namespace

std::optional<catalogue::Identity> find_known_cluster(const server::Server& server) {
  if (auto identity = find_stored_identity(server)) return identity;
  // Of a new server, or without that file. A bucket that is away, or a damaged file, must not keep
  // WAL from coming in.
  try {
    if (auto identity = find_cluster_of_backups(server)) return identity;
    return find_cluster_of_archive(server);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kWalArchiverComponent,
                 "which cluster the catalogue of server '{}' is of is not known: {}", server.name(),
                 error.describe());
    return std::nullopt;
  }
}

std::optional<std::uint64_t> known_system_id(const server::Server& server) {
  // A damaged file of the catalogue must not keep WAL away from the archive.
  try {
    const std::optional<catalogue::Identity> known = find_known_cluster(server);
    const auto id = known ? postgres::parse_system_id(known->system_id) : std::nullopt;
    if (id) return id->value;
  } catch (const Error& error) {
    log::warning(log::kWalArchiverComponent, "the system id of server '{}' is not known: {}",
                 server.name(), error.describe());
  }
  return std::nullopt;
}

std::string other_cluster_step(const std::string& server, std::string_view wrong) {
  return fmt::format("After pg_upgrade, run: barman follow-upgrade {}. Else correct {}.", server,
                     wrong);
}

std::optional<Error> find_other_cluster(const server::Server& server, const std::string& system_id,
                                        std::string_view wrong) {
  const std::optional<catalogue::Identity> known = find_known_cluster(server);
  if (!known || known->system_id == system_id) return std::nullopt;
  return Error(ErrorKind::conflict,
               fmt::format("the catalogue of server '{}' is of the cluster with system identifier "
                           "{}, but PostgreSQL answers with {}",
                           server.name(), known->system_id, system_id),
               other_cluster_step(server.name(), wrong));
}

void refuse_other_cluster(const server::Server& server, const std::string& system_id,
                          std::string_view wrong) {
  if (const std::optional<Error> problem = find_other_cluster(server, system_id, wrong))
    throw Error(*problem);
}

}  // namespace barman::wal_archive
