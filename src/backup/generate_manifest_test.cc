#include "backup/generate_manifest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "catalogue/test_support.h"
#include "stored/manifest_index.h"
#include "wal_transfer/test_support.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;

class BytesRead final : public Progress {
 public:
  void begin(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t size_bytes) override { count += size_bytes; }
  void set_item(std::string_view) override {}
  void end() override {}

  std::uint64_t count = 0;
};

// A backup by rsync with a tablespace.
class GeneratedManifest : public testing::Test {
 protected:
  GeneratedManifest() {
    put(backup_.id, "data/PG_VERSION", "17\n");
    put(backup_.id, "data/base/1/1259", "pages");
    fs::create_directories(base(backup_.id) / "data/pg_tblspc");
    put(backup_.id, "16384/PG_17_1/5/16385", "in the tablespace");
    backup_.mode = "rsync-concurrent";
    backup_.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
    backup_.timeline = wal::TimelineId{1};
    backup_.begin_xlog = wal::Lsn{0x2000028};
    backup_.end_xlog = wal::Lsn{0x3000100};
    backup_.begin_wal = wal_transfer::wal_name(2);
    backup_.end_wal = wal_transfer::wal_name(3);
  }

  fs::path base(const catalogue::BackupId& id) const {
    return server_.catalogue().base_directory(id);
  }
  // Of a time that is over.
  void put(const catalogue::BackupId& id, const std::string& path, const std::string& text) const {
    const fs::path file = base(id) / path;
    put_file(file, text);
    const std::array<timespec, 2> times = {timespec{1'000'000'000, 7}, timespec{1'000'000'000, 7}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0), 0);
  }
  // Its size tells how much was read.
  std::uint64_t generate(const KnownFiles& known = {}) const {
    BytesRead bytes;
    generate_manifest(server_, backup_, known, bytes, Interrupt());
    return bytes.count;
  }
  stored::ManifestIndex manifest() const {
    return stored::ManifestIndex::load(base(backup_.id) / "data/backup_manifest").value();
  }
  std::string checksum_of(const std::string& path) const {
    return manifest().find(path).value().checksum;
  }

  wal_transfer::TestServer test_;
  server::Server server_ = test_.make();
  catalogue::BackupInfo backup_ = catalogue::make_backup("20260102T000000", "", "");
};

constexpr std::uint64_t kAllBytes = 3 + 5 + 17;

TEST_F(GeneratedManifest, ListsTablespacesAndTheWalOfTheBackup) {
  EXPECT_EQ(generate(), kAllBytes);
  for (const auto& [path, text] :
       {std::pair{"PG_VERSION", "17\n"}, std::pair{"base/1/1259", "pages"},
        std::pair{"pg_tblspc/16384/PG_17_1/5/16385", "in the tablespace"}}) {
    EXPECT_EQ(checksum_of(path), digest_of(DigestAlgorithm::sha256, text)) << path;
  }
  EXPECT_THAT(manifest().facts().tablespaces, ElementsAre(16384));
  EXPECT_THAT(manifest().facts().wal_ranges,
              ElementsAre(postgres::ManifestWalRange{.timeline = wal::TimelineId{1},
                                                     .start = wal::Lsn{0x2000028},
                                                     .end = wal::Lsn{0x3000100}}));
  // For who reads it as PostgreSQL does.
  EXPECT_EQ(fs::read_symlink(base(backup_.id) / "data/pg_tblspc/16384"),
            base(backup_.id) / "16384");
  // And once more.
  fs::remove(base(backup_.id) / "data/backup_manifest");
  EXPECT_EQ(generate(), kAllBytes);
}

// A standby has followed its primary onto another timeline.
TEST_F(GeneratedManifest, FollowsTimelines) {
  backup_.end_wal = "000000030000000000000003";
  generate();
  EXPECT_TRUE(manifest().facts().wal_ranges.empty()) << "without knowing where they changed";
  fs::remove(base(backup_.id) / "data/backup_manifest");
  put_file(test_.archived("00000003.history"), "1\t0/2000100\tno\n2\t0/3000000\tno\n");
  generate();
  EXPECT_THAT(manifest().facts().wal_ranges,
              ElementsAre(postgres::ManifestWalRange{.timeline = wal::TimelineId{3},
                                                     .start = wal::Lsn{0x3000000},
                                                     .end = wal::Lsn{0x3000100}},
                          postgres::ManifestWalRange{.timeline = wal::TimelineId{2},
                                                     .start = wal::Lsn{0x2000100},
                                                     .end = wal::Lsn{0x3000000}},
                          postgres::ManifestWalRange{.timeline = wal::TimelineId{1},
                                                     .start = wal::Lsn{0x2000028},
                                                     .end = wal::Lsn{0x2000100}}));
}

TEST_F(GeneratedManifest, ReadsOnlyWhatNobodyHasReadSinceItsLastChange) {
  KnownDigests digests;
  const fs::path known = base(backup_.id) / "data/base/1/1259";
  const fs::path touched = base(backup_.id) / "data/PG_VERSION";
  for (const fs::path& path : {known, touched}) {
    digests.add(find_status(path).value(), digest_of(DigestAlgorithm::sha256, get_file(path)));
  }
  // Its time of modification stays, its time of change cannot once the clock has ticked.
  const long changed = find_status(touched)->st_ctim.tv_nsec;
  do {
    put(backup_.id, "data/PG_VERSION", "16\n");
  } while (find_status(touched)->st_ctim.tv_nsec == changed);
  digests.seal();
  EXPECT_EQ(generate({.digests = &digests}), kAllBytes - 5);
  EXPECT_EQ(checksum_of("base/1/1259"), digest_of(DigestAlgorithm::sha256, "pages"));
  EXPECT_EQ(checksum_of("PG_VERSION"), digest_of(DigestAlgorithm::sha256, "16\n"));
}

TEST_F(GeneratedManifest, BelievesTheManifestOfWhomItSharesFilesWith) {
  generate();
  const catalogue::BackupId first = backup_.id;
  backup_.id = {"20260103T000000"};
  for (const char* path : {"data/base/1/1259", "16384/PG_17_1/5/16385"}) {
    fs::create_directories((base(backup_.id) / path).parent_path());
    fs::create_hard_link(base(first) / path, base(backup_.id) / path);
  }
  put(backup_.id, "data/PG_VERSION", "17\n");
  // The disk has damaged both: the right content is what was backed up.
  put(backup_.id, "data/base/1/1259", "Pages");
  EXPECT_EQ(generate({.shares_with = first}), 3U);
  EXPECT_EQ(checksum_of("base/1/1259"), digest_of(DigestAlgorithm::sha256, "pages"));
  EXPECT_EQ(checksum_of("pg_tblspc/16384/PG_17_1/5/16385"),
            digest_of(DigestAlgorithm::sha256, "in the tablespace"));
}

TEST_F(GeneratedManifest, RefusesLinks) {
  fs::create_symlink("/etc/passwd", base(backup_.id) / "data/link");
  try {
    generate();
    FAIL() << "a link was followed";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("neither a file nor a directory"));
  }
  EXPECT_FALSE(fs::exists(base(backup_.id) / "data/backup_manifest"));
}

}  // namespace
}  // namespace barman::backup
