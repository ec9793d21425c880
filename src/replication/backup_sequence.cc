// docs/formats/replication_messages.md
#include "replication/backup_sequence.h"

#include <set>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/relative_path.h"

namespace barman::replication {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorKind::corrupt, "the base backup is not complete: " + reason,
              "Take the backup again; if this repeats, look at what lies between the server and "
              "this host.");
}

}  // namespace

void require_announcement(const std::vector<BackupArchive>& archives) {
  const auto wrong = [](const std::string& reason) {
    throw Error(ErrorKind::corrupt, "the server announces " + reason,
                "No PostgreSQL server does so: find out who has answered.");
  };
  std::set<std::uint32_t> oids;
  for (const BackupArchive& archive : archives) {
    if (!oids.insert(archive.oid).second) {
      wrong(archive.is_base() ? "two data directories"
                              : fmt::format("tablespace {} twice", archive.oid));
    }
    if (archive.is_base()) {
      if (!archive.location.empty()) wrong("a data directory with a location");
    } else if (!pipeline::is_tablespace_location(archive.location, archive.oid)) {
      wrong(fmt::format("the impossible location \"{}\" of tablespace {}", archive.location,
                        archive.oid));
    }
  }
  if (archives.empty() || !archives.back().is_base()) {
    wrong("a base backup that does not end with the data directory");
  }
}

void require_end(const BackupBegin& begin, const BackupEnd& end) {
  if (end.lsn >= begin.lsn && end.timeline >= begin.timeline) return;
  refuse(fmt::format("it ends at {} on timeline {}, before its beginning at {} on timeline {}",
                     wal::format_lsn(end.lsn), end.timeline.value, wal::format_lsn(begin.lsn),
                     begin.timeline.value));
}

void require_reached(const BackupEnd& end, wal::Lsn current) {
  if (end.lsn <= current) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("the backup ends at {}, says the stream, and the server has come to {} "
                          "only: the WAL that it would need never comes",
                          wal::format_lsn(end.lsn), wal::format_lsn(current)),
              "Make sure that conninfo and streaming_conninfo lead to the same server, and that "
              "nothing between changes what it says.");
}

BackupSequence::BackupSequence(const std::vector<BackupArchive>& archives, ManifestUse manifest,
                               std::string archive_extension, BaseBackupVisitor& visitor)
    : archives_(archives),
      manifest_(manifest),
      extension_(std::move(archive_extension)),
      visitor_(visitor) {}

std::string BackupSequence::archive_name(const BackupArchive& archive) const {
  return (archive.is_base() ? "base" : std::to_string(archive.oid)) + extension_;
}

void BackupSequence::take(const BackupMessage& message) {
  std::visit([this](const auto& alternative) { on(alternative); }, message);
}

void BackupSequence::on(const ArchiveBegin& begin) {
  if (archive_count_ < archives_.size()) {
    const BackupArchive& next = archives_[archive_count_];
    if (begin.name != archive_name(next) || begin.location != next.location) {
      refuse(
          fmt::format("the server sent the archive \"{}\" of \"{}\" where \"{}\" of \"{}\" was "
                      "to come",
                      begin.name, begin.location, archive_name(next), next.location));
    }
  }
  begin_archive();
}

void BackupSequence::on(const ManifestBegin&) { begin_manifest(); }

// The server's running total, about once a second: what arrives is counted here.
void BackupSequence::on(const BackupProgress&) {}

void BackupSequence::begin_part() {
  if (archive_count_ < archives_.size()) return begin_archive();
  begin_manifest();
}

void BackupSequence::begin_archive() {
  if (archive_count_ == archives_.size() || has_manifest_) {
    refuse(fmt::format("the server announced {} archives and sent one more", archives_.size()));
  }
  end_part();
  part_ = Part::archive;
  visitor_.begin_archive(archives_[archive_count_++]);
}

void BackupSequence::begin_manifest() {
  if (manifest_ == ManifestUse::none) refuse("the server sent a manifest that nobody asked for");
  if (has_manifest_) refuse("the server sent a second manifest");
  if (archive_count_ != archives_.size()) {
    refuse(fmt::format("the server announced {} archives and sent {}", archives_.size(),
                       archive_count_));
  }
  end_part();
  part_ = Part::manifest;
  has_manifest_ = true;
  visitor_.begin_manifest();
}

void BackupSequence::take_data(Bytes data) {
  switch (part_) {
    case Part::archive:
      return visitor_.write_archive(data);
    case Part::manifest:
      return visitor_.write_manifest(data);
    case Part::none:
    case Part::end:
      refuse("the server sent data outside of an archive");
  }
}

void BackupSequence::finish() {
  if (archive_count_ != archives_.size()) {
    refuse(fmt::format("the server announced {} archives and sent {}", archives_.size(),
                       archive_count_));
  }
  if (manifest_ == ManifestUse::required && !has_manifest_) refuse("the server sent no manifest");
  end_part();
  part_ = Part::end;
}

void BackupSequence::end_part() {
  const Part ended = std::exchange(part_, Part::none);
  if (ended == Part::archive) visitor_.end_archive();
  if (ended == Part::manifest) visitor_.end_manifest();
}

}  // namespace barman::replication
