#include "replication/backup_sequence.h"

#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::replication {
namespace {

const std::vector<BackupArchive> kArchives = {
    {.oid = 16384, .location = "/srv/a"}, {.oid = 16385, .location = "pg_tblspc/16385"}, {}};

class Recorder final : public BaseBackupVisitor {
 public:
  void begin_archive(const BackupArchive& archive) override {
    calls += std::to_string(archive.oid) + "(";
  }
  void write_archive(Bytes data) override { calls += as_text(data); }
  void end_archive() override { calls += ")"; }
  void begin_manifest() override { calls += "m("; }
  void write_manifest(Bytes data) override { calls += as_text(data); }
  void end_manifest() override { calls += ")"; }

  std::string calls;
};

// A letter a message: a, b, c the archives, m manifest, d data, p progress, others wrong ones.
std::string play(std::string_view messages, ManifestUse manifest = ManifestUse::required) {
  Recorder recorder;
  BackupSequence sequence(kArchives, manifest, ".tar", recorder);
  try {
    for (const char letter : messages) {
      if (letter == 'a') sequence.take(ArchiveBegin{"16384.tar", "/srv/a"});
      if (letter == 'b') sequence.take(ArchiveBegin{"16385.tar", "pg_tblspc/16385"});
      if (letter == 'c') sequence.take(ArchiveBegin{"base.tar", ""});
      if (letter == 'x') sequence.take(ArchiveBegin{"16384.tar", "/srv/other"});
      if (letter == 'y') sequence.take(ArchiveBegin{"16384.tar.gz", "/srv/a"});
      if (letter == 'm') sequence.take(ManifestBegin{});
      if (letter == 'd') sequence.take(BackupData{as_bytes("d")});
      if (letter == 'p') sequence.take(BackupProgress{1});
    }
    sequence.finish();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    return "refused";
  }
  return recorder.calls;
}

TEST(BackupSequence, HasOneRightEnd) {
  EXPECT_EQ(play("abcm"), "16384()16385()0()m()");
  EXPECT_EQ(play("padpdbcddmdpd"), "16384(dd)16385()0(dd)m(dd)");
  EXPECT_EQ(play("abc", ManifestUse::none), "16384()16385()0()");
  for (const std::string_view messages :
       {"", "m", "p", "abc", "abm", "abcmm", "abcma", "abcmc", "acbm", "aabcm", "bcm", "abccm",
        "dabcm", "mabc", "xbcm", "ybcm", "cm", "abcam"})
    EXPECT_EQ(play(messages), "refused") << messages;
  EXPECT_EQ(play("abcm", ManifestUse::none), "refused");
  EXPECT_EQ(play("ab", ManifestUse::none), "refused");
}

// Every string of up to seven messages: only one shape is taken.
TEST(BackupSequence, TakesNothingElse) {
  const std::string_view letters = "abcmd";
  std::function<void(std::string)> extend = [&](const std::string& messages) {
    std::string shape;
    bool is_misplaced = false;
    for (const char letter : messages) {
      if (letter != 'd') shape += letter;
      if (shape.empty()) is_misplaced = true;
    }
    EXPECT_EQ(play(messages) != "refused", shape == "abcm" && !is_misplaced) << messages;
    if (messages.size() == 6) return;
    for (const char letter : letters) extend(messages + letter);
  };
  extend("");
}

TEST(BackupSequence, CopiesOfOlderVersionsAreTakenInOrder) {
  Recorder recorder;
  BackupSequence sequence(kArchives, ManifestUse::required, ".tar", recorder);
  for (int part = 0; part < 4; ++part) {
    sequence.begin_part();
    sequence.take_data(as_bytes("d"));
  }
  sequence.finish();
  EXPECT_EQ(recorder.calls, "16384(d)16385(d)0(d)m(d)");
  EXPECT_THROW(sequence.begin_part(), Error);
}

TEST(BackupSequence, ServerCompressionGivesOtherNames) {
  Recorder recorder;
  const std::vector<BackupArchive> base = {{}};
  BackupSequence sequence(base, ManifestUse::none, ".tar.zst", recorder);
  EXPECT_THROW(sequence.take(ArchiveBegin{"base.tar", ""}), Error);
  sequence.take(ArchiveBegin{"base.tar.zst", ""});
  sequence.finish();
}

TEST(BackupAnnouncement, IsWhatPostgresqlCanSend) {
  EXPECT_NO_THROW(require_announcement(kArchives));
  EXPECT_NO_THROW(require_announcement({{}}));
  const BackupArchive base;
  const std::vector<std::vector<BackupArchive>> impossible = {
      {},
      {base, base},
      {{.oid = 16384, .location = "/srv/a"}},
      {base, {.oid = 16384, .location = "/srv/a"}},
      {{.oid = 16384, .location = "/srv/a"}, {.oid = 16384, .location = "/srv/b"}, base},
      {{.oid = 16384, .location = ""}, base},
      {{.oid = 16384, .location = "../../../evil"}, base},
      {{.oid = 16384, .location = "pg_tblspc/16385"}, base},
      {{.oid = 16384, .location = "pg_tblspc/16384/../../x"}, base},
      {{.oid = 0, .location = "/srv/a"}}};
  for (std::size_t index = 0; index < impossible.size(); ++index)
    EXPECT_THROW(require_announcement(impossible[index]), Error) << index;
}

TEST(BackupAnnouncement, EndsBehindItsBeginning) {
  const BackupBegin begin = {.lsn = {100}, .timeline = {2}};
  EXPECT_NO_THROW(require_end(begin, {.lsn = {100}, .timeline = {2}}));
  EXPECT_NO_THROW(require_end(begin, {.lsn = {101}, .timeline = {3}}));
  EXPECT_THROW(require_end(begin, {.lsn = {99}, .timeline = {2}}), Error);
  EXPECT_THROW(require_end(begin, {.lsn = {100}, .timeline = {1}}), Error);
  EXPECT_NO_THROW(require_reached({.lsn = {100}, .timeline = {2}}, {100}));
  EXPECT_THROW(require_reached({.lsn = {101}, .timeline = {2}}, {100}), Error);
  EXPECT_THROW(require_reached({.lsn = {~std::uint64_t{0}}, .timeline = {2}}, {100}), Error);
}

}  // namespace
}  // namespace barman::replication
