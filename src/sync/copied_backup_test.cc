#include "sync/copied_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/digest.h"
#include "base/test_support.h"
#include "catalogue/test_support.h"
#include "postgres/backup_manifest.h"

namespace barman::sync {
namespace {

namespace fs = std::filesystem;
using pipeline::TarMemberType;
using testing::HasSubstr;

struct Sent {
  std::string path;
  std::string content;
  TarMemberType type = TarMemberType::regular;
};

class Copy : public testing::Test {
 protected:
  Copy() {
    backup_ = catalogue::make_backup("20260101T000000", "000000010000000000000002",
                                     "000000010000000000000003");
    backup_.mode = "postgres";
    backup_.begin_xlog = wal::Lsn{0x2000028};
    backup_.systemid = "7000000000000000001";
    backup_.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
    sent_ = {{"data", "", TarMemberType::directory},
             {"data/global", "", TarMemberType::directory},
             {"data/PG_VERSION", "17\n"},
             {"data/global/pg_control", "control"},
             {"16384", "", TarMemberType::directory},
             {"16384/table", "rows"}};
    files_ = {{"PG_VERSION", "17\n"},
              {"global/pg_control", "control"},
              {"pg_tblspc/16384/table", "rows"}};
  }

  std::string manifest(DigestAlgorithm algorithm = DigestAlgorithm::crc32c) const {
    std::string text;
    postgres::ManifestWriter writer([&](std::string_view piece) { text += piece; },
                                    postgres::SystemId{7000000000000000001U});
    for (const auto& [path, content] : files_) {
      writer.add_file({.path = path,
                       .size_bytes = content.size(),
                       .last_modified = "2026-01-01 00:00:00 GMT",
                       .algorithm = algorithm,
                       .checksum = digest_of(algorithm, content)});
    }
    writer.add_wal_range(
        {.timeline = wal::TimelineId{1}, .start = wal::Lsn{0x2000028}, .end = wal::Lsn{0x2000100}});
    writer.finish();
    return text;
  }
  std::string listing() const {
    std::string text;
    for (const Sent& sent : sent_) {
      if (sent.type != TarMemberType::regular) continue;
      text +=
          digest_of(DigestAlgorithm::sha256, sent.content) + "  /primary/ID/" + sent.path + "\n";
    }
    return text;
  }
  // Writes what was sent into a new directory.
  CopiedBackup& receive() {
    directory_.emplace();
    copy_.reset();
    writer_ = stored::make_copy_writer(directory_->path(), stored::CopiedLinks::make);
    copy_.emplace(directory_->path(), backup_, writer_->begin_tree({}));
    for (const Sent& sent : sent_) {
      const bool is_link = sent.type == TarMemberType::symlink;
      copy_->begin_member({.path = sent.path,
                           .type = sent.type,
                           .mode = 0700,
                           .size_bytes = is_link ? 0 : sent.content.size(),
                           .link_target = is_link ? sent.content : ""});
      if (sent.type == TarMemberType::regular) copy_->write(as_bytes(sent.content));
      copy_->end_member();
    }
    copy_->finish();
    writer_->make_durable();
    return *copy_;
  }
  template <typename Action>
  std::string refusal(const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      return error.describe();
    }
    return "";
  }
  std::string judge() {
    return refusal([&] {
      CopiedBackup& copy = receive();
      copy.require_whole();
      EXPECT_TRUE(copy.confirm_by_manifest());
    });
  }

  catalogue::BackupInfo backup_;
  std::vector<Sent> sent_;
  std::vector<std::pair<std::string, std::string>> files_;
  std::optional<TemporaryDirectory> directory_;
  std::unique_ptr<stored::BackupWriter> writer_;
  std::optional<CopiedBackup> copy_;
};

TEST_F(Copy, IsWhatItsManifestSays) {
  for (const auto algorithm : {DigestAlgorithm::crc32c, DigestAlgorithm::sha256}) {
    std::vector<Sent> before = sent_;
    sent_.push_back({"data/backup_manifest", manifest(algorithm)});
    EXPECT_EQ(judge(), "");
    EXPECT_EQ(read_file(directory_->path() / "16384" / "table"), "rows");
    sent_[5].content = "rowz";
    EXPECT_THAT(judge(), HasSubstr("file \"pg_tblspc/16384/table\" arrived with checksum "));
    sent_[5].content = "row";
    EXPECT_THAT(judge(), HasSubstr("arrived with 3 bytes instead of 4"));
    sent_.erase(sent_.begin() + 5);
    EXPECT_THAT(judge(), HasSubstr("is in the manifest but did not arrive"));
    sent_ = std::move(before);
  }
}

TEST_F(Copy, NeedsTheManifestOfThisBackup) {
  sent_.push_back({"data/backup_manifest", manifest()});
  backup_.begin_xlog = wal::Lsn{0x3000028};
  EXPECT_THAT(judge(), HasSubstr("the manifest is of another backup"));
  backup_.begin_xlog = wal::Lsn{0x2000028};
  backup_.systemid = "1";
  EXPECT_THAT(judge(), HasSubstr("the manifest is of another cluster"));
  backup_.systemid.reset();
  EXPECT_EQ(judge(), "");
  sent_.back().content.pop_back();
  sent_.back().content.pop_back();
  EXPECT_THAT(judge(), HasSubstr("backup_manifest"));
}

TEST_F(Copy, OfChangedSettingsIsTold) {
  sent_.push_back({"data/postgresql.auto.conf", "changed"});
  files_.push_back({"postgresql.auto.conf", "settings"});
  sent_.push_back({"data/backup_manifest", manifest()});
  EXPECT_EQ(judge(), "");
}

TEST_F(Copy, HasWhatEveryBackupHas) {
  const std::vector<Sent> all = sent_;
  const auto judge_without = [&](std::size_t index) {
    sent_ = all;
    sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(index));
    return refusal([&] { receive().require_whole(); });
  };
  EXPECT_THAT(judge_without(2), HasSubstr("without \"data/PG_VERSION\""));
  EXPECT_THAT(judge_without(3), HasSubstr("without \"data/global/pg_control\""));
  sent_ = {all.begin(), all.begin() + 4};
  EXPECT_THAT(refusal([&] { receive().require_whole(); }),
              HasSubstr("without its tablespace 'ts' (16384)"));
  sent_.clear();
  EXPECT_THAT(refusal([&] { receive().require_whole(); }), HasSubstr("without"));
  sent_ = all;
  sent_.push_back(all.back());
  EXPECT_THAT(refusal([&] { receive(); }), HasSubstr("twice"));
}

TEST_F(Copy, OfArchivesHasAllOfThem) {
  backup_.compression = "gzip";
  sent_ = {{"data", "", TarMemberType::directory},
           {"data/base.tar.gz", "x"},
           {"data/16384.tar.gz", "y"}};
  EXPECT_EQ(refusal([&] { receive().require_whole(); }), "");
  sent_[2].content = "";
  EXPECT_THAT(refusal([&] { receive().require_whole(); }), HasSubstr("16384.tar.gz"));
  sent_.pop_back();
  EXPECT_THAT(refusal([&] { receive().require_whole(); }), HasSubstr("\"16384.tar\""));
}

TEST_F(Copy, IsComparedWithTheListOfThePrimary) {
  sent_.push_back({"data/a\\b\nc", "odd"});
  const auto confirm = [&](const std::string& text) {
    return refusal([&] { receive().confirm_by_listing(text, "/primary/ID"); });
  };
  std::string text = listing();
  const std::string odd = digest_of(DigestAlgorithm::sha256, "odd");
  text.resize(text.find(odd));
  text += "\\" + odd + "  /primary/ID/data/a\\\\b\\nc\n";
  text += odd + "  /primary/ID/backup.info\n";
  EXPECT_EQ(confirm(text), "");
  EXPECT_FALSE(copy_->confirm_by_manifest());
  EXPECT_THAT(confirm(text + odd + "  /primary/ID/data/more\n"),
              HasSubstr("\"data/more\" is on the primary node but did not arrive"));
  EXPECT_THAT(confirm(text.substr(text.find('\n') + 1)), HasSubstr("1 file(s) arrived"));
  EXPECT_THAT(confirm(""), HasSubstr("file(s) arrived"));
  EXPECT_THAT(confirm(text + "gone"), HasSubstr("no list of SHA-256 digests"));
  EXPECT_THAT(confirm(odd + "  /elsewhere/x\n"), HasSubstr("no list of SHA-256 digests"));
  sent_[5].content = "rowz";
  EXPECT_THAT(confirm(text), HasSubstr("file \"16384/table\" arrived with the SHA-256 "));
}

TEST_F(Copy, HasNoLinksThatLeadOut) {
  const TemporaryDirectory elsewhere;
  sent_.push_back({"data/pg_tblspc", "", TarMemberType::directory});
  sent_.push_back({"data/pg_tblspc/16384", "/srv/ts", TarMemberType::symlink});
  sent_.push_back({"data/backup_manifest", elsewhere.path() / "x", TarMemberType::symlink});
  sent_.push_back({"data/up", "../../x", TarMemberType::symlink});
  sent_.push_back({"data/global/in", "../PG_VERSION", TarMemberType::symlink});
  sent_.push_back({"other", elsewhere.path(), TarMemberType::symlink});
  receive();
  const auto is_link = [&](const char* path) {
    return fs::is_symlink(fs::symlink_status(directory_->path() / path));
  };
  EXPECT_FALSE(is_link("data/pg_tblspc/16384"));
  EXPECT_FALSE(is_link("data/backup_manifest"));
  EXPECT_FALSE(is_link("data/up"));
  EXPECT_TRUE(is_link("data/global/in"));
  EXPECT_FALSE(is_link("other"));
}

TEST(LeadsOutside, CountsLevels) {
  EXPECT_FALSE(leads_outside("a", "b"));
  EXPECT_FALSE(leads_outside("a/b", "../c"));
  EXPECT_FALSE(leads_outside("a/b", "./c/../d"));
  for (const char* target : {"", "/etc", "..", "../..", ".", "c/../../..", "../../a/b"}) {
    EXPECT_TRUE(leads_outside("a/b", target) || std::string(target) == ".") << target;
  }
  EXPECT_TRUE(leads_outside("a", "../b"));
  EXPECT_TRUE(leads_outside("a", "."));
}

}  // namespace
}  // namespace barman::sync
