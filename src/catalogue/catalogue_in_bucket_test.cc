#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "catalogue/catalogue.h"
#include "catalogue/cloud_catalogue.h"
#include "catalogue/test_support.h"
#include "storage/object_text.h"
#include "storage/test_support.h"

namespace barman::catalogue {
namespace {

using testing::HasSubstr;

constexpr const char* kKeptId = "20261121T014301";
constexpr const char* kKeptWal = "000000010000000000000002";

// A bucket that may be away.
class BucketCatalogueTest : public testing::Test {
 protected:
  Catalogue catalogue(MetadataCopies copies = MetadataCopies::kept,
                      const std::string& host = "main") {
    CatalogueLocations locations = default_locations("main", directory_.path() / host);
    locations.has_local_backups = false;
    locations.bucket = BucketLocation{.open = [this]() -> std::shared_ptr<storage::Storage> {
                                        if (!is_away_) return counted_;
                                        throw Error(ErrorKind::connection, "the bucket is away");
                                      },
                                      .path = "path/main/base",
                                      .copies = copies};
    return Catalogue(std::move(locations));
  }
  std::string object(const std::string& name) const {
    return storage::find_object_text(*storage_, std::string(kKeptId) + "/" + name).value_or("");
  }
  std::filesystem::path local(const std::string& name) const {
    return directory_.path() / "main/meta" / (std::string(kKeptId) + "-" + name);
  }

  TemporaryDirectory directory_;
  std::shared_ptr<storage::MemoryStorage> storage_ = std::make_shared<storage::MemoryStorage>();
  std::shared_ptr<storage::CountingStorage> counted_ =
      std::make_shared<storage::CountingStorage>(*storage_);
  bool is_away_ = false;
};

TEST_F(BucketCatalogueTest, MetadataIsInBothPlaces) {
  const Catalogue here = catalogue();
  BackupInfo info = make_backup(kKeptId, kKeptWal, kKeptWal, BackupStatus::empty);
  here.save(info);
  EXPECT_EQ(object("backup.info"), "");  // nothing for others yet
  EXPECT_EQ(here.list_backups().backups.size(), 1U);
  info.status = BackupStatus::done;
  here.save(info);
  EXPECT_EQ(object("backup.info"), read_file(local("backup.info")));
  EXPECT_EQ(here.load_backup({kKeptId}).status, BackupStatus::done);
  EXPECT_EQ(here.shown_directory({kKeptId}), std::string("path/main/base/") + kKeptId);
  here.remove_metadata({kKeptId});
  EXPECT_EQ(object("backup.info"), "");
  EXPECT_TRUE(here.list_backups().backups.empty());
}

TEST_F(BucketCatalogueTest, AnInactiveServerKnowsTheBucketOnly) {
  catalogue().save(make_backup(kKeptId, kKeptWal, kKeptWal));
  const Catalogue other = catalogue(MetadataCopies::none, "other");
  EXPECT_EQ(other.list_backups().backups.size(), 1U);
  EXPECT_EQ(BackupListReader(other).read().backups.size(), 1U);
  EXPECT_EQ(other.resolve("last").id.value, kKeptId);
  other.write_keep({kKeptId}, KeepTarget::standalone);
  EXPECT_FALSE(find_status(directory_.path() / "other/meta"));
  is_away_ = true;
  EXPECT_THROW(other.list_backups(), Error);
}

TEST_F(BucketCatalogueTest, AKeepCountsWhereverItIs) {
  const Catalogue here = catalogue();
  here.save(make_backup(kKeptId, kKeptWal, kKeptWal));
  here.write_keep({kKeptId}, KeepTarget::standalone);
  EXPECT_EQ(object("annotations/keep"), "standalone");
  EXPECT_EQ(read_file(local("keep")), "standalone");
  // Of two the one counts that keeps more; another host may have set it.
  put_object_text(*storage_, std::string(kKeptId) + "/annotations/keep", "full");
  EXPECT_EQ(here.find_keep({kKeptId}), KeepTarget::full);
  EXPECT_EQ(here.list_annotations().keeps.at({kKeptId}), KeepTarget::full);
  here.remove_keep({kKeptId});
  EXPECT_EQ(here.find_keep({kKeptId}), std::nullopt);
}

TEST_F(BucketCatalogueTest, ABackupWithoutArchivesIsDoubtful) {
  const Catalogue here = catalogue();
  here.save(make_backup(kKeptId, kKeptWal, kKeptWal));
  EXPECT_TRUE(is_orphan(here.load_backup({kKeptId}), here.list_annotations()));
  put_object_text(*storage_, std::string(kKeptId) + "/data.tar", "x");
  EXPECT_FALSE(is_orphan(here.load_backup({kKeptId}), here.list_annotations()));
}

TEST_F(BucketCatalogueTest, ABackupThatSomebodyElseHasDeletedIsDoubtful) {
  const Catalogue here = catalogue();
  here.save(make_backup(kKeptId, kKeptWal, kKeptWal));
  put_object_text(*storage_, std::string(kKeptId) + "/data_0001.tar", "x");
  const auto doubt = [&] {
    const KnownBackups known = here.load();
    return find_doubt(known.list.backups.front(), known.annotations);
  };
  EXPECT_EQ(doubt(), "it lacks the archive \"data.tar\" in the bucket");
  put_object_text(*storage_, std::string(kKeptId) + "/data.tar", "x");
  EXPECT_EQ(doubt(), "");
  const std::vector<std::string> all = {std::string(kKeptId) + "/data.tar",
                                        std::string(kKeptId) + "/data_0001.tar",
                                        std::string(kKeptId) + "/backup.info"};
  storage_->remove(all);
  EXPECT_EQ(doubt(), "its archives are missing in the bucket");
  // Who cannot look does not know.
  is_away_ = true;
  EXPECT_EQ(doubt(), "");
}

TEST_F(BucketCatalogueTest, IsReadInOneListingAndOneObjectABackup) {
  const Catalogue here = catalogue();
  for (const char* const id : {"20261121T014301", "20261122T014301", "20261123T014301"}) {
    here.save(make_backup(id, kKeptWal, kKeptWal));
    put_object_text(*storage_, std::string(id) + "/data.tar", "x");
  }
  here.write_keep({"20261121T014301"}, KeepTarget::full);
  here.write_keep({"20261122T014301"}, KeepTarget::standalone);
  using Counts = storage::CountingStorage::Counts;
  counted_->take_counts();
  const KnownBackups known = here.load();
  EXPECT_EQ(counted_->take_counts(), (Counts{.lists = 1, .opens = 1})) << "of the one keep";
  EXPECT_EQ(known.annotations.keeps.at({"20261121T014301"}), KeepTarget::full);
  EXPECT_EQ(known.annotations.keeps.at({"20261122T014301"}), KeepTarget::standalone);
  EXPECT_EQ(catalogue(MetadataCopies::none, "other").load().list.backups.size(), 3U);
  EXPECT_EQ(counted_->take_counts(), (Counts{.lists = 1, .opens = 4}));
}

TEST_F(BucketCatalogueTest, WithoutTheBucketNothingIsTakenForNotKept) {
  const Catalogue here = catalogue();
  here.save(make_backup(kKeptId, kKeptWal, kKeptWal));
  here.write_keep({kKeptId}, KeepTarget::standalone);
  is_away_ = true;
  const Annotations annotations = here.list_annotations();
  EXPECT_TRUE(annotations.keeps.contains({kKeptId}));
  EXPECT_EQ(annotations.directories, std::nullopt);
  EXPECT_THAT(annotations.unread_bucket, HasSubstr("away"));
  EXPECT_THROW(require_complete(annotations, "main"), Error);
  EXPECT_THROW(here.find_keep({kKeptId}), Error);
  EXPECT_EQ(here.list_backups().backups.size(), 1U);
}

TEST_F(BucketCatalogueTest, NothingIsDeletedBesideBackupsThatThisHostDoesNotKnow) {
  const Catalogue here = catalogue();
  here.save(make_backup(kKeptId, kKeptWal, kKeptWal));
  EXPECT_EQ(find_gap(here.list_annotations(), "main"), "");
  // The home of this host was lost, and a new one is in use.
  const Catalogue next = catalogue(MetadataCopies::kept, "next");
  const Annotations annotations = next.list_annotations();
  EXPECT_THAT(annotations.unknown_backups, testing::ElementsAre(BackupId{kKeptId}));
  EXPECT_THAT(find_gap(annotations, "main"), HasSubstr("'barman rebuild-catalogue main'"));
  EXPECT_THROW(require_complete(annotations, "main"), Error);
  next.save_copy(here.load_backup({kKeptId}));
  EXPECT_EQ(find_gap(next.list_annotations(), "main"), "");
  // Who knows the bucket only knows all of it.
  EXPECT_EQ(find_gap(catalogue(MetadataCopies::none, "other").list_annotations(), "main"), "");
}

TEST_F(BucketCatalogueTest, OnlyAFailureIsRecordedWithoutTheBucket) {
  const Catalogue here = catalogue();
  BackupInfo info = make_backup(kKeptId, kKeptWal, kKeptWal, BackupStatus::started);
  here.save(info);
  is_away_ = true;
  info.status = BackupStatus::done;
  EXPECT_THROW(here.save(info), Error);
  EXPECT_EQ(here.load_backup({kKeptId}).status, BackupStatus::started);
  info.status = BackupStatus::failed;
  here.save(info);
  EXPECT_EQ(here.load_backup({kKeptId}).status, BackupStatus::failed);
}

}  // namespace
}  // namespace barman::catalogue
