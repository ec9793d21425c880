// What receive-wal says before it has a server; its loop is tried in receive_loop_test.cc.
#include "wal_transfer/receive_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal_of(ErrorKind kind, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.describe();
    return error.describe() + "\n" + error.hint();
  }
  return "done";
}

TEST(ReceiveWal, NeedsItsSettingsAndAServer) {
  TestServer test;
  RecordedMessages messages;
  test.config.streaming_archiver = false;
  EXPECT_THAT(refusal_of(ErrorKind::config, [&] { require_receiver(test.make()); }),
              HasSubstr("streaming_archiver option set to"));
  EXPECT_THAT(refusal_of(ErrorKind::config, [&] { reset_receive_wal(test.make(), messages); }),
              HasSubstr("streaming_archiver option set to"));
  test.config.streaming_archiver = true;
  const std::string nowhere = "host=" + (test.home.path() / "no_socket").string() + " user=x";
  test.config.conninfo = nowhere;
  test.config.streaming_conninfo = nowhere;
  EXPECT_THAT(
      refusal_of(ErrorKind::connection, [&] { receive_wal(test.make(), messages); }),
      testing::AllOf(HasSubstr("Impossible to start WAL streaming"), HasSubstr("no_socket")));
  EXPECT_THAT(messages.lines, IsEmpty()) << "nothing has been started";
}

TEST(ReceiveWal, ASlotNeedsItsSettings) {
  TestServer test;
  RecordedMessages messages;
  for (const auto& action :
       {std::function<void()>([&] { create_slot(test.make(), WhenSlotExists::fail, messages); }),
        std::function<void()>([&] { drop_slot(test.make(), messages); })}) {
    test.config.streaming_conninfo.reset();
    test.config.slot_name = "barman";
    EXPECT_THAT(refusal_of(ErrorKind::config, action),
                HasSubstr("streaming connection not configured"));
    test.config.streaming_conninfo = "host=/nowhere";
    test.config.slot_name.reset();
    EXPECT_THAT(refusal_of(ErrorKind::config, action),
                HasSubstr("slot_name configuration option required"));
    test.config.slot_name = "barman";
    EXPECT_THAT(refusal_of(ErrorKind::connection, action),
                HasSubstr("Cannot connect to server 'main'"));
  }
  EXPECT_THAT(messages.lines, IsEmpty()) << "nothing has been begun";
}

}  // namespace
}  // namespace barman::wal_transfer
