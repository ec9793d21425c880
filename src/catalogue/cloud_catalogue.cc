#include "catalogue/cloud_catalogue.h"

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "catalogue/backup_word.h"
#include "storage/object_text.h"
#include "storage/withheld_object.h"

namespace barman::catalogue {
namespace {

// Most of the time of a small request is waiting.
constexpr std::size_t kReaders = 16;

// The first line. An annotation that says something else keeps all: somebody wanted that.
KeepTarget parse_keep(std::string_view text) {
  const std::string_view word = strip(text.substr(0, text.find('\n')));
  return word == keep_text(KeepTarget::standalone) ? KeepTarget::standalone : KeepTarget::full;
}

void add_object(const storage::ObjectFacts& facts, const std::string& name,
                BackupObjects& objects) {
  objects.newest_seconds = std::max(objects.newest_seconds, facts.mtime_seconds);
  const auto archive = parse_backup_archive_name(name);
  if (archive && archive->unknown_extension.empty()) {
    objects.archives.push_back(
        {.name = archive->name, .key = facts.key, .size_bytes = facts.size_bytes});
  } else {
    objects.other_names.push_back(name);
  }
}

void sort_archives(BackupObjects& objects) {
  const auto place = [](const StoredArchive& archive) {
    return std::tie(archive.name.tablespace_oid, archive.name.number);
  };
  std::stable_sort(
      objects.archives.begin(), objects.archives.end(),
      [&](const StoredArchive& a, const StoredArchive& b) { return place(a) < place(b); });
}

bool is_keep_of_any(std::string_view name) { return name == kKeepObject; }

// Of who has a backup of this status: a word does not mean what is being made.
bool answers_to_words(const BackupInfo& backup) {
  return backup.status != BackupStatus::started && backup.status != BackupStatus::empty;
}

// The backups that a word stands for, the wanted one first.
std::optional<BackupId> resolve_word(const std::vector<BackupInfo>& backups,
                                     std::string_view word) {
  const auto find_first = [&](auto begin, auto end, auto&& predicate) -> std::optional<BackupId> {
    const auto found = std::find_if(begin, end, predicate);
    return found == end ? std::nullopt : std::optional(found->id);
  };
  const auto is_failed = [](const BackupInfo& backup) {
    return backup.status == BackupStatus::failed;
  };
  const std::optional<BackupWord> asked = catalogue::parse_backup_word(word);
  if (asked == BackupWord::newest) {
    return find_first(backups.rbegin(), backups.rend(), answers_to_words);
  }
  if (asked == BackupWord::oldest) {
    return find_first(backups.begin(), backups.end(), answers_to_words);
  }
  if (asked == BackupWord::newest_failed) {
    return find_first(backups.rbegin(), backups.rend(), is_failed);
  }
  return std::nullopt;
}

}  // namespace

const BackupObjects& CloudBackups::objects_of(const BackupId& id) const {
  static const BackupObjects kNone{};
  const auto found = objects.find(id);
  return found == objects.end() ? kNone : found->second;
}

std::int64_t CloudBackups::newest_seconds() const {
  std::int64_t newest = 0;
  for (const auto& [id, one] : objects) newest = std::max(newest, one.newest_seconds);
  return newest;
}

CloudBackups CloudCatalogue::load() const {
  CloudBackups result = load_annotations();
  read_infos(result);
  return result;
}

CloudBackups CloudCatalogue::load_annotations() const {
  CloudBackups result;
  std::vector<KeepObject> kept;
  const auto add_keep = [&](const storage::Storage& place, const BackupId& id,
                            const storage::ObjectFacts& facts) {
    kept.push_back({.place = &place, .id = id, .size_bytes = facts.size_bytes});
  };
  const auto visit = [&](const storage::ObjectFacts& facts) {
    const auto object = layout_.parse_backup_key(facts.key);
    if (!object) return;
    if (object->name == kBackupInfo) {
      result.described.insert(object->id);
      std::int64_t& newest = result.objects[object->id].newest_seconds;
      newest = std::max(newest, facts.mtime_seconds);
    } else if (is_keep_of_any(object->name)) {
      add_keep(storage_, object->id, facts);
    } else {
      add_object(facts, object->name, result.objects[object->id]);
    }
  };
  storage_.list(layout_.backups_prefix(), visit);
  if (doubled_ != nullptr) {
    doubled_->list(layout_.backups_prefix(), [&](const storage::ObjectFacts& facts) {
      const auto object = layout_.parse_backup_key(facts.key);
      if (object && is_keep_of_any(object->name)) add_keep(*doubled_, object->id, facts);
    });
  }
  for (auto& [id, objects] : result.objects) sort_archives(objects);
  read_keeps(kept, result.annotations);
  return result;
}

void CloudCatalogue::read_keeps(const std::vector<KeepObject>& kept,
                                Annotations& annotations) const {
  std::mutex mutex;
  const auto note = [&](const BackupId& id, KeepTarget target) {
    const std::lock_guard lock(mutex);
    const auto [entry, is_new] = annotations.keeps.emplace(id, target);
    // Of two annotations the one counts that keeps more.
    if (!is_new && target == KeepTarget::full) entry->second = target;
  };
  std::vector<const KeepObject*> unread;
  for (const KeepObject& keep : kept) {
    // Too short for the only word that means less.
    if (keep.size_bytes < keep_text(KeepTarget::standalone).size()) {
      note(keep.id, KeepTarget::full);
    } else {
      unread.push_back(&keep);
    }
  }
  if (unread.empty()) return;
  WorkerPool readers(std::min(kReaders, unread.size()));
  for (const KeepObject* const keep : unread) {
    readers.submit([&, keep] {
      const auto text = find_object_text(*keep->place, layout_.keep_key(keep->id));
      if (text) note(keep->id, parse_keep(*text));
    });
  }
  readers.wait();
}

void CloudCatalogue::read_infos(CloudBackups& result) const {
  const std::set<BackupId>& ids = result.described;
  if (ids.empty()) return;
  std::mutex mutex;
  std::exception_ptr refusal;
  bool has_read_any = false;
  const auto add_broken = [&](const BackupId& id, const Error& error) {
    result.list.broken.push_back(
        {.id = id, .path = layout_.backup_info_key(id), .reason = error.describe()});
  };
  WorkerPool readers(std::min(kReaders, ids.size()));
  for (const BackupId& id : ids) {
    readers.submit([&, id] {
      try {
        auto info = find(id);
        const std::lock_guard lock(mutex);
        has_read_any = has_read_any || info.has_value();
        if (info) result.list.backups.push_back(std::move(*info));
      } catch (const storage::WithheldObject& error) {
        const std::lock_guard lock(mutex);
        refusal = std::current_exception();
        result.withheld.insert(id);
        add_broken(id, error);
      } catch (const Error& error) {
        // Of one backup; that the bucket cannot be read is another matter.
        if (error.kind() != ErrorKind::corrupt) throw;
        const std::lock_guard lock(mutex);
        has_read_any = true;
        add_broken(id, error);
      }
    });
  }
  readers.wait();
  // Then it is not about one of them: a key or a right is missing.
  if (refusal && !has_read_any) std::rethrow_exception(refusal);
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(result.list.backups.begin(), result.list.backups.end(), by_id);
  std::sort(result.list.broken.begin(), result.list.broken.end(), by_id);
  for (const BrokenBackup& broken : result.list.broken) {
    log::warning(log::kCatalogueComponent, "Unable to open backup.info file for {}: {}",
                 broken.id.value, broken.reason);
  }
}

std::optional<BackupInfo> CloudCatalogue::find(const BackupId& id) const {
  const std::string key = layout_.backup_info_key(id);
  const auto text = find_object_text(storage_, key);
  if (!text) return std::nullopt;
  return parse_backup_info(*text, id, layout_.shown(key));
}

BackupObjects CloudCatalogue::list_objects(const BackupId& id) const {
  BackupObjects objects;
  storage_.list(layout_.backup_prefix(id), [&](const storage::ObjectFacts& facts) {
    const auto object = layout_.parse_backup_key(facts.key);
    if (!object || object->name == kBackupInfo || is_keep_of_any(object->name)) return;
    add_object(facts, object->name, objects);
  });
  sort_archives(objects);
  return objects;
}

void CloudCatalogue::remove_objects(const BackupId& id) const {
  std::vector<std::string> keys;
  storage_.list(layout_.backup_prefix(id), [&](const storage::ObjectFacts& facts) {
    if (facts.key != layout_.backup_info_key(id)) keys.push_back(facts.key);
  });
  storage_.remove(keys);
  if (doubled_ != nullptr) doubled_->remove(std::array{layout_.keep_key(id)});
}

BackupId CloudCatalogue::resolve(std::string_view word) const {
  if (auto id = parse_backup_id(word)) return *id;
  const CloudBackups backups = load();
  // Any of them may be the one that is meant.
  if (!backups.withheld.empty()) {
    throw Error(ErrorKind::conflict,
                fmt::format("It is not known which backup of server '{}' is '{}': the store does "
                            "not give the backup.info of {}",
                            layout_.server_name(), word, backups.withheld.begin()->value),
                "Give the ID of a backup, or the key that this one was stored with.");
  }
  if (auto id = resolve_word(backups.list.backups, word)) return *id;
  std::vector<std::string> ids;
  for (const BackupInfo& backup : backups.list.backups) {
    if (backup.backup_name == word) ids.push_back(backup.id.value);
  }
  if (ids.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("Unknown backup '{}' for server '{}'", word, layout_.server_name()),
                "barman-cloud-backup-list shows the backups.");
  }
  if (ids.size() > 1) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("Multiple backups found matching name '{}' (try using backup ID instead): {}",
                    word, join(ids, " ")));
  }
  return {.value = ids.front()};
}

void CloudCatalogue::save(const BackupInfo& info) const {
  put_object_text(storage_, layout_.backup_info_key(info.id), format_backup_info(info));
}

void CloudCatalogue::save_as_deleted(BackupInfo info) const {
  info.status = BackupStatus::failed;
  info.error = kDeletionBegun;
  try {
    put_object_text(notes_, layout_.backup_info_key(info.id), format_backup_info(info));
  } catch (const Error& error) {  // Described in the header.
    if (error.kind() != ErrorKind::permission) throw;
    log::info(log::kCatalogueComponent, "cannot note that the deletion of backup {} has begun: {}",
              info.id.value, error.describe());
  }
}

void CloudCatalogue::create(const BackupInfo& info) const {
  const auto sink = storage_.create(layout_.backup_info_key(info.id), storage::IfPresent::refuse);
  sink->write(as_bytes(format_backup_info(info)));
  sink->finish();
}

void CloudCatalogue::remove(const BackupId& id) const {
  const std::array keys = {layout_.backup_info_key(id)};
  storage_.remove(keys);
}

std::optional<KeepTarget> CloudCatalogue::find_keep(const BackupId& id) const {
  std::optional<KeepTarget> keep;
  for (const storage::Storage* place : {static_cast<const storage::Storage*>(&storage_),
                                        static_cast<const storage::Storage*>(doubled_)}) {
    if (place == nullptr) continue;
    const auto text = find_object_text(*place, layout_.keep_key(id));
    if (!text) continue;
    const KeepTarget target = parse_keep(*text);
    if (!keep || target == KeepTarget::full) keep = target;
  }
  return keep;
}

void CloudCatalogue::write_keep(const BackupId& id, KeepTarget target) const {
  const std::string key = layout_.keep_key(id);
  put_object_text(notes_, key, keep_text(target));
  // What Barman has written there would go on to say something else.
  if (doubled_ != nullptr && doubled_->find(key)) {
    put_object_text(*doubled_, key, keep_text(target));
  }
  const auto kept = find(id);
  const bool is_going =
      !kept || (kept->status == BackupStatus::failed && kept->error == kDeletionBegun);
  if (!is_going) return;
  release_keep(id);
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot add keep to backup {} because it is being deleted.", id.value),
              "Choose another one.");
}

void CloudCatalogue::release_keep(const BackupId& id) const {
  const std::array keys = {layout_.keep_key(id)};
  storage_.remove(keys);
  if (doubled_ != nullptr) doubled_->remove(keys);
}

}  // namespace barman::catalogue
