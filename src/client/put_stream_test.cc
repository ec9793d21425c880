#include "client/put_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/durable.h"
#include "base/test_support.h"
#include "compression/stored_file.h"
#include "compression/test_support.h"
#include "pipeline/tar_reader.h"

namespace barman::client {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class Members final : public pipeline::TarVisitor {
 public:
  void begin_member(const pipeline::TarMember& member) override {
    current_ = member.path;
    content[current_];
    mtime[current_] = member.mtime;
  }
  void write(Bytes data) override { content[current_] += as_text(data); }
  void end_member() override {}
  std::map<std::string, std::string> content;
  std::map<std::string, std::int64_t> mtime;

 private:
  std::string current_;
};

class PutStreamTest : public ::testing::Test {
 protected:
  // Sends one file and takes the stream apart again; the checksum that add() tells.
  std::string send(const PutOptions& options) {
    const std::filesystem::path path = directory_.path() / "wal";
    write_file_durably(path, text_);
    pipeline::TarReader reader(members_, "stream");
    PutStream stream(options, reader);
    std::string checksum = stream.add(open_file(path, O_RDONLY), path);
    stream.finish();
    return checksum;
  }

  TemporaryDirectory directory_;
  const std::string text_ = std::string(300000, 'x') + "end";
  Members members_;
};

TEST_F(PutStreamTest, HoldsTheFileAndItsChecksum) {
  const std::string checksum = digest_of(DigestAlgorithm::sha256, text_);
  EXPECT_EQ(send({}), checksum);
  EXPECT_THAT(members_.content,
              ElementsAre(Pair("SHA256SUMS", checksum + " *wal\n"), Pair("wal", text_)));
  EXPECT_GT(members_.mtime["wal"], 1'500'000'000);
}

TEST_F(PutStreamTest, Md5WhenAsked) {
  EXPECT_EQ(send({.checksum = DigestAlgorithm::md5}), digest_of(DigestAlgorithm::sha256, text_));
  EXPECT_EQ(members_.content["MD5SUMS"], digest_of(DigestAlgorithm::md5, text_) + " *wal\n");
}

TEST_F(PutStreamTest, CompressedContentKeepsTheName) {
  EXPECT_EQ(send({.algorithm = compression::Algorithm::zstd, .level = 1}),
            digest_of(DigestAlgorithm::sha256, text_));
  const std::string packed = members_.content["wal"];
  EXPECT_LT(packed.size(), 1000U);
  EXPECT_EQ(compression::decompress_text(packed, "wal"), text_);
  EXPECT_EQ(members_.content["SHA256SUMS"], digest_of(DigestAlgorithm::sha256, packed) + " *wal\n");
}

}  // namespace
}  // namespace barman::client
