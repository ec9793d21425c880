#include "sync/wanted_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_support.h"
#include "catalogue/test_support.h"
#include "sync/primary_node.h"

namespace barman::sync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Selection : public testing::Test {
 protected:
  Selection() : locations_(catalogue::default_locations("main", home_.path() / "main")) {
    backup_.id = {"20260101T000000"};
    backup_.status = catalogue::BackupStatus::done;
    backup_.begin_wal = "000000010000000000000003";
    put("000000010000000000000002\t1\t1.5\tNone\tNone\n"
        "000000010000000000000003\t2\t2.5\tgzip\tNone\n"
        "000000010000000000000003.00000028.backup\t3\t3.5\tNone\tNone\n"
        "000000010000000000000004\t4\t4.0\tgzip\tgpg\n");
  }
  void put(const std::string& lines) { put_file(locations_.wal_index_path(), lines); }
  WantedWal select(const SyncRequest& request) const {
    return select_wals(wal_archive::WalIndexSnapshot::take(locations_), {backup_}, request);
  }
  // The ends of the selected names.
  std::vector<std::string> names(const SyncRequest& request) const {
    const auto index = wal_archive::WalIndexSnapshot::take(locations_);
    const WantedWal selection = select_wals(index, {backup_}, request);
    std::vector<std::string> result;
    index.for_each(
        [&](const wal_archive::WalIndexLine& line) {
          if (selection.includes(line.name)) result.emplace_back(line.name.substr(23));
          return wal_archive::Visit::proceed;
        },
        selection.begin_offset);
    EXPECT_EQ(result.size(), selection.count);
    return result;
  }
  std::string refusal(const SyncRequest& request) const {
    try {
      select(request);
    } catch (const Error& error) {
      return error.describe();
    }
    return "";
  }

  TemporaryDirectory home_;
  catalogue::CatalogueLocations locations_;
  catalogue::BackupInfo backup_;
};

TEST_F(Selection, BeginsAtTheFirstBackup) {
  EXPECT_THAT(names({}), ElementsAre("3", "3.00000028.backup", "4"));
  const WantedWal selection = select({});
  EXPECT_EQ(selection.last_name, "000000010000000000000004");
  EXPECT_EQ(selection.last_position, 41U + 41U + 57U);
}

TEST_F(Selection, ContinuesBehindTheLastWal) {
  EXPECT_THAT(names({.last_wal = "000000010000000000000003"}),
              ElementsAre("3.00000028.backup", "4"));
  // The position saves reading; a wrong one does no harm.
  EXPECT_EQ(select({.last_wal = "000000010000000000000003", .last_position = 41}).begin_offset,
            41U);
  EXPECT_EQ(select({.last_wal = "000000010000000000000003", .last_position = 40}).begin_offset, 0U);
  EXPECT_EQ(
      select({.last_wal = "000000010000000000000003", .last_position = 1U << 30U}).begin_offset,
      0U);
  for (const std::uint64_t position : {0U, 40U, 41U, 82U, 500U}) {
    EXPECT_THAT(names({.last_wal = "000000010000000000000003", .last_position = position}),
                ElementsAre("3.00000028.backup", "4"));
  }
  EXPECT_EQ(select({.last_wal = "000000010000000000000003.00000028.backup", .last_position = 82})
                .begin_offset,
            82U);
  EXPECT_THAT(names({.last_wal = "000000010000000000000004", .last_position = 139}), IsEmpty());
}

TEST_F(Selection, TakesPositionZeroOfACatalogueWithOneLine) {
  put("000000010000000000000003\t2\t2.5\tgzip\tNone\n");
  EXPECT_EQ(select({}).last_position, 0U);
  EXPECT_THAT(names({.last_wal = "000000010000000000000003", .last_position = 0}), IsEmpty());
}

TEST_F(Selection, RefusesWhatTheIndexDoesNotReach) {
  EXPECT_EQ(refusal({.last_wal = "000000010000000000000001"}),
            "last_wal '000000010000000000000001' is older than the first available wal "
            "'000000010000000000000002'");
  EXPECT_EQ(refusal({.last_wal = "000000010000000000000005"}),
            "last_wal '000000010000000000000005' is newer than the last available wal  "
            "'000000010000000000000004'");
  EXPECT_EQ(refusal({.last_wal = "000000010000000000000002", .last_position = 0}), "");
}

TEST_F(Selection, TellsNothingOfAnEmptyIndex) {
  put("");
  EXPECT_EQ(select({}).last_name, "");
  EXPECT_EQ(select({.last_wal = "000000010000000000000005", .last_position = 3}).count, 0U);
}

TEST_F(Selection, NamesADamagedLine) {
  put("000000010000000000000003\t2\t2.5\tgzip\tNone\nwhat\n000000010000000000000004\t4\t4.0\n");
  EXPECT_THAT(refusal({}), HasSubstr("cannot parse line 2 of "));
  put("000000010000000000000003\t2\t2.5\tgzip\tNone\nwhat\n");
  EXPECT_THAT(refusal({}), HasSubstr("cannot parse the last line of "));
}

TEST_F(Selection, SnapshotDoesNotSeeWhatComesLater) {
  const auto index = wal_archive::WalIndexSnapshot::take(locations_);
  wal_archive::WalIndex::open(locations_).append({.name = "000000010000000000000005"});
  EXPECT_EQ(index.find_last_line()->name, "000000010000000000000004");
  {
    auto all = wal_archive::WalIndex::open(locations_);
    all.cut_out(all.find_lines([](const auto&) { return true; }));
  }
  int count = 0;
  index.for_each([&](const wal_archive::WalIndexLine&) {
    ++count;
    return wal_archive::Visit::proceed;
  });
  EXPECT_EQ(count, 4);
}

TEST(PrimaryCommand, QuotesForBothShells) {
  config::ServerConfig config;
  config.name = "main";
  config.primary_ssh_command = "env ssh -p 22 barman@primary";
  const auto line = [&](const std::string& path, const SyncRequest& request) {
    return primary_host(config).command(primary_command(config, path, request)).back();
  };
  EXPECT_EQ(line("/etc/barman.conf", {}), "env ssh -p 22 barman@primary barman sync-info main");
  config.forward_config_path = true;
  EXPECT_EQ(line("/etc/b c.conf", {.last_wal = "A", .last_position = 7}),
            "env ssh -p 22 barman@primary barman -c ''\\''/etc/b c.conf'\\''' sync-info main A 7");
}

}  // namespace
}  // namespace barman::sync
