#include "stored/backup_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace barman::stored {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kBegin = 0x2000028;
constexpr std::uint64_t kCheckpoint = 0x2000060;
constexpr std::uint64_t kEnd = 0x2000120;

// A backup whose parts belong together.
struct Stored {
  catalogue::BackupInfo info;
  BackupEvidence evidence;
};

Stored stored() {
  Stored stored;
  stored.info.id = catalogue::BackupId{"20261121T014251"};
  stored.info.begin_xlog = wal::Lsn{kBegin};
  stored.info.end_xlog = wal::Lsn{kEnd};
  stored.info.timeline = wal::TimelineId{1};
  stored.info.systemid = "7000000000000000001";
  postgres::BackupLabel label;
  label.start_wal_location = wal::Lsn{kBegin};
  label.checkpoint_location = wal::Lsn{kCheckpoint};
  label.start_timeline = wal::TimelineId{1};
  stored.evidence.label = label;
  postgres::ControlFile control;
  control.system_id = {7000000000000000001};
  control.checkpoint = wal::Lsn{kCheckpoint};
  stored.evidence.control_file = control;
  stored.evidence.manifest = ManifestFacts{
      .system_id = postgres::SystemId{7000000000000000001},
      .wal_ranges = {
          {.timeline = wal::TimelineId{1}, .start = wal::Lsn{kBegin}, .end = wal::Lsn{kEnd}}}};
  return stored;
}

TEST(BackupEvidence, PartsOfOneBackupAgree) {
  const Stored given = stored();
  EXPECT_THAT(find_contradictions(given.info, given.evidence), IsEmpty());
  EXPECT_NO_THROW(require_consistent(given.info, given.evidence));
  // What is not known speaks against nothing.
  EXPECT_THAT(find_contradictions(given.info, {}), IsEmpty());
  EXPECT_THAT(find_contradictions({}, given.evidence), IsEmpty());
}

TEST(BackupEvidence, EachPartOfAnotherBackupIsFound) {
  const wal::Lsn later{kEnd + 0x1000};
  struct Case {
    std::string name;
    std::function<void(Stored&)> change;
    std::string found;
  };
  for (const Case& given : std::vector<Case>{
           {"start of label", [&](Stored& s) { s.evidence.label->start_wal_location = later; },
            "backup_label begins at 0/2001120, backup.info at 0/2000028"},
           {"timeline of label",
            [](Stored& s) { s.evidence.label->start_timeline = wal::TimelineId{2}; },
            "backup_label is of timeline 2, backup.info of timeline 1"},
           {"label of an incremental backup",
            [](Stored& s) { s.evidence.label->incremental_from_lsn = wal::Lsn{0x1000028}; },
            "backup_label is that of an incremental backup, backup.info names no parent"},
           {"label of a full backup",
            [](Stored& s) { s.info.parent_backup_id = catalogue::BackupId{"20261120T000000"}; },
            "backup_label is that of a full backup, backup.info names the parent "
            "'20261120T000000'"},
           {"damaged label", [](Stored& s) { s.evidence.label_damage = "it is damaged"; },
            "it is damaged"},
           {"cluster of pg_control", [](Stored& s) { s.evidence.control_file->system_id = {7}; },
            "pg_control is of another cluster (system identifier 7), backup.info of "
            "7000000000000000001"},
           {"earlier pg_control",
            [](Stored& s) { s.evidence.control_file->checkpoint = wal::Lsn{kBegin - 8}; },
            "pg_control is of the checkpoint at 0/2000020, before the backup's at 0/2000060"},
           {"later pg_control", [&](Stored& s) { s.evidence.control_file->checkpoint = later; },
            "pg_control is of the checkpoint at 0/2001120, backup.info ends at 0/2000120"},
           {"cluster of manifest",
            [](Stored& s) { s.evidence.manifest->system_id = postgres::SystemId{7}; },
            "backup_manifest is of another cluster (system identifier 7), backup.info of "
            "7000000000000000001"},
           {"start of manifest",
            [](Stored& s) { s.evidence.manifest->wal_ranges[0].start = wal::Lsn{kBegin + 8}; },
            "backup_manifest begins at 0/2000030, backup.info at 0/2000028"},
           {"timeline of manifest",
            [](Stored& s) { s.evidence.manifest->wal_ranges[0].timeline = wal::TimelineId{3}; },
            "backup_manifest begins on timeline 3, backup.info of timeline 1"},
           {"end of manifest", [&](Stored& s) { s.evidence.manifest->wal_ranges[0].end = later; },
            "backup_manifest ends at 0/2001120, backup.info at 0/2000120"}}) {
    Stored changed = stored();
    given.change(changed);
    EXPECT_THAT(find_contradictions(changed.info, changed.evidence), ElementsAre(given.found))
        << given.name;
  }
}

TEST(BackupEvidence, TheLabelOfTheMetadataIsTheOneOfTheFiles) {
  Stored given = stored();
  given.info.backup_label =
      "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
      "CHECKPOINT LOCATION: 0/2000099\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
      "START TIME: 2026-11-21 01:42:37 UTC\nLABEL: x\nSTART TIMELINE: 1\n";
  EXPECT_THAT(find_contradictions(given.info, given.evidence),
              ElementsAre("backup_label is not the one in backup.info"));
}

TEST(BackupEvidence, TheRefusalNamesTheBackupAndEachReason) {
  Stored given = stored();
  given.evidence.label->start_wal_location = wal::Lsn{kEnd};
  given.evidence.control_file->system_id = {7};
  try {
    require_consistent(given.info, given.evidence);
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.message(), HasSubstr("the files of backup '20261121T014251' do not belong"));
    EXPECT_THAT(error.message(), HasSubstr("backup_label begins at 0/2000120"));
    EXPECT_THAT(error.message(), HasSubstr("pg_control is of another cluster"));
  }
}

}  // namespace
}  // namespace barman::stored
