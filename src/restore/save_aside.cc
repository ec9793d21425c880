#include "restore/save_aside.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "postgres/backup_manifest.h"
#include "wal/segment_header.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr mode_t kSavedDirectoryMode = 0700;
constexpr std::size_t kShownNames = 5;

constexpr std::array<std::string_view, 23> kDirectories = {
    "base",         "global",      "pg_clog",     "pg_commit_ts", "pg_dynshmem",     "pg_logical",
    "pg_multixact", "pg_notify",   "pg_replslot", "pg_serial",    "pg_snapshots",    "pg_stat",
    "pg_stat_tmp",  "pg_subtrans", "pg_tblspc",   "pg_twophase",  "pg_wal",          "pg_xact",
    "pg_xlog",      "barman_wal",  "barman_xlog", "pgsql_tmp",    "pg_internal.init"};

constexpr std::array<std::string_view, 13> kFiles = {"PG_VERSION",
                                                     "backup_label",
                                                     "backup_label.old",
                                                     "current_logfiles",
                                                     "postmaster.opts",
                                                     "postmaster.pid",
                                                     "recovery.signal",
                                                     "standby.signal",
                                                     "tablespace_map",
                                                     "tablespace_map.old",
                                                     "recovery.done",
                                                     "postgresql.auto.conf",
                                                     "postgresql.auto.conf.tmp"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string join_names(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  const std::size_t more = names.size() > kShownNames ? names.size() - kShownNames : 0;
  names.resize(names.size() - more);
  return fmt::format("'{}'{}", fmt::join(names, "', '"),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace

bool is_of_cluster(std::string_view path) {
  const std::string_view top = path.substr(0, path.find('/'));
  if (contains(kDirectories, top)) return true;
  if (top.size() != path.size()) return false;
  // What restores write: manifests by the ID of their backup, and the settings as they were.
  return contains(kFiles, top) || top.starts_with(postgres::kBackupManifest) ||
         top.ends_with(".origin");
}

WalWorth worth_of_wal(const std::string& name, bool is_waiting,
                      const std::set<std::string>& archived) {
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed) return WalWorth::none;
  // One of that name is in the archive; but what this cluster wanted to archive still may be of
  // another history.
  if (archived.contains(name) && !is_waiting) return WalWorth::none;
  if (parsed->kind == wal::WalFileKind::history) return WalWorth::only_copy;
  return parsed->kind == wal::WalFileKind::segment || parsed->kind == wal::WalFileKind::partial
             ? WalWorth::told_by_content
             : WalWorth::none;
}

bool is_own_wal(const std::string& name, Bytes beginning) {
  if (std::all_of(beginning.begin(), beginning.end(),
                  [](std::byte b) { return b == std::byte{0}; })) {
    return false;
  }
  const auto header = wal::parse_segment_header(beginning);
  if (!header) return true;
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed) return false;
  // PostgreSQL names segments that it needs no more for times to come; they keep their old content.
  const std::optional<wal::Segment> segment =
      wal::parse_segment_name(parsed->segment(), {header->segment_size});
  return !segment || segment->number * header->segment_size == header->page_address;
}

bool is_unsaved_wal(const fs::path& path, const std::set<std::string>& archived) {
  const std::string name = path.filename().string();
  const bool is_waiting = fs::exists(path.parent_path() / "archive_status" / (name + ".ready"));
  const WalWorth worth = worth_of_wal(name, is_waiting, archived);
  if (worth != WalWorth::told_by_content) return worth == WalWorth::only_copy;
  std::array<std::byte, wal::kSegmentHeaderSize> first{};
  const Fd file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return is_own_wal(name, Bytes(first).first(read_full_at(file, first, 0, path)));
}

std::optional<std::string> unfinished_segment(const std::set<std::string>& names,
                                              const std::set<std::string>& complete) {
  const auto newest = std::find_if(names.rbegin(), names.rend(), wal::is_segment_name);
  if (newest == names.rend() || complete.contains(*newest) ||
      names.contains(*newest + ".partial")) {
    return std::nullopt;
  }
  return *newest;
}

std::string tell_saved_wal(const fs::path& data_directory, const std::set<std::string>& names,
                           const fs::path& place, const WalReturn& way_back,
                           const std::string& remote_command) {
  std::string command = fmt::format("cd {} && {}", shell_quote(place.string()), way_back.read);
  // barman is here, not there.
  if (!remote_command.empty()) command = fmt::format("{} {}", remote_command, shell_quote(command));
  if (!way_back.store.empty()) command += " | " + way_back.store;
  return fmt::format(
      "'{}' had {} WAL file(s) that are not in the archive, from {} to {}: they were moved to "
      "'{}'. This restore does not replay them. If the newest transactions are needed, do not "
      "start this server: run {}\"{}\", then restore again.",
      data_directory.string(), names.size(), *names.begin(), *names.rbegin(), place.string(),
      remote_command.empty() ? "" : "on the host of barman ", command);
}

std::string tell_saved_files(const fs::path& data_directory, const std::vector<std::string>& names,
                             const fs::path& place) {
  return fmt::format(
      "'{}' had {} file(s) or directories that are neither PostgreSQL's own nor in the backup "
      "({}): they were moved to '{}'.",
      data_directory.string(), names.size(), join_names(names), place.string());
}

SaveAside::SaveAside(fs::path data_directory, WalReturn way_back)
    : data_directory_(std::move(data_directory)), way_back_(std::move(way_back)) {
  const std::string stamp = std::string(kSavedPrefix) + format_compact(now_local());
  directory_name_ = stamp;
  for (int number = 2; fs::exists(data_directory_ / directory_name_); ++number) {
    directory_name_ = fmt::format("{}-{}", stamp, number);
  }
}

fs::path SaveAside::move(const fs::path& path, const std::string& name) {
  fs::path target = data_directory_ / directory_name_ / name;
  make_directories(target.parent_path(), kSavedDirectoryMode);
  if (::rename(path.c_str(), target.c_str()) != 0) {
    if (errno != EXDEV) {
      throw_errno(fmt::format("cannot move \"{}\" to \"{}\"", path.string(), target.string()));
    }
    target = path.parent_path() / directory_name_ / path.filename();
    make_directories(target.parent_path(), kSavedDirectoryMode);
    if (::rename(path.c_str(), target.c_str()) != 0) {
      throw_errno(fmt::format("cannot move \"{}\" to \"{}\"", path.string(), target.string()));
    }
  }
  changed_.insert(path.parent_path());
  changed_.insert(target.parent_path());
  return target.parent_path();
}

void SaveAside::keep_wal(const fs::path& path, const std::string& name) {
  const std::string wal_name = path.filename().string();
  if (fs::exists(path.parent_path() / "archive_status" / (wal_name + ".ready"))) {
    complete_wal_.insert(wal_name);
  }
  wal_[wal_name] = move(path, name);
}

std::set<std::string> SaveAside::wal_names() const {
  std::set<std::string> names;
  for (const auto& [name, place] : wal_) names.insert(name);
  return names;
}

void SaveAside::name_unfinished() {
  const std::optional<std::string> name = unfinished_segment(wal_names(), complete_wal_);
  if (!name) return;
  const fs::path place = wal_.at(*name);
  const std::string partial = *name + ".partial";
  fs::rename(place / *name, place / partial);
  wal_.erase(*name);
  wal_[partial] = place;
}

void SaveAside::list_checksums(const fs::path& place) const {
  std::string text;
  for (const auto& [name, directory] : wal_) {
    if (directory != place) continue;
    const fs::path path = place / name;
    text += fmt::format(
        "{} *{}\n", digest_of_file(DigestAlgorithm::sha256, open_file(path, O_RDONLY), path), name);
  }
  write_file_durably(place / "SHA256SUMS", text, 0600);
}

void SaveAside::keep(const fs::path& path, const std::string& name) {
  move(path, name);
  others_.push_back(name);
}

std::vector<std::string> SaveAside::finish() {
  name_unfinished();
  std::set<fs::path> places;
  for (const auto& [name, place] : wal_) places.insert(place);
  for (const fs::path& place : places) list_checksums(place);
  for (const fs::path& directory : changed_) {
    // One of them may have been moved itself.
    if (fs::is_directory(directory)) sync_directory(directory);
  }
  std::vector<std::string> told;
  for (const fs::path& place : places) {
    told.push_back(tell_saved_wal(data_directory_, wal_names(), place, way_back_));
  }
  if (!others_.empty()) {
    told.push_back(tell_saved_files(data_directory_, others_, data_directory_ / directory_name_));
  }
  return told;
}

}  // namespace barman::restore
