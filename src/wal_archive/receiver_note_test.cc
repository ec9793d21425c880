#include "wal_archive/receiver_note.h"

#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::wal_archive {
namespace {

constexpr const char* kNoteName = ".receiver";

TEST(ReceiverNote, IsFoundAsItWasSaved) {
  const TemporaryDirectory directory;
  EXPECT_EQ(find_receiver_note(directory.path()).timeline, std::nullopt);
  ReceiverNote note;
  note.timeline = wal::TimelineId{3};
  save_receiver_note(directory.path(), note);
  EXPECT_EQ(find_receiver_note(directory.path()).timeline, wal::TimelineId{3});
  EXPECT_EQ(find_receiver_note(directory.path()).segment, "");
  note.segment = "000000030000000000000007";
  note.end = {.begin = {wal::TimelineId{3}, wal::Lsn{0x7FFF000}},
              .size_bytes = 4096,
              .sha256 = std::string(64, 'a')};
  save_receiver_note(directory.path(), note);
  const ReceiverNote found = find_receiver_note(directory.path());
  EXPECT_EQ(found.timeline, wal::TimelineId{3});
  EXPECT_EQ(found.segment, "000000030000000000000007");
  EXPECT_EQ(found.end.begin.timeline, wal::TimelineId{3});
  EXPECT_EQ(found.end.begin.lsn, wal::Lsn{0x7FFF000});
  EXPECT_EQ(found.end.size_bytes, 4096U);
  EXPECT_EQ(found.end.sha256, std::string(64, 'a'));
}

TEST(ReceiverNote, WhatCannotBeReadIsNone) {
  const TemporaryDirectory directory;
  for (const char* const text : {"", "timeline\n", "timeline x\n", "timeline 0\n", "timeline -1\n",
                                 "\xFF\xFE", "timeline 4294967296\n"}) {
    put_file(directory.path() / kNoteName, text);
    EXPECT_EQ(find_receiver_note(directory.path()).timeline, std::nullopt) << text;
  }
  // Half a line says nothing of the end, and takes nothing from the other line.
  put_file(directory.path() / kNoteName,
           "timeline 2\nend 000000020000000000000007 0/7FFF000 4096 aaaa\n");
  EXPECT_EQ(find_receiver_note(directory.path()).timeline, wal::TimelineId{2});
  EXPECT_EQ(find_receiver_note(directory.path()).segment, "");
}

}  // namespace
}  // namespace barman::wal_archive
