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
