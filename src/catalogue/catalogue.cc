#include "catalogue/catalogue.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/immutable.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "catalogue/cloud_catalogue.h"
#include "catalogue/gone_backups.h"
#include "postgres/system_id.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kInfoSuffix = "-backup.info";
constexpr std::string_view kKeepKey = "keep";
constexpr std::string_view kDeleteKey = "delete_this";
constexpr std::string_view kDeleteValue = "delete";

// Not to know (EIO, ESTALE, EACCES) is not "no": it throws then.
bool is_present(const fs::path& path) { return find_status(path).has_value(); }

// What cannot be looked at may be a `keep`: it throws then.
bool is_present_in(const Fd& directory, const std::string& name) {
  struct stat status = {};
  if (::fstatat(directory.get(), name.c_str(), &status, 0) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno("cannot look at \"" + name + "\"");
}

// On immutable storage it stays; nobody reads it while there is metadata in meta/.
void remove_copy(const fs::path& path) {
  try {
    if (is_present(path)) remove_durably(path);
  } catch (const SystemError& error) {
    if (!means_immutable(error.error_number())) throw;
    log::debug(log::kCatalogueComponent, "{}", error.describe());
  }
}

// Also true for a link to nowhere.
bool is_named(const fs::path& path) { return find_status(path, Links::refuse).has_value(); }

// "<id><suffix>" -> id
std::optional<BackupId> id_before(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  return parse_backup_id(name.substr(0, name.size() - suffix.size()));
}

KeepTarget keep_target(std::string_view value) {
  // Whatever else stands there, somebody wanted the backup kept: the wider meaning is the safe one.
  return value == "standalone" ? KeepTarget::standalone : KeepTarget::full;
}

// False when nothing was added to the usable ones: the file is gone by now, or damaged.
bool add_backup(BackupList& list, const BackupId& id, const fs::path& path) {
  try {
    // Absent: another process deleted the backup meanwhile.
    const std::optional<std::string> text = find_and_read_file(path);
    if (!text) return false;
    list.backups.push_back(parse_backup_info(*text, id, path));
    return true;
  } catch (const Error& error) {
    // One damaged file must not hide the other backups.
    list.broken.push_back({.id = id, .path = path, .reason = error.describe()});
    return false;
  }
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::optional<FileStamp> stamp_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileStamp{.inode = status.st_ino,
                   .size_bytes = status.st_size,
                   .modified_ns = nanoseconds(status.st_mtim),
                   .changed_ns = nanoseconds(status.st_ctim)};
}

bool is_before_wanted(const BackupInfo& backup, const BackupId& wanted) {
  return backup.id < wanted;
}

}  // namespace

fs::path CatalogueLocations::wal_index_path() const {
  return xlogdb_directory / (server_name + "-xlog.db");
}

fs::path CatalogueLocations::incoming_wal(std::string_view name) const {
  return incoming_directory / name;
}

fs::path CatalogueLocations::streamed_wal(std::string_view name) const {
  return streaming_directory / name;
}

Error unknown_backup(std::string_view word, std::string_view server_name,
                     std::string_view nearest) {
  return {ErrorKind::not_found,
          fmt::format("Unknown backup '{}' for server '{}'", word, server_name),
          fmt::format("{}{}'barman list-backups {}' shows the backups.", nearest,
                      nearest.empty() ? "" : " ", server_name)};
}

std::string identity_text(const Identity& identity) {
  return fmt::format("{{\n    \"systemid\": {},\n    \"version\": {}\n}}",
                     json_string(identity.system_id), json_string(identity.version));
}

std::string_view keep_text(KeepTarget target) {
  return target == KeepTarget::full ? "full" : "standalone";
}

std::map<BackupId, fs::path> Catalogue::list_info_paths() const {
  std::map<BackupId, fs::path> paths;
  for (const std::string& name : list_directory(locations_.meta_directory)) {
    if (const std::optional<BackupId> id = id_before(name, kInfoSuffix)) {
      paths[*id] = new_info_path(*id);
    }
  }
  for (const std::string& name : list_directory(locations_.basebackups_directory)) {
    const std::optional<BackupId> id = parse_backup_id(name);
    if (!id || paths.contains(*id)) continue;
    // The new place once more: save() may have moved it there after that was listed.
    for (const fs::path& path : {old_info_path(*id), new_info_path(*id)}) {
      // One directory that cannot be looked into must not hide the other backups: who reads the
      // file reports it.
      try {
        if (is_present(path)) paths[*id] = path;
      } catch (const Error&) {
        paths[*id] = path;
      }
    }
  }
  return paths;
}

BackupList Catalogue::list_backups() const {
  if (reads_bucket()) return bucket()->load().list;
  const std::map<BackupId, fs::path> paths = list_info_paths();
  BackupList list;
  list.backups.reserve(paths.size());
  for (const auto& [id, path] : paths) add_backup(list, id, path);
  take_gone_out(*this, list);
  return list;
}

KnownBackups Catalogue::load() const {
  if (!reads_bucket()) {
    BackupList list = list_backups();
    return {.list = std::move(list), .annotations = list_annotations()};
  }
  CloudBackups there = bucket()->load();
  KnownBackups known = {.list = std::move(there.list), .annotations = list_local_annotations()};
  add_bucket_annotations(std::move(there), known.annotations);
  return known;
}

const BackupList& BackupListReader::read() {
  if (catalogue_.reads_bucket()) return list_ = catalogue_.list_backups();
  // After an exception nothing is known.
  std::vector<BackupInfo> known = std::exchange(list_, {}).backups;
  const std::map<BackupId, FileStamp> known_stamps = std::exchange(stamps_, {});
  BackupList list;
  list.backups.reserve(known.size());
  std::map<BackupId, FileStamp> stamps;
  for (const auto& [id, path] : catalogue_.list_info_paths()) {
    const std::optional<FileStamp> stamp = stamp_of(path);
    if (!stamp) continue;  // another process deleted the backup meanwhile
    const auto before = std::lower_bound(known.begin(), known.end(), id, is_before_wanted);
    const bool is_known = before != known.end() && before->id == id;
    if (is_known && known_stamps.at(id) == *stamp) {
      list.backups.push_back(std::move(*before));
    } else if (!add_backup(list, id, path)) {
      continue;
    }
    stamps.emplace(id, *stamp);
  }
  take_gone_out(catalogue_, list);
  list_ = std::move(list);
  stamps_ = std::move(stamps);
  return list_;
}

void Catalogue::require_metadata() const {
  static_cast<void>(is_directory_there(locations_.meta_directory));
}

std::optional<BackupInfo> Catalogue::find_backup(const BackupId& id) const {
  if (reads_bucket()) return bucket()->find(id);
  require_metadata();
  const fs::path path = backup_info_path(id);
  const std::optional<std::string> text = find_and_read_file(path);
  if (!text) return std::nullopt;
  return parse_backup_info(*text, id, path);
}

BackupInfo Catalogue::load_backup(const BackupId& id) const {
  std::optional<BackupInfo> info = find_backup(id);
  if (!info) throw unknown_backup(id.value, server_name());
  return *std::move(info);
}

BackupInfo Catalogue::resolve(std::string_view word) const {
  if (const std::optional<BackupId> id = parse_backup_id(word)) return load_backup(*id);
  const KnownBackups known = load();
  std::vector<std::string> passed_over;
  const BackupInfo& found =
      resolve_backup(known.list, known.annotations, word, server_name(), &passed_over);
  for (const std::string& text : passed_over) log::warning(log::kCatalogueComponent, "{}", text);
  return found;
}

BackupInfo Catalogue::resolve_to_judge(std::string_view word) const {
  if (const std::optional<BackupId> id = parse_backup_id(word)) return load_backup(*id);
  const KnownBackups known = load();
  return resolve_backup(known.list, known.annotations, word, server_name(), nullptr,
                        Unusable::accept);
}

BackupId Catalogue::make_next_id(Timestamp now) const {
  const BackupId by_clock = make_backup_id(now);
  std::optional<BackupId> last;
  for (const auto& [id, path] : list_info_paths()) last = id;
  for (const std::string& name : list_directory(locations_.basebackups_directory)) {
    std::optional<BackupId> id = parse_backup_id(name);
    if (id && (!last || *last < *id)) last = std::move(id);
  }
  if (!last || *last < by_clock) return by_clock;
  // Counted on as if the ID were a time in UTC, where no hour is missing or comes twice.
  const std::optional<ParsedTimestamp> time = parse_timestamp(last->value + "Z");
  const BackupId id =
      time ? make_backup_id({.microseconds = time->time.microseconds + 1'000'000}) : BackupId{};
  if (!is_backup_id(id.value)) {
    throw Error(ErrorKind::conflict,
                fmt::format("backup '{}' of server '{}' has an ID that no later one can follow",
                            last->value, server_name()),
                fmt::format("Move \"{}\" and its metadata out of the catalogue.",
                            base_directory(*last).string()));
  }
  log::warning(log::kCatalogueComponent,
               "the clock says {}, and backup {} is there already: the new backup of server {} "
               "gets the ID {}, so that it stays the newest one",
               by_clock.value, last->value, server_name(), id.value);
  return id;
}

BackupId Catalogue::make_unused_id(Timestamp time) const {
  BackupId id = make_backup_id(time);
  while (is_present(backup_info_path(id)) || is_present(base_directory(id))) {
    time.microseconds += 1'000'000;
    id = make_backup_id(time);
  }
  return id;
}

void Catalogue::save(const BackupInfo& info) const {
  if (locations_.bucket) return save_in_bucket(info);
  save_copy(info);
  const fs::path copy = old_info_path(info.id);
  if (!info.is_copy_done() || !is_present(data_directory(info.id) / "PG_VERSION")) {
    remove_copy(copy);
    return;
  }
  // repmgr clones standbys from the directory of a plain backup and reads its metadata there, and
  // so does Barman before 3.13.2. The file in meta/ rules, so the disk may be full, or the backup
  // immutable by now.
  try {
    write_file_durably(copy, format_for_old_readers(info));
  } catch (const Error& error) {
    log::debug(log::kCatalogueComponent, "no copy of the metadata of backup {}: {}", info.id.value,
               error.describe());
  }
}

void Catalogue::save_copy(const BackupInfo& info) const {
  make_directories(locations_.meta_directory);
  // Commit point: from here on the file in meta/ is the one that counts.
  write_file_durably(new_info_path(info.id), format_backup_info(info));
}

void Catalogue::remove_metadata(const BackupId& id) const {
  if (const auto cloud = bucket()) cloud->remove(id);
  // The stale one first: it must not come to life again when the new one is gone.
  if (is_present(old_info_path(id))) remove_durably(old_info_path(id));
  if (is_present(new_info_path(id))) remove_durably(new_info_path(id));
}

fs::path backup_directory_below(const fs::path& basebackups_directory, const BackupId& id) {
  return basebackups_directory / id.value;
}

fs::path Catalogue::base_directory(const BackupId& id) const {
  return backup_directory_below(locations_.basebackups_directory, id);
}

fs::path Catalogue::data_directory(const BackupId& id) const {
  return base_directory(id) / (has_oldest_layout(id) ? kOldestDataDirectory : kDataDirectory);
}

fs::path Catalogue::tablespace_directory(const BackupId& id, std::uint32_t oid) const {
  const std::string name = std::to_string(oid);
  if (has_oldest_layout(id)) {
    return base_directory(id) / kOldestDataDirectory / "pg_tblspc" / name;
  }
  return base_directory(id) / name;
}

fs::path Catalogue::backup_info_path(const BackupId& id) const {
  const fs::path path = new_info_path(id);
  const fs::path old_path = old_info_path(id);
  return !is_present(path) && is_present(old_path) ? old_path : path;
}

bool Catalogue::has_oldest_layout(const BackupId& id) const {
  return is_present(base_directory(id) / kOldestDataDirectory);
}

bool is_orphan(const BackupInfo& backup, const Annotations& annotations) {
  // The disks of a snapshot are elsewhere.
  if (annotations.objects && backup.snapshots_info) return false;
  return backup.is_copy_done() && annotations.directories &&
         !annotations.directories->contains(backup.id);
}

std::string find_doubt(const BackupInfo& backup, const Annotations& annotations) {
  if (annotations.being_deleted.contains(backup.id)) return "its deletion has begun";
  if (is_orphan(backup, annotations)) {
    return annotations.objects ? "its archives are missing in the bucket"
                               : "its directory is missing";
  }
  if (annotations.objects && backup.is_copy_done() && !backup.snapshots_info) {
    const auto objects = annotations.objects->find(backup.id);
    const std::string problem = find_archive_problem(
        backup, objects == annotations.objects->end() ? BackupObjects{} : objects->second);
    if (!problem.empty()) return fmt::format("it {} in the bucket", problem);
  }
  const auto unreadable = annotations.unreadable.find(backup.id);
  return unreadable == annotations.unreadable.end() ? "" : unreadable->second;
}

Annotations Catalogue::list_annotations() const {
  Annotations annotations = list_local_annotations();
  if (locations_.bucket) ask_bucket(annotations);
  return annotations;
}

Annotations Catalogue::list_local_annotations() const {
  std::set<BackupId> with_keep;
  Annotations annotations;
  if (locations_.has_local_backups) annotations.directories.emplace();
  for (const std::string& name : list_directory(locations_.meta_directory)) {
    if (const auto id = id_before(name, "-" + std::string(kKeepKey))) with_keep.insert(*id);
    if (const auto id = id_before(name, "-" + std::string(kDeleteKey))) {
      annotations.being_deleted.insert(*id);
    }
  }
  const std::vector<std::string> names = list_directory(locations_.basebackups_directory);
  const Fd base = names.empty() ? Fd() : open_file(locations_.basebackups_directory, O_RDONLY);
  for (const std::string& name : names) {
    const std::optional<BackupId> id = parse_backup_id(name);
    if (!id) continue;
    if (annotations.directories) annotations.directories->insert(*id);
    // One directory must not hide the other backups.
    try {
      if (!is_present_in(base, name + "/annotations")) continue;
    } catch (const Error& error) {
      annotations.unreadable[*id] =
          fmt::format("\"{}\" cannot be read: {}", base_directory(*id).string(), error.describe());
      continue;
    }
    if (is_present(old_annotation_path(*id, kKeepKey))) with_keep.insert(*id);
    if (is_present(old_annotation_path(*id, kDeleteKey))) annotations.being_deleted.insert(*id);
  }
  for (const BackupId& id : with_keep) {
    if (const std::optional<KeepTarget> target = find_local_keep(id)) {
      annotations.keeps[id] = *target;
    }
  }
  return annotations;
}

std::optional<KeepTarget> Catalogue::find_keep(const BackupId& id) const {
  const std::optional<KeepTarget> here = find_local_keep(id);
  const auto cloud = bucket();
  if (!cloud || here == KeepTarget::full) return here;
  const std::optional<KeepTarget> there = cloud->find_keep(id);
  return there ? there : here;
}

std::optional<KeepTarget> Catalogue::find_local_keep(const BackupId& id) const {
  if (const std::optional<std::string> value = find_annotation(id, kKeepKey)) {
    return keep_target(strip(*value));
  }
  // A link to nowhere: somebody wanted the backup kept.
  const bool is_kept =
      is_named(annotation_path(id, kKeepKey)) || is_named(old_annotation_path(id, kKeepKey));
  return is_kept ? std::optional(KeepTarget::full) : std::nullopt;
}

void Catalogue::write_keep(const BackupId& id, KeepTarget target) const {
  if (const auto cloud = bucket()) cloud->write_keep(id, target);
  if (reads_bucket()) return;
  write_annotation(id, kKeepKey, keep_text(target));
}
void Catalogue::remove_keep(const BackupId& id) const {
  if (const auto cloud = bucket()) cloud->release_keep(id);
  remove_annotation(id, kKeepKey);
}

bool Catalogue::is_being_deleted(const BackupId& id) const {
  require_metadata();
  return is_present(annotation_path(id, kDeleteKey)) ||
         is_present(old_annotation_path(id, kDeleteKey));
}
void Catalogue::mark_being_deleted(const BackupId& id) const {
  try {
    write_annotation(id, kDeleteKey, kDeleteValue);
  } catch (const SystemError& error) {
    if (!is_out_of_space(error.error_number())) throw;
    // Freeing space needs no space and no inode: the metadata becomes the mark. From here on the
    // backup is gone, and what is left of its files goes with the mark.
    rename_durably(backup_info_path(id), annotation_path(id, kDeleteKey));
    if (is_present(old_info_path(id))) remove_durably(old_info_path(id));
  }
}
void Catalogue::clear_being_deleted(const BackupId& id) const { remove_annotation(id, kDeleteKey); }

namespace {
constexpr const char* kRemoveIdentity = "Remove the file; the next backup writes it again.";
}  // namespace

std::optional<Identity> Catalogue::find_identity() const {
  const fs::path path = locations_.backup_directory / "identity.json";
  const std::optional<std::string> text = find_and_read_file(path);
  if (!text) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw Error(ErrorKind::corrupt, "\"" + path.string() + "\" is not a JSON object",
                kRemoveIdentity);
  }
  const auto text_of = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Identity identity = {.system_id = text_of("systemid"), .version = text_of("version")};
  if (!postgres::parse_system_id(identity.system_id)) {
    throw Error(ErrorKind::corrupt,
                "\"" + path.string() + "\" has no system identifier as \"systemid\"",
                kRemoveIdentity);
  }
  return identity;
}

void Catalogue::write_identity_once(const Identity& identity) const {
  const fs::path path = locations_.backup_directory / "identity.json";
  if (is_present(path)) return;
  make_directories(locations_.backup_directory);
  write_file_durably(path, identity_text(identity) + "\n");
}

fs::path Catalogue::new_info_path(const BackupId& id) const {
  return locations_.meta_directory / (id.value + std::string(kInfoSuffix));
}
fs::path Catalogue::old_info_path(const BackupId& id) const {
  return base_directory(id) / kBackupInfo;
}
fs::path Catalogue::annotation_path(const BackupId& id, std::string_view key) const {
  return locations_.meta_directory / fmt::format("{}-{}", id.value, key);
}
fs::path Catalogue::old_annotation_path(const BackupId& id, std::string_view key) const {
  return base_directory(id) / "annotations" / key;
}

std::optional<std::string> Catalogue::find_annotation(const BackupId& id,
                                                      std::string_view key) const {
  require_metadata();
  if (std::optional<std::string> value = find_and_read_file(annotation_path(id, key))) {
    return value;
  }
  return find_and_read_file(old_annotation_path(id, key));
}

void Catalogue::write_annotation(const BackupId& id, std::string_view key,
                                 std::string_view value) const {
  make_directories(locations_.meta_directory);
  write_file_durably(annotation_path(id, key), value);
  if (is_present(old_annotation_path(id, key))) remove_durably(old_annotation_path(id, key));
}

void Catalogue::remove_annotation(const BackupId& id, std::string_view key) const {
  if (is_named(old_annotation_path(id, key))) remove_durably(old_annotation_path(id, key));
  if (is_named(annotation_path(id, key))) remove_durably(annotation_path(id, key));
}

const BackupInfo* find_backup(const std::vector<BackupInfo>& backups, const BackupId& id) {
  const auto found = std::lower_bound(backups.begin(), backups.end(), id, is_before_wanted);
  return found != backups.end() && found->id == id ? &*found : nullptr;
}

const BackupInfo* BackupList::find(const BackupId& id) const { return find_backup(backups, id); }

const BrokenBackup* BackupList::find_broken(const BackupId& id) const {
  const auto found =
      std::find_if(broken.begin(), broken.end(), [&](const auto& one) { return one.id == id; });
  return found == broken.end() ? nullptr : &*found;
}

const BackupInfo* BackupList::find_gone(const BackupId& id) const {
  return catalogue::find_backup(gone, id);
}

const BackupInfo* BackupList::previous(const BackupId& id) const {
  return previous_backup(backups, id);
}

const BackupInfo* BackupList::next(const BackupId& id) const { return next_backup(backups, id); }

const BackupInfo* previous_backup(const std::vector<BackupInfo>& backups, const BackupId& id) {
  const auto found = std::find_if(backups.rbegin(), backups.rend(), [&](const BackupInfo& backup) {
    return backup.id < id && backup.is_copy_done();
  });
  return found == backups.rend() ? nullptr : &*found;
}

const BackupInfo* next_backup(const std::vector<BackupInfo>& backups, const BackupId& id) {
  const auto found = std::find_if(backups.begin(), backups.end(), [&](const BackupInfo& backup) {
    return id < backup.id && backup.is_copy_done();
  });
  return found == backups.end() ? nullptr : &*found;
}

}  // namespace barman::catalogue
