#include "backup/cluster_upload.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "backup/copied_names.h"
#include "base/error.h"
#include "base/fd.h"
#include "postgres/version_facts.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using UploadTime = std::chrono::steady_clock;

// What one more archive at once is worth.
constexpr std::int64_t kLaneBytes = std::int64_t{256} << 20;

double upload_seconds(UploadTime::time_point begun) {
  return std::chrono::duration<double>(UploadTime::now() - begun).count();
}

}  // namespace

std::size_t choose_lane_count(std::size_t jobs, std::optional<std::int64_t> cluster_size_bytes) {
  const auto worth = static_cast<std::size_t>(cluster_size_bytes.value_or(0) / kLaneBytes);
  return std::clamp<std::size_t>(worth, 1, jobs / 2 + 1);
}

ClusterUpload::ClusterUpload(UploadPlace place, const CopiedFacts& facts,
                             const catalogue::BackupInfo& info,
                             std::function<void()> require_going_on)
    : place_(std::move(place)),
      facts_(facts),
      info_(info),
      require_going_on_(std::move(require_going_on)) {}

TreeUploadOptions ClusterUpload::upload_options() const {
  return {.worker_count = place_.lane_count,
          .checked_before = facts_.checked_before(info_),
          .require_going_on = require_going_on_};
}

stored::ArchiveSet& ClusterUpload::add_set(std::uint32_t oid) {
  sets_.push_back(std::make_unique<stored::ArchiveSet>(place_.storage, place_.backup_prefix, oid,
                                                       place_.form, place_.lane_count));
  return *sets_.back();
}

void ClusterUpload::copy_tablespace(const catalogue::Tablespace& tablespace) {
  const auto begun = UploadTime::now();
  const std::string major = postgres::major_version_text(info_.version.value_or(0));
  stored::ArchiveSet& archives = add_set(tablespace.oid);
  const UploadedTree tree{
      .source = {.root = tablespace.location,
                 .is_copied =
                     [&](std::string_view path) { return is_copied_from_tablespace(path, major); },
                 .is_data_directory = false},
      .prefix = fmt::format("pg_tblspc/{}/", tablespace.oid)};
  double serial = 0;
  try {
    serial = upload_tree(tree, upload_options(), archives, damage_);
  } catch (const Error& error) {  // A missing place is told with the name that users know.
    if (error.kind() != ErrorKind::not_found) throw;
    throw Error(ErrorKind::not_found,
                fmt::format("cannot read tablespace '{}': {}", tablespace.name, error.describe()),
                "Check that its file system is mounted on this host; if it was dropped, take the "
                "backup again.");
  }
  archives.finish();
  items_.push_back({.label = std::to_string(tablespace.oid),
                    .analysis_seconds = 0,
                    .copy_seconds = upload_seconds(begun),
                    .serial_seconds = serial});
}

void ClusterUpload::copy_data_directory() {
  const auto begun = UploadTime::now();
  const fs::path data = facts_.data_directory();
  stored::ArchiveSet& archives = add_set(0);
  const UploadedTree tree{
      .source = {.root = data,
                 .is_copied = copied_from_data_directory(
                     list_tablespaces_inside(data, info_.tablespaces, FilesLie::here)),
                 .is_data_directory = true},
      .prefix = {}};
  const double serial = upload_tree(tree, upload_options(), archives, damage_);
  // What follows is in the last of its archives.
  archives.close_all_but_last();
  const fs::path control = data / kControlFileName;
  const struct stat status = find_status(control).value();
  upload_text({.name = kControlFileName,
               .content = read_live_control_file(control, info_.systemid),
               .mode = status.st_mode & 07777U,
               .mtime = status.st_mtim.tv_sec},
              data, archives);
  copy_outside_files();
  items_.push_back({.label = "data",
                    .analysis_seconds = 0,
                    .copy_seconds = upload_seconds(begun),
                    .serial_seconds = serial});
}

void ClusterUpload::copy_outside_files() {
  for (const OutsideFile& file : facts_.outside_files()) {
    const std::string name = "./" + fs::path(file.path).filename().string();
    if (!upload_file(file.path, name, *sets_.back())) tell_missing(file);
  }
}

void ClusterUpload::finish(const std::string& backup_label) {
  upload_text({.name = std::string("./") + kLabelFileName,
               .content = backup_label,
               .mode = 0644,
               .mtime = 0},
              facts_.data_directory(), *sets_.back());
  sets_.back()->finish();
}

}  // namespace barman::backup
