#include "pipeline/bulk_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace barman::pipeline {
namespace {

class BulkWriterTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string name = GetParam() + "/barman-bulk-writer.XXXXXX";
    const int fd = ::mkstemp(name.data());
    ASSERT_GE(fd, 0);
    path_ = name;
    file_ = Fd(fd);
    block_ = std::make_unique<BulkWriter::Block>();
    for (std::size_t i = 0; i < block_->bytes.size(); ++i) {
      block_->bytes[i] = static_cast<std::byte>(i * 31 / 7);
    }
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  std::string block_text(std::size_t size) const {
    return std::string(as_text(Bytes(block_->bytes).first(size)));
  }

  std::filesystem::path path_;
  Fd file_;
  std::unique_ptr<BulkWriter::Block> block_;
};

TEST_P(BulkWriterTest, WritesBlocksAndAnUnalignedEnd) {
  const std::size_t block = block_->bytes.size();
  BulkWriter writer(file_, path_, 2 * block + 777);
  writer.write(block_->bytes);
  writer.write(block_->bytes);
  writer.write(Bytes(block_->bytes).first(777));
  EXPECT_EQ(read_file(path_), block_text(block) + block_text(block) + block_text(777));
}

TEST_P(BulkWriterTest, WritesUnalignedPiecesInOrder) {
  BulkWriter writer(file_, path_, std::uint64_t{2} << 20);
  writer.write(Bytes(block_->bytes).first(4096));
  writer.write(Bytes(block_->bytes).subspan(1, 5000));
  writer.write(Bytes(block_->bytes).first(8192));
  EXPECT_EQ(read_file(path_).substr(0, 4096 + 5000 + 8192),
            block_text(4096) + block_text(5001).substr(1) + block_text(8192));
}

// An offset that is not aligned stands for whatever a file system does not take directly.
TEST_P(BulkWriterTest, WritesThroughThePageCacheWhatIsRefusedDirectly) {
  const std::size_t block = block_->bytes.size();
  BulkWriter writer(file_, path_, 2 * block + 100);
  writer.write_at(Bytes(block_->bytes).first(100), 0);
  BulkWriter direct(file_, path_, 2 * block + 100);
  direct.write_at(block_->bytes, 100);
  direct.write_at(block_->bytes, 100 + block);
  EXPECT_EQ(read_file(path_), block_text(100) + block_text(block) + block_text(block));
}

TEST_P(BulkWriterTest, LeavesSmallFilesToThePageCache) {
  BulkWriter writer(file_, path_, 4096);
  EXPECT_EQ(::fcntl(file_.get(), F_GETFL) & O_DIRECT, 0);
  writer.write(Bytes(block_->bytes).first(4096));
  EXPECT_EQ(read_file(path_), block_text(4096));
}

// /dev/shm is a file system in memory; others are on a disk.
INSTANTIATE_TEST_SUITE_P(FileSystems, BulkWriterTest, testing::Values("/var/tmp", "/dev/shm"));

}  // namespace
}  // namespace barman::pipeline
