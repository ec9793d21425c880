#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/test_support.h"
#include "cli/barman_program.h"
#include "command_line/parser.h"

namespace barman::cli {
namespace {

namespace fs = std::filesystem;

// In a directory with these files.
int code_of(const std::vector<std::string>& words, const std::vector<std::string>& files = {}) {
  const TemporaryDirectory place;
  for (const std::string& file : files) put_file(place.path() / file, "");
  const fs::path before = fs::current_path();
  fs::current_path(place.path());
  const auto line = command_line::parse_line(barman_program(), words);
  const int code = failure_code(line.command->name, line.arguments);
  fs::current_path(before);
  return code;
}

TEST(FailureCode, OfGetWalStopsARecoveryThatMayWait) {
  EXPECT_EQ(code_of({"get-wal", "main", "W"}), 126);
  EXPECT_EQ(code_of({"get-wal", "-P", "main", "W"}, {"recovery.signal"}), 126);
  // PostgreSQL takes both for a standby.
  EXPECT_EQ(code_of({"get-wal", "main", "W"}, {"recovery.signal", "standby.signal"}), 1);
  EXPECT_EQ(code_of({"get-wal", "--test", "main", "W"}), 1);
  EXPECT_EQ(code_of({"get-wal", "--peek", "3", "main", "W"}), 1);
  EXPECT_EQ(code_of({"get-wal", "-o", "/d", "main", "W"}), 1);
}

TEST(FailureCode, OfCloudWalRestoreStopsTheRecoveryThatCalls) {
  EXPECT_EQ(code_of({"cloud-wal-restore", "main", "W", "D"}, {"recovery.signal"}), 126);
  EXPECT_EQ(code_of({"cloud-wal-restore", "main", "W", "D"}), 1);
  EXPECT_EQ(code_of({"cloud-wal-restore", "main", "W", "D"}, {"standby.signal"}), 1);
  EXPECT_EQ(code_of({"list-servers"}, {"recovery.signal"}), 1);
}

}  // namespace
}  // namespace barman::cli
