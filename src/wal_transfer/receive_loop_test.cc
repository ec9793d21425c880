// The loop over sessions that do what the test tells them.
#include "wal_transfer/receive_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using replication::WalReceiverEvents;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each session is the next step; when there are no more, the user ends the process.
class PlannedSession final : public WalSession {
 public:
  using Step = std::function<void(WalReceiverEvents& events)>;

  PlannedSession(std::vector<Step> steps, std::stop_source& stop)
      : steps_(std::move(steps)), stop_(stop) {}

  void stream(WalReceiverEvents& events) override {
    if (count == steps_.size()) {
      stop_.request_stop();
      return;
    }
    steps_[count++](events);
  }
  bool has_streamed() const override { return is_begun; }

  std::size_t count = 0;
  bool is_begun = true;

 private:
  const std::vector<Step> steps_;
  std::stop_source& stop_;
};

class ReceiveLoopTest : public testing::Test {
 protected:
  ReceiveLoopTest() { test_.config.streaming_archiver_prompt = false; }

  static PlannedSession::Step failing(ErrorKind kind, const std::string& text) {
    return [=](WalReceiverEvents&) { throw Error(kind, text, "Do something."); };
  }
  static PlannedSession::Step busy() {
    return [](WalReceiverEvents&) {
      throw replication::SlotBusy(ErrorKind::conflict, "the slot is in use");
    };
  }
  server::Server server() const {
    config::GlobalConfig global;
    global.barman_lock_directory = test_.home.path().string();
    server::ProgramContext program;
    program.interrupt = Interrupt(stop_.get_token(), -1, nullptr);
    return {test_.config, global, program};
  }
  // What ended it; "" = the user.
  std::string run(std::vector<PlannedSession::Step> steps) {
    PlannedSession session(std::move(steps), stop_);
    session.is_begun = is_begun_;
    const server::Server server = this->server();
    std::string reason;
    try {
      ReceiveLoop(server, session, messages_, patience_).run();
    } catch (const Error& error) {
      reason = error.describe_with_hint();
    }
    count_ = session.count;
    return reason;
  }
  std::filesystem::path put_segment(unsigned number) const {
    const std::filesystem::path path = test_.streaming(wal_name(number));
    put_wal_file(path, "x");
    return path;
  }

  TestServer test_;
  std::stop_source stop_;
  RecordedMessages messages_;
  ReceivePatience patience_ = {.pauses = {std::chrono::milliseconds(1)}};
  bool is_begun_ = true;
  std::size_t count_ = 0;
};

TEST_F(ReceiveLoopTest, OpensALostSessionAgain) {
  const auto lost = failing(ErrorKind::connection, "the server is gone");
  EXPECT_EQ(run({lost, lost, failing(ErrorKind::connection, "no route"), lost}), "");
  EXPECT_EQ(count_, 4U);
  EXPECT_THAT(messages_.lines,
              ElementsAre("WARNING: main: WAL streaming was interrupted (the server is gone); "
                          "trying again until it succeeds",
                          "WARNING: main: WAL streaming was interrupted (no route); trying again "
                          "until it succeeds",
                          HasSubstr("the server is gone")))
      << "the same one is told once";
}

TEST_F(ReceiveLoopTest, TellsTheSameFailureAgainAfterAWhile) {
  patience_.repeat_report = std::chrono::milliseconds(0);
  const auto lost = failing(ErrorKind::connection, "the server is gone");
  EXPECT_EQ(run({lost, lost}), "");
  EXPECT_EQ(messages_.lines.size(), 2U);
}

TEST_F(ReceiveLoopTest, EndsForWhatDoesNotPassByItself) {
  for (const ErrorKind kind : {ErrorKind::not_found, ErrorKind::config, ErrorKind::corrupt,
                               ErrorKind::io, ErrorKind::conflict, ErrorKind::permission}) {
    EXPECT_EQ(run({failing(kind, "no way"), failing(kind, "again")}),
              "ArchiverFailure:no way\nHINT: Do something.");
    EXPECT_EQ(count_, 1U);
  }
  EXPECT_THAT(messages_.lines, IsEmpty());
}

TEST_F(ReceiveLoopTest, EndsQuietlyWhenItIsInterrupted) {
  EXPECT_EQ(run({failing(ErrorKind::interrupted, "SIGTERM")}), "");
  EXPECT_EQ(count_, 1U);
  EXPECT_THAT(messages_.lines, IsEmpty());
  stop_.request_stop();
  EXPECT_EQ(run({failing(ErrorKind::internal, "was not to be asked")}), "");
  EXPECT_EQ(count_, 0U);
}

// The second pause would outlast the test.
TEST_F(ReceiveLoopTest, TriesSoonAgainWhenItHasStreamed) {
  patience_.pauses = {std::chrono::milliseconds(1), std::chrono::hours(24)};
  const auto streams_and_fails = [](WalReceiverEvents& events) {
    events.on_streaming();
    throw Error(ErrorKind::connection, "cut");
  };
  EXPECT_EQ(run({streams_and_fails, streams_and_fails, streams_and_fails}), "");
  EXPECT_EQ(count_, 3U);
}

TEST_F(ReceiveLoopTest, WaitsForItsOwnOldSessionOnly) {
  EXPECT_EQ(run({busy(), busy()}), "");
  EXPECT_EQ(count_, 2U) << "the server has not noticed yet that it is gone";
  is_begun_ = false;
  stop_ = std::stop_source();
  EXPECT_EQ(run({busy()}), "ArchiverFailure:the slot is in use") << "somebody else's";
}

TEST_F(ReceiveLoopTest, DoesNotWaitForASlotForEver) {
  patience_.busy_slot = std::chrono::milliseconds(0);
  EXPECT_EQ(run({busy()}), "ArchiverFailure:the slot is in use");
}

TEST_F(ReceiveLoopTest, MarksTheNextSegment) {
  const auto path = put_segment(1);
  EXPECT_EQ(run({[&](WalReceiverEvents& events) { events.on_segment_complete(path); }}), "");
  EXPECT_THAT(list_names(test_.config.streaming_wals_directory),
              ElementsAre(wal_name(1), wal_name(2) + ".partial"));
  EXPECT_EQ(wal_archive::find_receiver_note(test_.config.backup_directory).segment, "")
      << "the archive will tell what it holds";
}

TEST_F(ReceiveLoopTest, NotesTheEndOfWhatTheArchiveCannotTell) {
  test_.config.encryption = config::Encryption::gpg;
  test_.config.encryption_key_id = "somebody";
  const auto path = put_segment(1);
  EXPECT_EQ(run({[&](WalReceiverEvents& events) { events.on_segment_complete(path); }}), "");
  const wal_archive::ReceiverNote note =
      wal_archive::find_receiver_note(test_.config.backup_directory);
  EXPECT_EQ(note.segment, wal_name(1));
  EXPECT_FALSE(note.end.sha256.empty());
}

TEST_F(ReceiveLoopTest, NotesTheTimelineBeforeAFileOfIt) {
  EXPECT_EQ(run({[&](WalReceiverEvents& events) { events.on_timeline({3}); }}), "");
  EXPECT_EQ(wal_archive::find_receiver_note(test_.config.backup_directory).timeline,
            wal::TimelineId{3});
}

// An archiver that has begun without the note would take the newest file of the old one away.
TEST_F(ReceiveLoopTest, BeginsAnOlderTimelineWhenNoArchiverIsAtWork) {
  put_wal_file(test_.streaming("000000040000000000000001"), "x");
  const auto begin = [](WalReceiverEvents& events) { events.on_timeline({3}); };
  std::optional<FileLock> archiver =
      FileLock::try_lock(catalogue::archive_wal_lock(server().locks()));
  ASSERT_TRUE(archiver);
  const auto begin_and_let_go = [&](WalReceiverEvents& events) {
    try {
      events.on_timeline({3});
    } catch (const Error&) {
      archiver.reset();
      throw;
    }
  };
  EXPECT_EQ(run({begin_and_let_go, begin}), "");
  EXPECT_EQ(count_, 2U);
  EXPECT_THAT(messages_.lines, ElementsAre(HasSubstr("archive-wal is at work")));
  EXPECT_EQ(wal_archive::find_receiver_note(test_.config.backup_directory).timeline,
            wal::TimelineId{3});
}

TEST_F(ReceiveLoopTest, TellsMessagesWithTheServer) {
  run({[](WalReceiverEvents& events) {
    events.on_message("starting");
    events.on_warning("a slot was lost");
  }});
  EXPECT_THAT(messages_.lines, ElementsAre("main: starting", "WARNING: main: a slot was lost"));
}

}  // namespace
}  // namespace barman::wal_transfer
