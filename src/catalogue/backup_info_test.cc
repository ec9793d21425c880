#include "catalogue/backup_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::catalogue {
namespace {

const BackupId kId{"20261121T014332"};

constexpr std::string_view kSample =
    R"(backup_label='START WAL LOCATION: 0/F00028 (file 00000001000000000000000F)\nCHECKPOINT LOCATION: 0/F00060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-11-21 01:43:36 UTC\nLABEL: pg_basebackup base backup\nSTART TIMELINE: 1\n'
begin_offset=40
begin_time=2026-11-21 01:43:32.418964+00:00
begin_wal=00000001000000000000000F
begin_xlog=0/F00028
children_backup_ids=None
cluster_size=23449289
compression=gzip
config_file=/var/lib/postgresql/15/main/postgresql.conf
copy_stats={'copy_time': 5.00304, 'total_time': 5.00304}
data_checksums=on
deduplicated_size=3290828
encryption=None
end_offset=0
end_time=2026-11-21 01:43:37.443325+00:00
end_wal=00000001000000000000000F
end_xlog=0/1000000
error=None
hba_file=/var/lib/postgresql/15/main/pg_hba.conf
ident_file=/var/lib/postgresql/15/main/pg_ident.conf
included_files=None
mode=postgres
parent_backup_id=None
pgdata=/var/lib/postgresql/15/main
server_name=st
size=3290828
status=DONE
summarize_wal=None
systemid=7710434044080967591
tablespaces=[('t1', 16384, '/srv/tbs1')]
timeline=1
version=150020
xlog_segment_size=1048576
)";

BackupInfo parse(std::string_view text) {
  return parse_backup_info(text, kId, "/b/meta/20261121T014332-backup.info");
}

// The status last: every file has one.
BackupInfo parse_fields(const std::string& text) { return parse(text + "status=DONE\n"); }

TEST(BackupInfo, WritesTheSampleByteForByte) {
  EXPECT_EQ(format_backup_info(parse(kSample)), kSample);
}

TEST(BackupInfo, ReadsTheSample) {
  const BackupInfo info = parse(kSample);
  EXPECT_EQ(info.id, kId);
  EXPECT_THAT(*info.backup_label, testing::EndsWith("START TIMELINE: 1\n"));
  EXPECT_EQ(info.begin_xlog, wal::Lsn{0xF00028});
  EXPECT_EQ(info.end_xlog, wal::Lsn{0x1000000});
  EXPECT_EQ(format_iso(*info.end_time), "2026-11-21 01:43:37.443325+00:00");
  EXPECT_EQ(info.copy_stat("copy_time"), 5.00304);
  EXPECT_EQ(info.copy_stat("analysis_time"), std::nullopt);
  EXPECT_THAT(info.tablespaces, testing::ElementsAre(Tablespace{"t1", 16384, "/srv/tbs1"}));
  EXPECT_EQ(info.timeline, wal::TimelineId{1});
  EXPECT_EQ(info.xlog_segment_size, wal::SegmentSize{1048576});
  EXPECT_EQ(info.status, BackupStatus::done);
  EXPECT_TRUE(info.is_copy_done());
  EXPECT_EQ(info.type(), BackupType::full);
}

TEST(BackupInfo, InitialFileHasNullsAndNoHiddenKeys) {
  BackupInfo info;
  info.mode = "postgres";
  info.server_name = "main";
  info.systemid = "77";
  const std::string text = format_backup_info(info);
  EXPECT_THAT(text, testing::HasSubstr("\nbegin_wal=None\n"));
  EXPECT_THAT(text, testing::HasSubstr("\nstatus=EMPTY\n"));
  EXPECT_THAT(text, testing::HasSubstr("\nxlog_segment_size=16777216\n"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("backup_name")));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("snapshots_info")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 33);
}

// Barman 3.4 gives up a catalogue with any other key.
TEST(BackupInfo, IsForOldReadersWithoutWhatTheyRefuse) {
  const auto text_for = [](const std::string& more) {
    return format_for_old_readers(
        parse_backup_info("cluster_size=7\ndata_checksums=on\nmode=postgres\nstatus=DONE\n" + more,
                          {"20261101T000000"}, "file"));
  };
  const std::string full = text_for("");
  EXPECT_THAT(full, testing::HasSubstr("mode=postgres\n"));
  for (const char* const key : {"children_backup_ids", "cluster_size", "data_checksums",
                                "encryption", "parent_backup_id", "summarize_wal"}) {
    EXPECT_THAT(full, testing::Not(testing::HasSubstr(key)));
  }
  // They must not take these for full backups in clear.
  EXPECT_THAT(text_for("parent_backup_id=20261031T000000\n"), testing::HasSubstr("data_checksums"));
  EXPECT_THAT(text_for("children_backup_ids=20261102T000000\n"),
              testing::HasSubstr("children_backup_ids=20261102T000000\n"))
      << "who deletes it must delete these first";
  EXPECT_THAT(text_for("encryption=gpg\n"), testing::HasSubstr("encryption=gpg\n"));
}

TEST(BackupInfo, NameAndSnapshotsAreWrittenWhenKnown) {
  const std::string text =
      "backup_name=my backup = nightly\nsnapshots_info={'provider': 'gcp', 'provider_info': "
      "{'project': 'p'}, 'snapshots': []}\n";
  const BackupInfo info = parse_fields(text);
  EXPECT_EQ(info.backup_name, "my backup = nightly");
  const std::string written = format_backup_info(info);
  EXPECT_THAT(written, testing::HasSubstr("\nbackup_name=my backup = nightly\nbegin_offset="));
  EXPECT_THAT(written, testing::HasSubstr("\nsnapshots_info={'provider': 'gcp', 'provider_info': "
                                          "{'project': 'p'}, 'snapshots': []}\nstatus="));
}

TEST(BackupInfo, KeepsUnknownKeysInTheirPlace) {
  const BackupInfo info = parse("future_field=[odd value\nstatus=DONE\n");
  EXPECT_THAT(format_backup_info(info),
              testing::HasSubstr("\nerror=None\nfuture_field=[odd value\nhba_file=None\n"));
}

TEST(BackupInfo, ReadsOldFiles) {
  const BackupInfo info = parse(
      "# comment\n\n  version = 90104 \nbegin_time=Sat Nov 21 01:43:32 2026\n"
      "tablespaces=[['t', '16384', '/srv/t']]\nstatus=DONE");
  EXPECT_EQ(info.version, 90104);
  EXPECT_EQ(format_naive(*info.begin_time), "2026-11-21 01:43:32");
  EXPECT_EQ(info.tablespaces.at(0).oid, 16384U);
  EXPECT_EQ(info.xlog_segment_size.bytes, 16777216U);
  EXPECT_EQ(info.mode, std::nullopt);
  EXPECT_EQ(info.type(), BackupType::full);
}

TEST(BackupInfo, TypeFollowsModeThenParent) {
  EXPECT_EQ(parse_fields("mode=rsync-exclusive\nparent_backup_id=20261101T000000\n").type(),
            BackupType::rsync);
  EXPECT_EQ(parse_fields("mode=snapshot-concurrent\n").type(), BackupType::snapshot);
  EXPECT_EQ(parse_fields("mode=postgres\nparent_backup_id=20261101T000000\n").type(),
            BackupType::incremental);
  EXPECT_EQ(parse_fields("mode=local-to-cloud-concurrent\n").type(), BackupType::full);
}

TEST(BackupInfo, ReadsChildren) {
  const BackupInfo info = parse_fields("children_backup_ids=20261102T000000,20261103T000000\n");
  EXPECT_THAT(info.children_backup_ids,
              testing::ElementsAre(BackupId{"20261102T000000"}, BackupId{"20261103T000000"}));
  EXPECT_THAT(format_backup_info(info),
              testing::HasSubstr("\nchildren_backup_ids=20261102T000000,20261103T000000\n"));
}

TEST(BackupInfo, RepairsChildrenWrittenCharacterByCharacter) {
  const BackupInfo info = parse_fields(
      "children_backup_ids=2,0,2,6,1,1,0,2,T,0,0,0,0,0,0,,,2,0,2,6,1,1,0,3,T,0,0,0,0,0,0,"
      "20261104T000000\n");
  EXPECT_THAT(info.children_backup_ids,
              testing::ElementsAre(BackupId{"20261102T000000"}, BackupId{"20261103T000000"},
                                   BackupId{"20261104T000000"}));
}

TEST(BackupInfo, DecodesALabelQuotedTwice) {
  EXPECT_EQ(parse_fields("backup_label=\"'a\\\\nb'\"\n").backup_label, "a\nb");
}

TEST(BackupInfo, WritesAnErrorOnOneLine) {
  BackupInfo info;
  info.error = "first\nsecond=x";
  const std::string text = format_backup_info(info);
  EXPECT_THAT(text, testing::HasSubstr("\nerror=first second=x\n"));
}

TEST(BackupInfo, RefusesAFileThatWasCutOff) {
  for (const char* text : {"", "\n", "mode=postgres\nserver_name=main\n", "# status=DONE\n"}) {
    try {
      parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_EQ(error.message(),
                "\"/b/meta/20261121T014332-backup.info\" is incomplete: it tells no status");
    }
  }
}

TEST(BackupInfo, NamesFileAndLineOfDamage) {
  for (const auto& [text, reason] : std::vector<std::pair<const char*, const char*>>{
           {"status=DONE\nno separator\n", "line 2 of \"/b/meta/20261121T014332-backup.info\""},
           {"status=GOOD\n", "status: \"GOOD\" is not a status"},
           {"begin_time=yesterday\n", "begin_time"},
           {"size=12x\n", "size"},
           {"version=99999999999\n", "version"},
           {"begin_offset=-1\n", "begin_offset"},
           {"begin_xlog=0F00028\n", "begin_xlog"},
           {"tablespaces=[('t', 1)]\n", "tablespaces"},
           {"tablespaces=[('t', 16384, '../../evil')]\n", "cannot be the location"},
           {"tablespaces=[('t', 16384, 'pg_tblspc/16385')]\n", "cannot be the location"},
           {"begin_wal=../../evil\n", "begin_wal: \"../../evil\" is not the name of a WAL segment"},
           {"end_wal=00000002.history\n", "end_wal"},
           {"parent_backup_id=../20261121T014237\n", "is not a backup ID"},
           {"copy_stats={'a': \n", "copy_stats"},
           {"xlog_segment_size=3\n", "segment size"},
       }) {
    try {
      parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_THAT(error.message(), testing::HasSubstr(reason));
    }
  }
}

TEST(BackupId, AcceptsItsShapeOnly) {
  EXPECT_TRUE(is_backup_id("20261121T014237"));
  for (const char* text : {"", "20261121T01423", "20261121T0142370", "20261121t014237",
                           "2026112１T014237", "20261121-014237", "2026112xT014237"}) {
    EXPECT_FALSE(is_backup_id(text)) << text;
  }
}

}  // namespace
}  // namespace barman::catalogue
