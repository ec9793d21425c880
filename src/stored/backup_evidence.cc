#include "stored/backup_evidence.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "postgres/backup_manifest.h"
#include "stored/backup_writer.h"
#include "stored/own_manifest.h"

namespace barman::stored {

using catalogue::BackupInfo;
using wal::format_lsn;

namespace {

constexpr const char* kLabel = "backup_label";
constexpr const char* kControlFile = "global/pg_control";

// nullopt for what is not there, or damaged.
using Reader = std::function<std::optional<std::string>(const std::string& name)>;

BackupEvidence gather(const Reader& read, const std::string& control_file_name,
                      const ManifestIndex* manifest) {
  BackupEvidence evidence;
  if (manifest != nullptr) evidence.manifest = manifest->facts();
  if (const std::optional<std::string> text = read(kLabel)) {
    try {
      evidence.label = postgres::parse_backup_label(*text);
    } catch (const Error& error) {  // One finding of several.
      evidence.label_damage = fmt::format("its {} cannot be read: {}", kLabel, error.describe());
    }
    const std::optional<ExpectedFile> expected =
        manifest != nullptr ? manifest->find(kLabel) : std::nullopt;
    if (expected && (expected->size_bytes != text->size() ||
                     (expected->algorithm != DigestAlgorithm::none &&
                      digest_of(expected->algorithm, *text) != expected->checksum))) {
      evidence.label_damage = fmt::format("its {} is not the one in its manifest", kLabel);
    }
  }
  if (const std::optional<std::string> content = read(control_file_name)) {
    try {
      evidence.control_file = postgres::parse_control_file(as_bytes(*content));
    } catch (const Error&) {  // Damaged: told by whoever compares checksums.
      evidence.control_file.reset();
    }
  }
  return evidence;
}

class Comparison {
 public:
  Comparison(const BackupInfo& info, const BackupEvidence& evidence)
      : info_(info), evidence_(evidence) {}

  std::vector<std::string> run() {
    if (!evidence_.label_damage.empty()) found_.push_back(evidence_.label_damage);
    if (evidence_.label) compare_label(*evidence_.label);
    if (evidence_.control_file) compare_control_file(*evidence_.control_file);
    if (evidence_.manifest) compare_manifest(*evidence_.manifest);
    return std::move(found_);
  }

 private:
  void add(std::string_view what, const std::string& found, const std::string& expected) {
    found_.push_back(fmt::format("{} {}, backup.info {}", what, found, expected));
  }

  void compare_label(const postgres::BackupLabel& label) {
    if (info_.begin_xlog && label.start_wal_location != *info_.begin_xlog) {
      add("backup_label begins at", format_lsn(label.start_wal_location),
          "at " + format_lsn(*info_.begin_xlog));
    }
    compare_timeline("backup_label is of timeline", label.start_timeline);
    if (label.incremental_from_lsn && !info_.is_incremental()) {
      add("backup_label is that of", "an incremental backup", "names no parent");
    }
    if (!label.incremental_from_lsn && info_.is_incremental()) {
      add("backup_label is that of", "a full backup",
          fmt::format("names the parent '{}'", info_.parent_backup_id->value));
    }
    compare_with_kept_label(label);
  }

  // The text that was kept in the metadata, by which chains are put together.
  void compare_with_kept_label(const postgres::BackupLabel& label) {
    if (!info_.backup_label) return;
    std::optional<postgres::BackupLabel> kept;
    try {
      kept = postgres::parse_backup_label(*info_.backup_label);
    } catch (const Error&) {  // Told by who needs it.
      return;
    }
    const bool is_same = kept->start_wal_location == label.start_wal_location &&
                         kept->checkpoint_location == label.checkpoint_location &&
                         kept->start_timeline == label.start_timeline &&
                         kept->incremental_from_lsn == label.incremental_from_lsn &&
                         kept->incremental_from_timeline == label.incremental_from_timeline;
    if (!is_same) found_.emplace_back("backup_label is not the one in backup.info");
  }

  void compare_timeline(std::string_view what, wal::TimelineId timeline) {
    if (!info_.timeline || *info_.timeline == timeline) return;
    add(what, std::to_string(timeline.value), fmt::format("of timeline {}", info_.timeline->value));
  }

  void compare_system_id(std::string_view what, postgres::SystemId system_id) {
    const std::string found = std::to_string(system_id.value);
    if (!info_.systemid || *info_.systemid == found) return;
    add(what, fmt::format("is of another cluster (system identifier {})", found),
        fmt::format("of {}", *info_.systemid));
  }

  // It is copied last: at least the checkpoint of the backup's start is in it, and none that came
  // after the end.
  void compare_control_file(const postgres::ControlFile& control_file) {
    compare_system_id("pg_control", control_file.system_id);
    const wal::Lsn found = control_file.checkpoint;
    const std::optional<wal::Lsn> first =
        evidence_.label ? std::optional(evidence_.label->checkpoint_location) : info_.begin_xlog;
    if (first && found < *first) {
      found_.push_back(
          fmt::format("pg_control is of the checkpoint at {}, before the backup's at {}",
                      format_lsn(found), format_lsn(*first)));
    }
    if (info_.end_xlog && *info_.end_xlog < found) {
      add("pg_control is of the checkpoint at", format_lsn(found),
          "ends at " + format_lsn(*info_.end_xlog));
    }
  }

  void compare_manifest(const ManifestFacts& manifest) {
    if (manifest.system_id) compare_system_id(postgres::kBackupManifest, *manifest.system_id);
    if (manifest.wal_ranges.empty()) return;
    const auto [first, last] =
        std::minmax_element(manifest.wal_ranges.begin(), manifest.wal_ranges.end(),
                            [](const auto& a, const auto& b) { return a.start < b.start; });
    if (info_.begin_xlog && first->start != *info_.begin_xlog) {
      add("backup_manifest begins at", format_lsn(first->start),
          "at " + format_lsn(*info_.begin_xlog));
    }
    compare_timeline("backup_manifest begins on timeline", first->timeline);
    // Metadata of other programs has the position after the backup.
    if (info_.end_xlog && *info_.end_xlog < last->end) {
      add("backup_manifest ends at", format_lsn(last->end), "at " + format_lsn(*info_.end_xlog));
    }
  }

  const BackupInfo& info_;
  const BackupEvidence& evidence_;
  std::vector<std::string> found_;
};

}  // namespace

BackupEvidence gather_evidence(const ContentTree* data_directory, const ManifestIndex* manifest) {
  const Reader read = [&](const std::string& name) -> std::optional<std::string> {
    const bool is_readable =
        data_directory != nullptr && data_directory->is_listed() && data_directory->has_file(name);
    if (!is_readable) return std::nullopt;
    try {
      return read_content(*data_directory, name);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
      return std::nullopt;  // Damaged: told by whoever compares checksums.
    }
  };
  return gather(read, kControlFile, manifest);
}

BackupEvidence gather_evidence(const std::filesystem::path& data_directory,
                               const std::string& control_file_name,
                               const ManifestIndex* manifest) {
  const Reader read = [&](const std::string& name) {
    return find_and_read_file(data_directory / name);
  };
  return gather(read, control_file_name, manifest);
}

std::vector<std::string> find_contradictions(const BackupInfo& info,
                                             const BackupEvidence& evidence) {
  return Comparison(info, evidence).run();
}

void require_consistent(const BackupInfo& info, const BackupEvidence& evidence) {
  const std::vector<std::string> found = find_contradictions(info, evidence);
  if (found.empty()) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("the files of backup '{}' do not belong to it: {}", info.id.value,
                          join(found, "; ")),
              "Its directory holds files of another backup: put its own in place, or use another "
              "backup.");
}

void require_parts_of(const catalogue::BackupInfo& info,
                      const std::filesystem::path& data_directory) {
  const std::optional<ManifestIndex> manifest =
      load_own_manifest(info, manifest_in(data_directory));
  require_consistent(
      info, gather_evidence(data_directory, "global/pg_control", manifest ? &*manifest : nullptr));
}

}  // namespace barman::stored
