#include "catalogue/minimal_wal.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;

class NotedMinimalWal : public testing::Test {
 protected:
  NotedMinimalWal() { fs::create_directories(directory_); }
  ~NotedMinimalWal() override { fs::remove_all(directory_); }

  const fs::path directory_ =
      fs::temp_directory_path() / fmt::format("barman-minimal-wal-{}", ::getpid());
  const MinimalWal first_{"000000010000000000000003", {0x3000100}, {0x30000A0}};
  const MinimalWal second_{"000000010000000000000007", {0x7000100}, {0x70000A0}};
};

TEST_F(NotedMinimalWal, IsKeptInOrderAndOnce) {
  EXPECT_TRUE(list_minimal_wal(directory_).empty());
  note_minimal_wal(directory_, {});
  EXPECT_TRUE(fs::is_empty(directory_));
  note_minimal_wal(directory_, {second_});
  note_minimal_wal(directory_, {first_, second_});
  EXPECT_EQ(list_minimal_wal(directory_), (std::vector<MinimalWal>{first_, second_}));
}

TEST_F(NotedMinimalWal, LeavesOutWhatItCannotRead) {
  std::ofstream(directory_ / ".minimal-wal")
      << "x\n000000010000000000000003 0/3000100 0/30000A0\n000000010000000000000003 0/3 \n"
         "00000001.history 0/3000100 0/30000A0\n000000010000000000000003 z 0/30000A0\n";
  EXPECT_EQ(list_minimal_wal(directory_), std::vector<MinimalWal>{first_});
}

TEST_F(NotedMinimalWal, DoesNotFailWhereNothingCanBeWritten) {
  note_minimal_wal(directory_ / "missing", {first_});
  EXPECT_TRUE(list_minimal_wal(directory_ / "missing").empty());
}

}  // namespace
}  // namespace barman::catalogue
