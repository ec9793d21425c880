#include "client/wal_destination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::client {
namespace {

namespace fs = std::filesystem;

class WalDestinationTest : public ::testing::Test {
 protected:
  static void write(WalDestination& destination, const std::string& text) {
    write_full(destination.begin(), as_bytes(text), destination.path());
  }
  TemporaryDirectory directory_;
  const fs::path path_ = directory_.path() / "RECOVERYXLOG";
  const fs::path part_ = directory_.path() / "RECOVERYXLOG.part";
};

TEST_F(WalDestinationTest, HasItsNameWhenItIsComplete) {
  {
    WalDestination destination(path_);
    write(destination, "a first attempt");
    EXPECT_FALSE(fs::exists(path_));
    write(destination, "wal");
    destination.keep();
  }
  EXPECT_EQ(read_file(path_), "wal");
  EXPECT_FALSE(fs::exists(part_));
}

TEST_F(WalDestinationTest, AFailureLeavesNothing) {
  put_file(path_, "old");
  put_file(part_, "of a killed process");
  {
    WalDestination destination(path_);
    write(destination, "half");
    destination.remove();
  }
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_F(WalDestinationTest, ADeviceIsWrittenToDirectly) {
  WalDestination destination("/dev/null");
  write(destination, "wal");
  destination.keep();
  destination.remove();
  EXPECT_TRUE(fs::exists("/dev/null"));
}

TEST_F(WalDestinationTest, SaysWhenItCannotBeOpened) {
  EXPECT_THROW(WalDestination(directory_.path() / "nowhere" / "x"), SystemError);
}

}  // namespace
}  // namespace barman::client
