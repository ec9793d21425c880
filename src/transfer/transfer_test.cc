// One backup on its way from a catalogue to another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"
#include "catalogue/test_support.h"
#include "transfer/export_backup.h"
#include "transfer/import_backup.h"
#include "wal/test_support.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_index.h"

namespace barman::transfer {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class WarningMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string&) override {}
  void warning(const std::string& text) override { warnings.push_back(text); }
  void error(const std::string&) override {}
  void exception(const std::string&) override {}

  std::vector<std::string> warnings;
};

constexpr const char* kFirst = "000000010000000000000002";
constexpr const char* kLast = "000000010000000000000003";

// The catalogue of a server "main" below a directory of its own.
class Site {
 public:
  explicit Site(const std::string& system_id = "7") {
    config_.name = "main";
    config_.backup_directory = (home_.path() / "main").string();
    config_.basebackups_directory = config_.backup_directory + "/base";
    config_.wals_directory = config_.xlogdb_directory = config_.backup_directory + "/wals";
    config_.incoming_wals_directory = config_.backup_directory + "/incoming";
    config_.streaming_wals_directory = config_.backup_directory + "/streaming";
    config_.errors_directory = config_.backup_directory + "/errors";
    global_.barman_lock_directory = home_.path().string();
    server().create_directories();
    server().catalogue().write_identity_once({.system_id = system_id, .version = "17"});
  }

  server::Server server() const { return {config_, global_, {}}; }
  catalogue::Catalogue catalogue() const { return server().catalogue(); }
  fs::path base(const catalogue::BackupId& id) const { return catalogue().base_directory(id); }

  void put_wal(const std::string& name, const std::string& text) const {
    const std::string content = wal::make_segment(name, {.text = text});
    put_file(wal_archive::WalArchive(server()).path_of(name), content);
    wal_archive::WalIndex index = wal_archive::WalIndex::open(server().locations());
    index.merge(std::array{wal_archive::WalIndexEntry{
        .name = name, .size_bytes = content.size(), .mtime = 1700000000}});
  }
  // With a tablespace.
  BackupInfo put_backup() const {
    BackupInfo info = catalogue::make_backup("20261121T010000", kFirst, kLast);
    info.xlog_segment_size = {wal::kSegment};
    info.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
    info.children_backup_ids = {{"20261121T020000"}};
    put_file(base(info.id) / "data/PG_VERSION", "17\n");
    put_file(base(info.id) / "data/base/1/1259", std::string(100'000, 'x'));
    put_file(base(info.id) / "16384/PG_17_1/5/1", "of the tablespace");
    fs::create_directories(base(info.id) / "data/pg_tblspc");
    fs::create_symlink(base(info.id) / "16384", base(info.id) / "data/pg_tblspc/16384");
    catalogue().save(info);
    put_wal(kFirst, "first");
    put_wal(kLast, "last");
    return info;
  }
  fs::path export_into(const fs::path& directory) {
    NoProgress progress;
    return export_backup(server(), catalogue().load_backup({"20261121T010000"}),
                         {.backup_word = "latest",
                          .output_directory = directory,
                          .compression = std::nullopt,
                          .compression_level = std::nullopt,
                          .program_facts = "{}"},
                         messages, progress);
  }
  void import(const fs::path& tarball) {
    NoProgress progress;
    import_backup(server(), tarball, messages, progress);
  }
  // Everything but locks, with directories.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(config_.backup_directory)) {
      names.push_back(entry.path().lexically_relative(config_.backup_directory).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  WarningMessages messages;

 private:
  const TemporaryDirectory home_;
  config::ServerConfig config_;
  config::GlobalConfig global_;
};

class TransferTest : public testing::Test {
 protected:
  template <typename Action>
  static std::string refusal(Action&& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.describe();
    }
    return "done";
  }

  const TemporaryDirectory directory_;
  Site from_;
  Site to_;
};

TEST_F(TransferTest, AnImportedBackupIsCompleteAndKept) {
  const BackupInfo backup = from_.put_backup();
  const fs::path tarball = from_.export_into(directory_.path());
  struct stat status = {};
  ASSERT_EQ(::stat(tarball.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  to_.import(tarball);
  EXPECT_THAT(to_.messages.warnings, IsEmpty());
  EXPECT_EQ(get_file(to_.base(backup.id) / "data/base/1/1259"), std::string(100'000, 'x'));
  EXPECT_EQ(get_file(to_.base(backup.id) / "data/pg_tblspc/16384/PG_17_1/5/1"),
            "of the tablespace");
  EXPECT_EQ(fs::read_symlink(to_.base(backup.id) / "data/pg_tblspc/16384"),
            to_.base(backup.id) / "16384")
      << "not where the other catalogue has it";
  const BackupInfo imported = to_.catalogue().load_backup(backup.id);
  EXPECT_THAT(imported.children_backup_ids, IsEmpty());
  EXPECT_EQ(imported.begin_wal, kFirst);
  EXPECT_EQ(to_.catalogue().find_keep(backup.id), catalogue::KeepTarget::standalone)
      << "no retention policy removes it";
  for (const char* const name : {kFirst, kLast}) {
    EXPECT_EQ(get_file(wal_archive::WalArchive(to_.server()).path_of(name)),
              get_file(wal_archive::WalArchive(from_.server()).path_of(name)));
    EXPECT_TRUE(wal_archive::WalIndex::open(to_.server().locations()).find(name)) << name;
  }
  EXPECT_THAT(refusal([&] { to_.import(tarball); }), HasSubstr("already exists in the catalog"));
}

TEST_F(TransferTest, WalThatIsThereAlreadyIsNotDoubled) {
  from_.put_backup();
  to_.put_wal(kFirst, "first");
  const fs::path tarball = from_.export_into(directory_.path());
  to_.import(tarball);
  std::size_t lines = 0;
  wal_archive::WalIndex::open(to_.server().locations()).for_each([&](const auto&) {
    ++lines;
    return wal_archive::Visit::proceed;
  });
  EXPECT_EQ(lines, 2U);
}

TEST_F(TransferTest, WhatCannotBeImportedLeavesNothing) {
  from_.put_backup();
  const fs::path tarball = from_.export_into(directory_.path());
  const std::vector<std::string> before = to_.names();
  // One bit of the content.
  std::string bytes = get_file(tarball);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  const fs::path damaged = directory_.path() / "damaged" / tarball.filename();
  put_file(damaged, bytes);
  EXPECT_THAT(refusal([&] { to_.import(damaged); }), HasSubstr("checksum mismatch"));
  put_file(damaged, bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(refusal([&] { to_.import(damaged); }), HasSubstr("checksum mismatch"));
  EXPECT_EQ(to_.names(), before);
  Site other("8");
  const std::vector<std::string> other_before = other.names();
  EXPECT_THAT(refusal([&] { other.import(tarball); }),
              AllOf(HasSubstr("has systemid '7'"), HasSubstr("has systemid '8'")));
  EXPECT_EQ(other.names(), other_before);
  to_.put_wal(kLast, "of another history");
  EXPECT_THAT(refusal([&] { to_.import(tarball); }),
              AllOf(HasSubstr("conflicting content"), HasSubstr(kLast)));
  EXPECT_THAT(to_.catalogue().list_backups().backups, IsEmpty());
}

TEST_F(TransferTest, AnExportHasAllOrDoesNotAppear) {
  const BackupInfo backup = from_.put_backup();
  const fs::path wal = wal_archive::WalArchive(from_.server()).path_of(kLast);
  const std::string content = get_file(wal);
  fs::remove(wal);
  EXPECT_THAT(refusal([&] { from_.export_into(directory_.path()); }),
              AllOf(HasSubstr("WAL file required"), HasSubstr(kLast)));
  put_file(wal, content);
  ASSERT_EQ(::mkfifo((from_.base(backup.id) / "data/pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal([&] { from_.export_into(directory_.path()); }),
              HasSubstr("neither a file nor a directory"));
  EXPECT_TRUE(fs::is_empty(directory_.path())) << "also no temporary file";
}

TEST_F(TransferTest, OnlyCompleteFullBackupsAreExported) {
  BackupInfo backup = from_.put_backup();
  backup.status = catalogue::BackupStatus::waiting_for_wals;
  from_.catalogue().save(backup);
  EXPECT_THAT(refusal([&] { from_.export_into(directory_.path()); }),
              HasSubstr("'WAITING_FOR_WALS', expected 'DONE'"));
  backup.status = catalogue::BackupStatus::done;
  backup.parent_backup_id = catalogue::BackupId{"20261120T010000"};
  from_.catalogue().save(backup);
  EXPECT_THAT(refusal([&] { from_.export_into(directory_.path()); }),
              HasSubstr("incremental backup"));
}

TEST(ExportLevel, IsOneOfItsAlgorithm) {
  EXPECT_EQ(parse_export_level(compression::Algorithm::gzip, "9"), 9);
  EXPECT_EQ(parse_export_level(compression::Algorithm::xz, "0"), 0);
  for (const char* const wrong : {"0", "10", "-1", "", "x"}) {
    EXPECT_THROW(parse_export_level(compression::Algorithm::gzip, wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace barman::transfer
