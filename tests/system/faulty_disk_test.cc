// Disks that fail while a backup is written: it is DONE only when the kernel has said that all of
// it is durable, and where a file system cannot do something the backup is taken without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <ostream>

#include "support/catalogue_files.h"
#include "support/fault_injection.h"
#include "support/streaming_site.h"

namespace barman::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

struct FailingCall {
  const char* system_call;
  const char* error;
  const char* text;
  // The first call of a backup keeps room for its metadata, and may fail.
  int when = 1;
};

void PrintTo(const FailingCall& call, std::ostream* out) {
  *out << call.system_call << ":" << call.error;
}

// A cluster with files that are written past the page cache.
class FaultyDisk : public testing::Test {
 protected:
  FaultyDisk() {
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 100000) g");
    site_.start_receiver();
    site_.archive_a_segment();
  }

  CommandResult back_up_with(const Fault& fault) {
    return run_command(with_fault(site_.barman.request({"backup", "--wait", "main"}), fault));
  }
  bool is_called(const std::string& system_call) {
    return count_calls(site_.barman.request({"backup", "main"}), system_call) > 0;
  }

  StreamingSite site_;
};

TEST_F(FaultyDisk, FailsABackupAndNotTheNextOne) {
  for (const FailingCall& call : {FailingCall{"fallocate", "ENOSPC", "No space left on device", 2},
                                  FailingCall{"syncfs", "EIO", "Input/output error"}}) {
    SCOPED_TRACE(testing::PrintToString(call));
    if (!is_called(call.system_call)) continue;  // not on this file system
    const CommandResult result = back_up_with({.system_call = call.system_call,
                                               .when = call.when,
                                               .action = std::string("error=") + call.error});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err,
                AllOf(HasSubstr("ERROR: Backup failed copying files"), HasSubstr(call.text),
                      HasSubstr((site_.server_directory() / "base").string())));
    const std::string failed = site_.listed_backups().at(0);
    EXPECT_EQ(site_.status_of(failed), "FAILED");
    EXPECT_THAT(read_backup_info(site_.barman, "main", failed).at("error"), HasSubstr(call.text));

    const std::string next = site_.take_backup();
    EXPECT_EQ(site_.status_of(next), "DONE");
    EXPECT_EQ(site_.backup_damage(next), "");
  }
}

TEST_F(FaultyDisk, HasNoCompleteBackupThatWasNotFlushed) {
  const std::string call = is_called("syncfs") ? "syncfs" : "fsync";
  const CommandResult result = back_up_with({.system_call = call});
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  EXPECT_THAT(site_.status_of(site_.listed_backups().at(0)), AnyOf("STARTED", "EMPTY"));
}

TEST_F(FaultyDisk, TakesTheBackupWhereNoSpaceCanBeReserved) {
  const CommandResult result =
      back_up_with({.system_call = "fallocate", .when = 2, .action = "error=EOPNOTSUPP"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string taken = site_.listed_backups().at(0);
  EXPECT_EQ(site_.status_of(taken), "DONE");
  EXPECT_EQ(site_.backup_damage(taken), "");
}

}  // namespace
}  // namespace barman::test
