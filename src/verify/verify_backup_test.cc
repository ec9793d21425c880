// The files of a backup against its manifest, its metadata and the checksums of its pages.
#include "verify/verify_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "catalogue/test_support.h"
#include "postgres/page_checksum.h"
#include "stored/test_support.h"

namespace barman::verify {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using catalogue::BackupStatus;
using stored::incremental_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Two pages with right checksums, older than the backup.
std::string pages() {
  std::vector<std::byte> content;
  for (std::uint32_t block = 0; block < 2; ++block) {
    std::vector<std::byte> page(postgres::kPageSize, std::byte{7});
    const std::uint32_t lsn_high = 0;
    const std::uint32_t lsn_low = 0x1000;
    const std::uint16_t upper = 100;
    std::memcpy(page.data(), &lsn_high, sizeof lsn_high);
    std::memcpy(page.data() + 4, &lsn_low, sizeof lsn_low);
    std::memcpy(page.data() + 14, &upper, sizeof upper);
    const std::uint16_t checksum = postgres::page_checksum(page, block);
    std::memcpy(page.data() + 8, &checksum, sizeof checksum);
    content.insert(content.end(), page.begin(), page.end());
  }
  return std::string(as_text(content));
}

class VerifyBackupTest : public testing::Test {
 protected:
  using Files = std::map<std::string, std::string>;

  VerifyBackupTest() {
    config_.name = "main";
    config_.backup_directory = (directory_.path() / "main").string();
    config_.basebackups_directory = config_.backup_directory + "/base";
    config_.wals_directory = config_.xlogdb_directory = config_.backup_directory + "/wals";
    global_.barman_lock_directory = directory_.path().string();
    backup_.begin_xlog = wal::Lsn{0x2000};
    backup_.data_checksums = "on";
    files_ = {{"PG_VERSION", "17\n"},
              {"base/5/1259", pages()},
              {"base/5/1260", std::string(2'000'000, 'x')},
              {"empty", ""}};
    backup_.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
    files_[kTablespaceFile] = "in the tablespace";
  }

  server::Server server() const { return {config_, global_, {}}; }
  fs::path path_of(const std::string& path) const { return path_of(backup_, path); }
  fs::path path_of(const BackupInfo& info, const std::string& path) const {
    const catalogue::Catalogue catalogue = server().catalogue();
    return path == kTablespaceFile
               ? catalogue.tablespace_directory(info.id, 16384) / "PG_17_1" / "5" / "1"
               : catalogue.data_directory(info.id) / path;
  }
  void put(const BackupInfo& info, const Files& files) const {
    for (const auto& [path, content] : files) put_file(path_of(info, path), content);
    put_file(path_of(info, "backup_manifest"), stored::manifest_of(files));
    server().catalogue().save(info);
  }
  void put_all() const { put(backup_, files_); }
  VerifyReport verify(VerifyDepth depth = VerifyDepth::checksums) const {
    NoProgress progress;
    return verify_files(server(), backup_, depth, 2, progress);
  }
  static std::vector<std::string> texts_of(const VerifyReport& report) {
    std::vector<std::string> texts;
    for (const VerifyFinding& finding : report.findings) texts.push_back(finding.text);
    return texts;
  }
  std::vector<std::string> findings(VerifyDepth depth = VerifyDepth::checksums) const {
    return texts_of(verify(depth));
  }
  void damage(const std::string& path) const {
    std::string content = get_file(path_of(path));
    content.back() = static_cast<char>(content.back() ^ 1);
    put_file(path_of(path), content);
  }

  const std::string kTablespaceFile = "pg_tblspc/16384/PG_17_1/5/1";
  const TemporaryDirectory directory_;
  config::ServerConfig config_;
  config::GlobalConfig global_;
  BackupInfo backup_ = catalogue::make_backup("20261121T010000", "", "");
  Files files_;
};

TEST_F(VerifyBackupTest, AnIntactOneIsReadOnce) {
  put_all();
  const VerifyReport report = verify();
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_TRUE(report.is_good());
  EXPECT_EQ(report.file_count, files_.size());
  std::uint64_t size_bytes = 0;
  for (const auto& [path, content] : files_) size_bytes += content.size();
  EXPECT_EQ(report.size_bytes, size_bytes);
  EXPECT_GE(report.page_count, 2U);
}

TEST_F(VerifyBackupTest, EachDamageIsNamed) {
  put_all();
  damage("base/5/1260");
  damage(kTablespaceFile);
  put_file(path_of("empty"), "no more");
  fs::remove(path_of("PG_VERSION"));
  put_file(path_of("base/5/foreign"), "x");
  EXPECT_THAT(findings(), UnorderedElementsAre(
                              HasSubstr("\"base/5/1260\" is damaged: its checksum is "),
                              HasSubstr("\"" + kTablespaceFile + "\" is damaged"),
                              "\"empty\" has 7 bytes instead of 0", "\"PG_VERSION\" is missing",
                              "\"base/5/foreign\" is in the backup, but not in its manifest"));
}

TEST_F(VerifyBackupTest, SizesAreNotContent) {
  put_all();
  damage("base/5/1260");
  EXPECT_THAT(findings(VerifyDepth::sizes), IsEmpty());
  put_file(path_of("base/5/1260"), "short");
  EXPECT_THAT(findings(VerifyDepth::sizes),
              ElementsAre("\"base/5/1260\" has 5 bytes instead of 2000000"));
}

// The manifest speaks for what was sent; the checksums of pages, for what PostgreSQL wrote.
TEST_F(VerifyBackupTest, PagesThatWereDamagedBeforeAreFound) {
  std::string& relation = files_["base/5/1259"];
  relation[postgres::kPageSize + 5000] ^= 1;
  put_all();
  EXPECT_THAT(findings(), ElementsAre("\"base/5/1259\" has 1 page(s) with a wrong checksum, the "
                                      "first is block 1"));
  backup_.data_checksums = "off";
  EXPECT_THAT(findings(), IsEmpty());
  backup_.data_checksums = "on";
  backup_.mode = "rsync-concurrent";
  EXPECT_THAT(findings(), IsEmpty()) << "rsync reads pages while they are written";
}

TEST_F(VerifyBackupTest, WhatChangesAfterABackupIsNoDamage) {
  put_all();
  for (const char* const path : {"postgresql.auto.conf", "standby.signal", "pg_wal/000000010000"}) {
    put_file(path_of(path), "x");
  }
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(VerifyBackupTest, AManifestThatIsMissingOrDamagedIsAFinding) {
  put_all();
  damage("backup_manifest");
  EXPECT_THAT(findings(), ElementsAre(HasSubstr("backup_manifest")));
  fs::remove(path_of("backup_manifest"));
  VerifyReport report = verify();
  EXPECT_THAT(texts_of(report), ElementsAre(HasSubstr("is not in the backup")));
  EXPECT_FALSE(report.lacks_manifest_only()) << "it had one when it came";
  backup_.mode = "rsync-concurrent";
  EXPECT_TRUE(verify().lacks_manifest_only());
}

TEST_F(VerifyBackupTest, OfManySameDamagesSomeAreNamed) {
  for (int i = 0; i < 1100; ++i) files_["base/5/" + std::to_string(20000 + i)] = "x";
  put_all();
  for (int i = 0; i < 1100; ++i) fs::remove(path_of("base/5/" + std::to_string(20000 + i)));
  const VerifyReport report = verify();
  EXPECT_EQ(report.findings.size(), VerifyReport::kMaxFindings);
  EXPECT_GE(report.finding_count, VerifyReport::kMaxFindings);
}

TEST_F(VerifyBackupTest, RefusesWhatCannotBeVerified) {
  NoProgress progress;
  const auto refusal = [&] {
    try {
      verify_backup(server(), backup_, 1, progress);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.message();
    }
    return std::string("verified");
  };
  backup_.status = BackupStatus::failed;
  EXPECT_THAT(refusal(), HasSubstr("backup status is FAILED"));
  backup_.status = BackupStatus::done;
  backup_.mode = "snapshot";
  EXPECT_THAT(refusal(), HasSubstr("at the cloud provider"));
}

// A backup is as good as what it builds on.
TEST_F(VerifyBackupTest, AChainIsVerifiedAsAWhole) {
  BackupInfo last = catalogue::make_incremental("20261121T020000", backup_.id.value);
  backup_.backup_label =
      "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
      "CHECKPOINT LOCATION: 0/2000080\nSTART TIMELINE: 1\n";
  last.backup_label =
      "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
      "CHECKPOINT LOCATION: 0/5000080\nSTART TIMELINE: 1\n"
      "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n";
  backup_.begin_xlog = wal::Lsn{0x2000028};
  last.begin_xlog = wal::Lsn{0x5000028};
  files_["backup_label"] = *backup_.backup_label;
  put_all();
  put(last, {{"PG_VERSION", "17\n"},
             {"backup_label", *last.backup_label},
             {"base/5/INCREMENTAL.1259", incremental_content({1}, 2, 'b')}});
  NoProgress progress;
  const auto texts = [&] { return texts_of(verify_backup(server(), last, 2, progress)); };
  EXPECT_THAT(texts(), testing::Not(testing::Contains(HasSubstr("which it builds on"))));
  damage("base/5/1260");
  EXPECT_THAT(texts(), testing::Contains(HasSubstr("backup 20261121T010000, which it builds on: "
                                                   "\"base/5/1260\" is damaged")));
}

}  // namespace
}  // namespace barman::verify
