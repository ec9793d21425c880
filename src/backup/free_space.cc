#include "backup/free_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "backup/backup_form.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_order.h"
#include "postgres/queries.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;

std::optional<std::uint64_t> ask_cluster_size(const server::Server& server) {
  if (!server.config().conninfo) return std::nullopt;
  try {
    postgres::Connection connection = server.connect();
    return postgres::query_cluster_size(connection);
  } catch (const Error& error) {  // The backup tells it, when it matters.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kBackupComponent, "the size of the cluster is not known: {}", error.describe());
    return std::nullopt;
  }
}

bool is_same_form(const BackupInfo& backup, bool is_plain) {
  return (catalogue::stored_form_of(backup) == catalogue::StoredForm::plain) == is_plain;
}

std::optional<std::uint64_t> size_of_last(const server::Server& server, bool is_plain) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  const std::vector<const BackupInfo*> by_age = catalogue::in_order_of_age(list.backups);
  const auto last = std::find_if(by_age.rbegin(), by_age.rend(), [&](const BackupInfo* backup) {
    return backup->is_copy_done() && !backup->is_incremental() && backup->size.value_or(0) > 0 &&
           is_same_form(*backup, is_plain);
  });
  if (last == by_age.rend()) return std::nullopt;
  return static_cast<std::uint64_t>(*(*last)->size);
}

bool is_stored_plain(const server::Server& server) {
  const config::ServerConfig& config = server.config();
  if (config.backup_method != config::BackupMethod::postgres) return true;
  const std::size_t any_count = 1;
  return plan_form(config, {}, any_count).form == catalogue::StoredForm::plain;
}

std::filesystem::path reserved_path(const server::Server& server, const catalogue::BackupId& id) {
  return server.locations().backup_directory / (".room-" + id.value);
}

}  // namespace

SpaceJudgement judge_space(const SpaceFacts& facts) {
  SpaceJudgement judgement;
  if (facts.is_partial || (!facts.cluster_bytes && !facts.last_bytes)) return judgement;
  // The smaller one, since tables may have gone, and since not everything is in a backup.
  judgement.needed_bytes =
      std::min(facts.cluster_bytes.value_or(UINT64_MAX), facts.last_bytes.value_or(UINT64_MAX));
  // Of a compressed one only an earlier one tells anything.
  if (!facts.is_plain && !facts.last_bytes) return {};
  if (judgement.needed_bytes <= facts.space.free_bytes) return judgement;
  judgement.verdict = SpaceVerdict::doubtful;
  if (!facts.is_plain || facts.space.may_compress || !facts.cluster_bytes) return judgement;
  const std::uint64_t certain =
      facts.last_bytes ? judgement.needed_bytes : judgement.needed_bytes / 2;
  if (certain > facts.space.free_bytes) judgement.verdict = SpaceVerdict::impossible;
  return judgement;
}

void require_space(const server::Server& server, const BackupRequest& request, Messages& messages) {
  if (!server.locations().has_local_backups) return;
  const std::filesystem::path& directory = server.locations().basebackups_directory;
  const std::optional<FileSystemSpace> space = find_space(directory);
  if (!space) return;
  SpaceFacts facts = {
      .space = *space,
      .cluster_bytes = std::nullopt,
      .last_bytes = std::nullopt,
      .is_plain = is_stored_plain(server),
      .is_partial = request.parent.has_value() || request.reuse != config::ReuseBackup::off};
  if (facts.is_partial) return;
  facts.last_bytes = size_of_last(server, facts.is_plain);
  facts.cluster_bytes = ask_cluster_size(server);
  const SpaceJudgement judgement = judge_space(facts);
  if (judgement.verdict == SpaceVerdict::fits) return;
  const std::string needs = human_size(static_cast<std::int64_t>(judgement.needed_bytes));
  const std::string room = human_size(static_cast<std::int64_t>(space->free_bytes));
  if (judgement.verdict == SpaceVerdict::doubtful) {
    messages.warning(
        fmt::format("The backup may not fit: about {} are needed, and \"{}\" has {} free", needs,
                    directory.string(), room));
    return;
  }
  throw Error(
      ErrorKind::conflict,
      fmt::format("The backup of server '{}' cannot fit: at least {} are needed, and \"{}\" has {} "
                  "free",
                  server.name(), needs, directory.string(), room),
      fmt::format(
          "Delete a backup that is not needed (\"barman list-backups {0}\", \"barman delete "
          "{0} oldest --dry-run\"), enlarge the disk, or set backup_compression.",
          server.name()));
}

ReservedRoom::ReservedRoom(const server::Server& server, const catalogue::BackupId& id) {
  constexpr off_t kRoomBytes = off_t{256} << 10;
  if (server.config().worm_mode) return;  // what is written there stays
  path_ = reserved_path(server, id);
  try {
    const Fd file = create_file(path_, O_WRONLY);
    if (::posix_fallocate(file.get(), 0, kRoomBytes) != 0) free();
  } catch (const Error& error) {  // It is for the case that the disk gets full.
    log::debug(log::kBackupComponent, "no room is reserved: {}", error.describe());
    path_.clear();
  }
}

void ReservedRoom::free() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

void ReservedRoom::remove_left(const server::Server& server, const catalogue::BackupId& id) {
  ::unlink(reserved_path(server, id).c_str());
}

}  // namespace barman::backup
