#include "stored/reconstructed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "stored/test_support.h"

namespace barman::stored {
namespace {

using testing::HasSubstr;

// What a backup has of the file; `damaged` is another content than the manifest's.
ReconstructionSource link_of(const std::string& content, const std::string& damaged = {}) {
  const ExpectedFile expected = {.size_bytes = content.size(),
                                 .algorithm = DigestAlgorithm::sha256,
                                 .checksum = digest_of(DigestAlgorithm::sha256, content)};
  auto reader = std::make_unique<CheckedReader>(make_text_file(damaged.empty() ? content : damaged),
                                                "of a backup", expected);
  const bool is_incremental = content.starts_with("\x0d\x1f\xae\xd3");
  std::optional<IncrementalHeader> header;
  if (is_incremental) header = read_incremental_header(*reader, "of a backup");
  return {std::move(reader), std::move(header)};
}

template <typename... Links>
ReconstructedFile chain_of(Links... links) {
  std::vector<ReconstructionSource> sources;
  (sources.push_back(std::move(links)), ...);
  return ReconstructedFile(std::move(sources));
}

std::string read(ReconstructedFile& file, std::uint64_t offset, std::size_t size) {
  std::string text(size, '?');
  text.resize(file.read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

// The content of a chain that has blocks of three backups, and zeroes.
const std::string kComplete = blocks_of("ab") + std::string(8192, '\0') + blocks_of("cca");

ReconstructedFile complete_chain() {
  return chain_of(link_of(incremental_content({3, 4}, 6, 'c')),
                  link_of(incremental_content({1, 3}, 6, 'b')),
                  link_of(blocks_of("aa") + std::string(8192, '\0') + blocks_of("aaa")));
}

TEST(ReconstructedFile, IsReadInPiecesOfAnySize) {
  for (const std::size_t piece : {1000U, 8191U, 8192U, 8193U, 20000U, 60000U}) {
    ReconstructedFile file = complete_chain();
    std::string content;
    for (std::uint64_t offset = 0;; offset += piece) {
      const std::string part = read(file, offset, piece);
      content += part;
      if (part.size() < piece) break;
    }
    EXPECT_EQ(content, kComplete) << piece;
  }
}

TEST(ReconstructedFile, IsReadAnywhere) {
  ReconstructedFile file = complete_chain();
  for (const std::uint64_t offset : {40000U, 8190U, 24575U, 0U, 16384U, 49151U}) {
    EXPECT_EQ(read(file, offset, 9000), kComplete.substr(offset, 9000)) << offset;
  }
  EXPECT_EQ(read(file, kComplete.size(), 10), "");
  EXPECT_EQ(read(file, kComplete.size() + 8192, 10), "");
}

TEST(ReconstructedFile, ChecksItsSourcesWithTheLastReadOnly) {
  const std::string whole = blocks_of("aaa");
  std::string damaged = whole;
  damaged.back() = 'x';
  ReconstructedFile file =
      chain_of(link_of(incremental_content({2}, 3, 'b')), link_of(whole, damaged));
  // The damaged block is not needed; yet it may be that others of this file are damaged as well.
  EXPECT_EQ(read(file, 0, 16384), blocks_of("aa"));
  try {
    read(file, 16384, 8192);
    ADD_FAILURE() << "the damage was not found";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("\"of a backup\" is damaged"));
  }
}

// Counts what is read of it.
class CountedFile final : public ContentFile {
 public:
  CountedFile(std::string content, std::uint64_t& count)
      : file_(make_text_file(std::move(content))), count_(count) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    const std::size_t size = file_->read_at(offset, buffer);
    count_ += size;
    return size;
  }
  std::uint64_t size_bytes() const override { return file_->size_bytes(); }

 private:
  std::unique_ptr<ContentFile> file_;
  std::uint64_t& count_;
};

ReconstructionSource counted_link_of(const std::string& content, std::uint64_t& count) {
  ReconstructionSource source = link_of(content);
  source.file = std::make_unique<CheckedReader>(std::make_unique<CountedFile>(content, count),
                                                "of a backup", source.file->expected());
  if (source.header) source.header = read_incremental_header(*source.file, "of a backup");
  return source;
}

TEST(ReconstructedFile, ACopyIsProvedByTheChecksumsOfItsSources) {
  std::uint64_t read_of_full = 0;
  const std::string full = blocks_of("aa") + std::string(8192, '\0') + blocks_of("aaa") + "end";
  ReconstructedFile file =
      chain_of(link_of(incremental_content({3, 4}, 6, 'c')),
               link_of(incremental_content({1, 3}, 6, 'b')), counted_link_of(full, read_of_full));
  const auto copy = make_text_file(kComplete);
  const auto judged = file.judge(*copy);
  ASSERT_TRUE(judged);
  EXPECT_TRUE(judged->is_right);
  EXPECT_EQ(crc32c_text(judged->crc32c), digest_of(DigestAlgorithm::crc32c, kComplete));
  EXPECT_EQ(read_of_full, 3 * 8192U + 3U) << "what newer backups have replaced, and what is behind";
}

// A byte of each source in turn, and more or less than there should be.
TEST(ReconstructedFile, OfACopyThatIsNotRightTheRightPartsAreBorrowed) {
  std::vector<std::string> copies = {kComplete + "more", kComplete.substr(0, 20000), "x"};
  for (const std::size_t place : {0U, 9000U, 20000U, 30000U, 49000U}) {
    copies.push_back(kComplete);
    copies.back()[place] = 'x';
  }
  for (const std::string& content : copies) {
    ReconstructedFile file = complete_chain();
    const auto copy = make_text_file(content);
    const auto judged = file.judge(*copy);
    ASSERT_TRUE(judged);
    EXPECT_FALSE(judged->is_right);
    file.borrow(*copy);
    EXPECT_EQ(read(file, 0, 60000), kComplete);
  }
}

TEST(ReconstructedFile, WhatIsBorrowedIsNotReadAgain) {
  std::uint64_t read_of_full = 0;
  const std::string full = blocks_of(std::string(100, 'a'));
  ReconstructedFile file =
      chain_of(link_of(incremental_content({5}, 100, 'b')), counted_link_of(full, read_of_full));
  std::string content = full;
  const auto copy = make_text_file(content);  // the block of the incremental backup is missing
  EXPECT_FALSE(file.judge(*copy)->is_right);
  file.borrow(*copy);
  content.replace(5 * std::size_t{8192}, 8192, blocks_of("b"));
  EXPECT_EQ(read(file, 0, content.size() + 1), content);
  EXPECT_EQ(read_of_full, 8192U);
}

TEST(ReconstructedFile, WithoutAChecksumNothingIsProved) {
  ReconstructedFile file =
      chain_of(link_of(incremental_content({0}, 2, 'b')),
               ReconstructionSource{std::make_unique<CheckedReader>(make_text_file(blocks_of("aa")),
                                                                    "of a backup", std::nullopt),
                                    std::nullopt});
  const auto copy = make_text_file(blocks_of("ba"));
  EXPECT_FALSE(file.judge(*copy)->is_right);
  file.borrow(*copy);
  EXPECT_EQ(read(file, 0, 20000), blocks_of("ba"));
}

TEST(ReconstructedFile, MayBeEmpty) {
  ReconstructedFile file =
      chain_of(link_of(incremental_content({}, 0, 'b')), link_of(blocks_of("aaa")));
  EXPECT_EQ(file.size_bytes(), 0U);
  EXPECT_EQ(read(file, 0, 100), "");
}

TEST(ReconstructedFile, AWholeFileThatEndsWithinABlockLendsItsWholeBlocksOnly) {
  ReconstructedFile file = chain_of(link_of(incremental_content({}, 2, 'b')),
                                    link_of(blocks_of("a") + std::string(100, 'a')));
  EXPECT_EQ(read(file, 0, 20000), blocks_of("a") + std::string(8192, '\0'));
}

}  // namespace
}  // namespace barman::stored
