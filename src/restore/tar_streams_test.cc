#include "restore/tar_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/test_interrupt.h"
#include "base/text.h"
#include "host/test_support.h"
#include "restore/remote_digests.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

pipeline::TarMember file_member(const std::string& name, std::uint64_t size_bytes) {
  return {.path = name, .mode = 0600, .size_bytes = size_bytes, .mtime = 1, .link_target = {}};
}

// More than anybody waits for.
void send_for_ever(pipeline::TarWriter& archive, const Interrupt&) {
  archive.begin_member(file_member("endless", std::uint64_t{1} << 50));
  const std::string zeroes(1 << 16, '\0');
  for (;;) archive.write(as_bytes(zeroes));
}

class TarStreamsTest : public testing::Test {
 protected:
  // As SignalSource does.
  TarStreamsTest() { ::signal(SIGPIPE, SIG_IGN); }

  host::FakeSsh ssh_;
  TemporaryDirectory target_;
  host::SshHost host_ = ssh_.host();
};

TEST_F(TarStreamsTest, EveryFileArrivesWhateverConnectionItTakes) {
  {
    TarStreams streams(host_, target_.path(), {}, 3, {});
    for (int i = 0; i < 20; ++i) {
      streams.submit([i](pipeline::TarWriter& archive, const Interrupt&) {
        archive.add_file(file_member(std::to_string(i), 1), "x");
      });
    }
    streams.finish();
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(fs::file_size(target_.path() / std::to_string(i)), 1U);
}

TEST_F(TarStreamsTest, OneThatFailsEndsTheOthersAtOnceAndIsTheReason) {
  TarStreams streams(host_, target_.path(), {}, 3, {});
  streams.submit(send_for_ever);
  streams.submit([](pipeline::TarWriter&, const Interrupt&) {
    throw Error(ErrorKind::corrupt, "the reason");
  });
  try {
    streams.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.describe(), "the reason");
  }
}

TEST_F(TarStreamsTest, TellsWhatTheOtherSideSaid) {
  TarStreams streams(host_, target_.path() / "not there", {}, 2, {});
  streams.submit(send_for_ever);
  try {
    streams.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::remote);
    EXPECT_THAT(error.describe(), HasSubstr("not there"));
  }
}

TEST_F(TarStreamsTest, EndsWhenItIsInterrupted) {
  TestInterrupt interrupt;
  TarStreams streams(host_, target_.path(), {}, 2, interrupt.get());
  streams.submit(send_for_ever);
  interrupt.request();
  try {
    streams.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

TEST(RemoteDigestLine, IsThatOfEitherProgram) {
  std::string name;
  std::uint64_t digest = 0;
  const std::string long_sum = "0000000000000101" + std::string(112, 'f');
  EXPECT_TRUE(parse_digest_line(long_sum + "  ./a b", RemoteChecksum::b2sum, name, digest));
  EXPECT_EQ(name, "./a b");
  EXPECT_EQ(digest, 257U);
  EXPECT_FALSE(parse_digest_line("xargs: failed", RemoteChecksum::b2sum, name, digest));
  const std::string sum = "00000000000000ff" + std::string(48, '0');
  EXPECT_TRUE(parse_digest_line(sum + "  ./a b", RemoteChecksum::sha256sum, name, digest));
  EXPECT_EQ(name, "./a b");
  EXPECT_EQ(digest, 255U);
  EXPECT_FALSE(parse_digest_line("short", RemoteChecksum::sha256sum, name, digest));
}

}  // namespace
}  // namespace barman::restore
