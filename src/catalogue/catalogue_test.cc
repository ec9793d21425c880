#include "catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {
namespace fs = std::filesystem;

class CatalogueTest : public testing::Test {
 protected:
  void put_new(const std::string& id, std::string_view text) {
    put_file(root() / "meta" / (id + "-backup.info"), text);
  }
  void put_old(const std::string& id, std::string_view text) {
    put_file(root() / "base" / id / "backup.info", text);
  }
  std::string error_of(std::string_view word) const {
    try {
      return "resolved to " + catalogue_.resolve(word).id.value;
    } catch (const Error& error) {
      return error.message();
    }
  }
  fs::path root() const { return directory_.path() / "main"; }

  TemporaryDirectory directory_;
  Catalogue catalogue_{default_locations("main", directory_.path() / "main")};
};

TEST_F(CatalogueTest, AnEmptyPlaceHoldsNothing) {
  EXPECT_TRUE(catalogue_.list_backups().backups.empty());
  EXPECT_EQ(error_of("latest"), "Unknown backup 'latest' for server 'main'");
  EXPECT_EQ(error_of(""), "Unknown backup '' for server 'main'");
  EXPECT_EQ(catalogue_.find_identity(), std::nullopt);
}

TEST_F(CatalogueTest, ListsBothPlacesAndTheNewOneRules) {
  put_old("20261101T000000", "status=DONE\n");
  put_old("20261102T000000", "status=STARTED\n");
  put_new("20261102T000000", "status=DONE\n");
  put_new("20261103T000000", "status=FAILED\n");
  put_file(root() / "base/20261104T000000/data/PG_VERSION", "15");
  put_file(root() / "base/.import-abc/backup.info", "status=DONE\n");
  put_file(root() / "meta/notes-backup.info", "status=DONE\n");
  const BackupList list = catalogue_.list_backups();
  ASSERT_EQ(list.backups.size(), 3U);
  EXPECT_EQ(list.backups[0].id.value, "20261101T000000");
  EXPECT_EQ(list.backups[1].status, BackupStatus::done);
  EXPECT_EQ(list.backups[2].status, BackupStatus::failed);
  EXPECT_TRUE(list.broken.empty());
}

TEST_F(CatalogueTest, AListReaderSeesEveryChange) {
  put_new("20261101T000000", "status=DONE\n");
  put_new("20261102T000000", "status=DONE\n");
  BackupListReader reader(catalogue_);
  EXPECT_THAT(reader.read().backups, testing::SizeIs(2));
  EXPECT_THAT(reader.read().backups, testing::SizeIs(2));
  BackupInfo failed = catalogue_.load_backup({"20261101T000000"});
  failed.status = BackupStatus::failed;
  catalogue_.save(failed);
  put_new("20261103T000000", "garbage");
  const BackupList changed = reader.read();
  ASSERT_THAT(changed.backups, testing::SizeIs(2));
  EXPECT_EQ(changed.backups[0].status, BackupStatus::failed);
  EXPECT_EQ(changed.backups[1].status, BackupStatus::done);
  EXPECT_THAT(changed.broken, testing::SizeIs(1));
  catalogue_.remove_metadata({"20261101T000000"});
  const BackupList fewer = reader.read();
  ASSERT_THAT(fewer.backups, testing::SizeIs(1));
  EXPECT_EQ(fewer.backups[0].id.value, "20261102T000000");
}

TEST_F(CatalogueTest, ABrokenFileHidesNoOther) {
  put_new("20261101T000000", "garbage");
  put_new("20261102T000000", "status=DONE\n");
  const BackupList list = catalogue_.list_backups();
  ASSERT_EQ(list.backups.size(), 1U);
  ASSERT_EQ(list.broken.size(), 1U);
  EXPECT_EQ(list.broken[0].id.value, "20261101T000000");
  EXPECT_THAT(list.broken[0].reason, testing::HasSubstr("line 1"));
  EXPECT_EQ(catalogue_.resolve("latest").id.value, "20261102T000000");
  EXPECT_THAT(error_of("20261101T000000"), testing::HasSubstr("cannot parse line 1"));
}

TEST_F(CatalogueTest, SavingMovesToTheNewPlace) {
  put_old("20261101T000000", "status=DONE\nbegin_wal=000000010000000000000003\n");
  BackupInfo info = *catalogue_.find_backup({"20261101T000000"});
  info.error = "none";
  catalogue_.save(info);
  EXPECT_FALSE(fs::exists(root() / "base/20261101T000000/backup.info"));
  EXPECT_EQ(get_file(root() / "meta/20261101T000000-backup.info"), format_backup_info(info));
  EXPECT_FALSE(fs::exists(root() / "meta/20261101T000000-backup.info.tmp"));
  catalogue_.remove_metadata({"20261101T000000"});
  EXPECT_EQ(catalogue_.find_backup({"20261101T000000"}), std::nullopt);
  EXPECT_THROW(catalogue_.load_backup({"20261101T000000"}), Error);
}

TEST_F(CatalogueTest, ResolvesWords) {
  put_new("20261101T000000", "status=WAITING_FOR_WALS\nmode=postgres\nbackup_name=dup\n");
  put_new("20261102T000000", "status=DONE\nmode=rsync-concurrent\nbackup_name=dup\n");
  put_new("20261103T000000", "status=DONE\nmode=snapshot-concurrent\nbackup_name=snap\n");
  put_new("20261104T000000",
          "status=DONE\nmode=postgres\nparent_backup_id=20261101T000000\nbackup_name=one\n");
  put_new("20261105T000000", "status=FAILED\nmode=postgres\nbackup_name=bad\n");
  put_new("20261106T000000", "status=STARTED\nmode=postgres\n");
  for (int day = 1; day < 7; ++day) {
    fs::create_directories(root() / "base" / ("2026110" + std::to_string(day) + "T000000"));
  }
  for (const auto& [word, id] :
       std::vector<std::pair<const char*, const char*>>{{"latest", "20261104T000000"},
                                                        {"last", "20261104T000000"},
                                                        {"oldest", "20261101T000000"},
                                                        {"first", "20261101T000000"},
                                                        {"latest-full", "20261102T000000"},
                                                        {"last-full", "20261102T000000"},
                                                        {"last-failed", "20261105T000000"},
                                                        {"20261106T000000", "20261106T000000"},
                                                        {"one", "20261104T000000"}}) {
    EXPECT_EQ(catalogue_.resolve(word).id.value, id) << word;
  }
  for (const char* word :
       {"failed", "la", "Latest", "auto", "bad", "20261106T00000", "20991106T000000", "latest~1"}) {
    EXPECT_EQ(error_of(word), "Unknown backup '" + std::string(word) + "' for server 'main'");
  }
  EXPECT_EQ(error_of("dup"),
            "Multiple backups found matching name 'dup' (try using backup ID instead): "
            "20261101T000000 20261102T000000");
}

TEST_F(CatalogueTest, WordsPassOverABackupBeingDeleted) {
  put_new("20261101T000000", "status=DONE\n");
  put_new("20261102T000000", "status=DONE\n");
  catalogue_.mark_being_deleted({"20261102T000000"});
  EXPECT_EQ(get_file(root() / "meta/20261102T000000-delete_this"), "delete");
  EXPECT_EQ(catalogue_.resolve("latest").id.value, "20261101T000000");
  EXPECT_EQ(catalogue_.resolve("20261102T000000").id.value, "20261102T000000");
  catalogue_.clear_being_deleted({"20261102T000000"});
  EXPECT_EQ(catalogue_.resolve("latest").id.value, "20261102T000000");
}

TEST_F(CatalogueTest, KeepsInBothPlaces) {
  const BackupId id{"20261101T000000"};
  EXPECT_EQ(catalogue_.find_keep(id), std::nullopt);
  put_file(root() / "base/20261101T000000/annotations/keep", "standalone");
  put_file(root() / "meta/20261102T000000-keep", "");
  put_file(root() / "meta/20261103T000000-keep", "whatever");
  EXPECT_EQ(catalogue_.find_keep(id), KeepTarget::standalone);
  EXPECT_THAT(catalogue_.list_annotations().keeps,
              testing::ElementsAre(testing::Pair(id, KeepTarget::standalone),
                                   testing::Pair(BackupId{"20261102T000000"}, KeepTarget::full),
                                   testing::Pair(BackupId{"20261103T000000"}, KeepTarget::full)));
  catalogue_.write_keep(id, KeepTarget::full);
  EXPECT_EQ(get_file(root() / "meta/20261101T000000-keep"), "full");
  EXPECT_FALSE(fs::exists(root() / "base/20261101T000000/annotations/keep"));
  catalogue_.remove_keep(id);
  catalogue_.remove_keep(id);
  EXPECT_EQ(catalogue_.find_keep(id), std::nullopt);
}

// A disk that is not mounted, behind a link; or a file that somebody has put there.
TEST_F(CatalogueTest, NothingIsAbsentFromAPlaceThatCannotBeLookedInto) {
  const BackupId id{"20261101T000000"};
  fs::remove_all(root() / "meta");
  const auto expect_errors = [&] {
    EXPECT_THROW(catalogue_.find_keep(id), SystemError);
    EXPECT_THROW(catalogue_.find_backup(id), SystemError);
    EXPECT_THROW(static_cast<void>(catalogue_.is_being_deleted(id)), SystemError);
    EXPECT_THROW(catalogue_.list_backups(), SystemError);
  };
  fs::create_directories(root());
  fs::create_directory_symlink("/nowhere/at/all", root() / "meta");
  expect_errors();
  fs::remove(root() / "meta");
  put_file(root() / "meta", "x");
  expect_errors();
}

TEST_F(CatalogueTest, PathsFollowTheLayout) {
  const BackupId id{"20261101T000000"};
  EXPECT_EQ(catalogue_.data_directory(id), root() / "base/20261101T000000/data");
  EXPECT_EQ(catalogue_.tablespace_directory(id, 16384), root() / "base/20261101T000000/16384");
  fs::create_directories(root() / "base/20261101T000000/pgdata");
  EXPECT_EQ(catalogue_.data_directory(id), root() / "base/20261101T000000/pgdata");
  EXPECT_EQ(catalogue_.tablespace_directory(id, 16384),
            root() / "base/20261101T000000/pgdata/pg_tblspc/16384");
}

TEST_F(CatalogueTest, AnIdInUseIsPassedOver) {
  const Timestamp now = parse_timestamp("2026-11-01 23:59:59+00:00")->time;
  EXPECT_EQ(catalogue_.make_unused_id(now).value, "20261101T235959");
  put_new("20261101T235959", "status=DONE\n");
  fs::create_directories(root() / "base/20261102T000000");
  EXPECT_EQ(catalogue_.make_unused_id(now).value, "20261102T000001");
}

TEST_F(CatalogueTest, ANewIdIsLaterThanEveryOther) {
  const Timestamp now = parse_timestamp("2026-11-01 02:30:00+01:00")->time;
  EXPECT_EQ(catalogue_.make_next_id(now).value, "20261101T023000");
  put_new("20261101T013000", "status=DONE\n");
  EXPECT_EQ(catalogue_.make_next_id(now).value, "20261101T023000");
  // Taken before the clock was set back; any status, any place, and what cannot be read, too.
  put_new("20261101T025958", "status=FAILED\n");
  EXPECT_EQ(catalogue_.make_next_id(now).value, "20261101T025959");
  put_new("20261101T025959", "what is this?\n");
  EXPECT_EQ(catalogue_.make_next_id(now).value, "20261101T030000");
  fs::create_directories(root() / "base/20261231T235959");
  EXPECT_EQ(catalogue_.make_next_id(now).value, "20270101T000000");
  fs::create_directories(root() / "base/99999999T999999");
  EXPECT_THROW(catalogue_.make_next_id(now), Error);
}

TEST_F(CatalogueTest, IdentityIsWrittenOnce) {
  catalogue_.write_identity_once({.system_id = "7710434044080967591", .version = "15"});
  catalogue_.write_identity_once({.system_id = "1", .version = "16"});
  EXPECT_EQ(get_file(root() / "identity.json"),
            "{\n    \"systemid\": \"7710434044080967591\",\n    \"version\": \"15\"\n}\n");
  EXPECT_EQ(catalogue_.find_identity()->system_id, "7710434044080967591");
  EXPECT_EQ(catalogue_.find_identity()->version, "15");
  for (const char* const damaged :
       {"{", "", "[]", "{}", "{\"systemid\": \"\"}", "{\"systemid\": null, \"version\": \"15\"}"}) {
    put_file(root() / "identity.json", damaged);
    EXPECT_THROW(catalogue_.find_identity(), Error) << damaged;
  }
}

TEST_F(CatalogueTest, IdentityIsJsonWhateverTheServerSays) {
  const Identity identity = {.system_id = "77", .version = "15 \"beta\"\n\\ \x01 é"};
  catalogue_.write_identity_once(identity);
  EXPECT_EQ(catalogue_.find_identity()->version, identity.version);
}

TEST(Neighbours, AreUsableBackups) {
  const std::vector<BackupInfo> backups = {
      make_backup("20261101T000000", "", ""),
      make_backup("20261102T000000", "", "", BackupStatus::failed),
      make_backup("20261103T000000", "", "", BackupStatus::waiting_for_wals),
  };
  EXPECT_EQ(previous_backup(backups, {"20261103T000000"}), &backups[0]);
  EXPECT_EQ(next_backup(backups, {"20261101T000000"}), &backups[2]);
  EXPECT_EQ(previous_backup(backups, {"20261101T000000"}), nullptr);
  EXPECT_EQ(next_backup(backups, {"20261103T000000"}), nullptr);
}

TEST(Tree, IsMadeFromParentsAndChildren) {
  std::vector<BackupInfo> backups = {
      make_backup("20261101T000000", "", ""),
      make_incremental("20261102T000000", "20261101T000000"),
      make_incremental("20261103T000000", "20261102T000000"),
      make_incremental("20261104T000000", "20261101T000000"),
      make_incremental("20261105T000000", "20261020T000000"),
  };
  backups[0].children_backup_ids = {{"20261102T000000"}, {"20261109T000000"}};
  EXPECT_THAT(children_of(backups, {"20261101T000000"}),
              testing::ElementsAre(BackupId{"20261102T000000"}, BackupId{"20261104T000000"}));
  EXPECT_THAT(descendants_of(backups, {"20261101T000000"}),
              testing::ElementsAre(BackupId{"20261103T000000"}, BackupId{"20261102T000000"},
                                   BackupId{"20261104T000000"}));
  EXPECT_EQ(root_of(backups, backups[2]), &backups[0]);
  EXPECT_EQ(root_of(backups, backups[0]), &backups[0]);
  EXPECT_EQ(root_of(backups, backups[4]), nullptr);
  backups[0].parent_backup_id = BackupId{"20261103T000000"};
  EXPECT_EQ(root_of(backups, backups[2]), nullptr);
  EXPECT_EQ(descendants_of(backups, {"20261101T000000"}).size(), 3U);
}

}  // namespace
}  // namespace barman::catalogue
