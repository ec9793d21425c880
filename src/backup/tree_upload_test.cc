#include "backup/tree_upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/cluster_upload.h"
#include "backup/copied_names.h"
#include "base/error.h"
#include "catalogue/bucket_test_support.h"
#include "compression/codec.h"
#include "pipeline/tar_reader.h"
#include "storage/object_text.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;
using catalogue::BucketArchiveName;
using catalogue::LocalBucket;
using compression::Algorithm;
using stored::ArchiveForm;
using stored::ArchiveSet;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

const catalogue::BackupId kUploadId{"20261121T014301"};

// What is in an archive, by path.
class MemberList final : public pipeline::TarVisitor {
 public:
  void begin_member(const pipeline::TarMember& member) override { members.push_back(member); }
  void write(Bytes data) override { contents[members.back().path] += as_text(data); }
  void end_member() override {}

  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (const pipeline::TarMember& member : members) result.push_back(member.path);
    return result;
  }

  std::vector<pipeline::TarMember> members;
  std::map<std::string, std::string> contents;
};

struct UploadBucket : LocalBucket {
  fs::path data = directory.path() / "pgdata";
  PageDamageList damage;

  MemberList read(const BucketArchiveName& name) const {
    MemberList list;
    pipeline::TarReader tar(list, "archive", pipeline::TarEnd::required, pipeline::TarTypes::all);
    const std::string key = layout.archive_key(kUploadId, name);
    if (name.compression) {
      push_object(storage, key, *compression::make_decompressor(*name.compression, tar, key));
    } else {
      push_object(storage, key, tar);
    }
    return list;
  }
  UploadedTree tree() const {
    return {.source = {.root = data,
                       .is_copied = is_copied_from_data_directory,
                       .is_data_directory = true}};
  }
  ArchiveSet archives(ArchiveForm form, std::size_t lanes = 1) {
    if (form.max_archive_bytes == 0) form.max_archive_bytes = 1 << 30;
    return {storage, layout.backup_prefix(kUploadId), 0, form, lanes};
  }
  void upload(ArchiveSet& archives, std::size_t workers = 1) {
    upload_tree(tree(), {.worker_count = workers, .require_going_on = [] {}}, archives, damage);
  }
};

TEST(TreeUpload, WritesWhatBarmanReads) {
  UploadBucket bucket;
  put_file(bucket.data / "PG_VERSION", "17\n");
  put_file(bucket.data / "base/1/2619", std::string(100'000, 'x'));
  put_file(bucket.data / "pg_wal/000000010000000000000001", "wal");
  put_file(bucket.data / "global/pg_control", "control");
  put_file(bucket.data / "postmaster.pid", "1");
  fs::create_directories(bucket.data / "pg_tblspc");
  fs::create_symlink("/elsewhere", bucket.data / "dangling");
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip), std::optional(Algorithm::bzip2),
        std::optional(Algorithm::snappy), std::optional(Algorithm::lz4),
        std::optional(Algorithm::zstd)}) {
    ArchiveSet archives = bucket.archives({.compression = algorithm});
    bucket.upload(archives);
    EXPECT_THAT(bucket.keys(),
                Not(Contains(bucket.layout.archive_key(kUploadId, {.compression = algorithm}))))
        << "an archive is visible that is not complete";
    upload_text({.name = "global/pg_control", .content = "control"}, bucket.data, archives);
    upload_text({.name = "./backup_label", .content = "label"}, bucket.data, archives);
    archives.finish();
    const MemberList list = bucket.read({.compression = algorithm});
    EXPECT_THAT(list.paths(),
                ElementsAre("PG_VERSION", "base", "base/1", "base/1/2619", "dangling", "global",
                            "pg_tblspc", "pg_wal", "global/pg_control", "backup_label"));
    EXPECT_EQ(list.contents.at("base/1/2619"), std::string(100'000, 'x'));
    EXPECT_EQ(list.members[0].uid, find_status(bucket.data)->st_uid);
  }
}

TEST(TreeUpload, BeginsANewArchiveBetweenFiles) {
  UploadBucket bucket;
  for (int i = 0; i < 5; ++i) {
    put_file(bucket.data / ("base/" + std::to_string(i)), std::string(10'000, 'x'));
  }
  ArchiveSet archives = bucket.archives({.max_archive_bytes = 15'000});
  bucket.upload(archives);
  archives.close_all_but_last();
  upload_text({.name = "global/pg_control", .content = "control"}, bucket.data, archives);
  archives.finish();
  EXPECT_THAT(bucket.read({}).paths(), ElementsAre("base", "base/0", "base/1"));
  EXPECT_THAT(bucket.read({.number = 1}).paths(), ElementsAre("base/2", "base/3"));
  EXPECT_THAT(bucket.read({.number = 2}).paths(), ElementsAre("base/4", "global/pg_control"));
}

TEST(TreeUpload, WritesSeveralArchivesAtOnce) {
  UploadBucket bucket;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back("base/" + std::to_string(i));
    put_file(bucket.data / expected.back(), std::string(50'000, 'x'));
  }
  ArchiveSet archives = bucket.archives({}, 3);
  bucket.upload(archives, 3);
  archives.close_all_but_last();
  upload_text({.name = "./backup_label", .content = "label"}, bucket.data, archives);
  archives.finish();
  std::vector<std::string> found;
  const std::size_t count = bucket.keys().size();
  for (unsigned number = 0; number < count; ++number) {
    const MemberList list = bucket.read({.number = number});
    for (const std::string& path : list.paths()) {
      if (path.starts_with("base/")) found.push_back(path);
    }
    EXPECT_EQ(list.contents.contains("backup_label"), number + 1 == count);
  }
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(expected));
}

TEST(TreeUpload, LeavesNothingThatIsNotFinished) {
  UploadBucket bucket;
  put_file(bucket.data / "base/1", "x");
  {
    ArchiveSet archives = bucket.archives({});
    EXPECT_THROW(
        upload_tree(
            bucket.tree(),
            {.worker_count = 1,
             .require_going_on = [] { throw Error(ErrorKind::connection, "the session is lost"); }},
            archives, bucket.damage),
        Error);
  }
  EXPECT_THAT(bucket.keys(), ElementsAre());
}

TEST(TreeUpload, AnEmptyTreeHasAnArchive) {
  UploadBucket bucket;
  ArchiveSet archives = bucket.archives({.compression = Algorithm::gzip});
  archives.finish();
  EXPECT_THAT(bucket.read({.compression = Algorithm::gzip}).paths(), ElementsAre());
}

TEST(Lanes, AreAsManyAsThereIsWork) {
  constexpr std::int64_t kGigabyte = std::int64_t{1} << 30;
  EXPECT_EQ(choose_lane_count(2, std::nullopt), 1U);
  EXPECT_EQ(choose_lane_count(2, 30'000'000), 1U);
  EXPECT_EQ(choose_lane_count(2, kGigabyte), 2U);
  EXPECT_EQ(choose_lane_count(8, 100 * kGigabyte), 5U);
  EXPECT_EQ(choose_lane_count(1, kGigabyte), 1U);
}

}  // namespace
}  // namespace barman::backup
