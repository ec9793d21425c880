#include "transfer/staging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/test_support.h"

namespace barman::transfer {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What would be written.
class SeenTree final : public stored::TreeSink {
 public:
  void begin_member(const TarMember& member) override { members.push_back(member.path); }
  void write(Bytes data) override { content += as_text(data); }
  void end_member() override { content += "|"; }
  void finish() override {}

  std::vector<std::string> members;
  std::string content;
};

class StagingTest : public testing::Test {
 protected:
  void put(const TarMember& member, std::string_view content = {}) {
    staging_.begin_member(member);
    staging_.write(as_bytes(content));
    staging_.end_member();
  }
  std::string refusal(const TarMember& member) {
    try {
      put(member);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      return error.message();
    }
    return "";
  }

  const TemporaryDirectory directory_;
  SeenTree tree_;
  Staging staging_{directory_.path(), tree_};
};

constexpr const char* kWal = "wals/0000000100000000/000000010000000000000002";

TEST_F(StagingTest, TakesTheBackupAndItsWalAndKeepsTheTexts) {
  EXPECT_FALSE(staging_.has_backup());
  EXPECT_FALSE(staging_.has_wals());
  put({.path = "identity.json"}, "{}");
  put({.path = "barman.json"}, "for people");
  put({.path = "xlog.db"}, "line\n");
  put({.path = "backup", .type = TarMemberType::directory});
  put({.path = "backup/data/PG_VERSION"}, "17");
  put({.path = kWal}, "wal");
  put({.path = "backups/of_somebody"}, "x");
  EXPECT_EQ(staging_.find_text("identity.json"), "{}");
  EXPECT_EQ(staging_.find_text("xlog.db"), "line\n");
  EXPECT_EQ(staging_.find_text("backup.info"), std::nullopt);
  EXPECT_EQ(staging_.find_text("barman.json"), std::nullopt);
  EXPECT_THAT(tree_.members, ElementsAre("backup", "backup/data/PG_VERSION", kWal));
  EXPECT_EQ(tree_.content, "|17|wal|");
  EXPECT_TRUE(staging_.has_backup());
  EXPECT_TRUE(staging_.has_wals());
  EXPECT_TRUE(std::filesystem::is_directory(directory_.path() / "wals/0000000100000000"))
      << "not every writer names it";
}

TEST_F(StagingTest, TheLinksOfTablespacesAreMadeAnewAndOthersRefused) {
  put({.path = "backup/data/pg_tblspc/16384",
       .type = TarMemberType::symlink,
       .link_target = "/srv/other/base/1/16384"});
  EXPECT_THAT(tree_.members, IsEmpty());
  for (const char* const path : {"backup/data/base", "backup/data/pg_tblspc/16384/x", "backup",
                                 "wals/0000000100000000", kWal}) {
    EXPECT_THAT(refusal({.path = path, .type = TarMemberType::symlink, .link_target = "/etc"}),
                HasSubstr("unsafe member type: '" + std::string(path) + "'"));
  }
  EXPECT_THAT(tree_.members, IsEmpty());
}

TEST_F(StagingTest, WalLiesWhereItsNameSays) {
  for (const char* const path :
       {"wals/000000010000000000000002", "wals/0000000200000000/000000010000000000000002",
        "wals/0000000100000000/notes", "wals/0000000100000000/000000010000000000000002.tmp",
        "wals"}) {
    EXPECT_THAT(refusal({.path = path}), HasSubstr("unsafe path")) << path;
  }
  EXPECT_EQ(refusal({.path = "wals/00000002.history"}), "");
}

TEST_F(StagingTest, ATextIsNoMountainAndComesOnce) {
  EXPECT_THAT(refusal({.path = "xlog.db", .size_bytes = std::uint64_t{1} << 40}),
              HasSubstr("'xlog.db' of the tarball has 1099511627776 bytes"));
  put({.path = "backup.info"}, "old");
  put({.path = "backup.info"}, "new");
  EXPECT_EQ(staging_.find_text("backup.info"), "new");
}

}  // namespace
}  // namespace barman::transfer
