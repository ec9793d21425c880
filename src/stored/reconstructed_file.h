// A relation's file as it was at the end of an incremental backup, put together from that backup's
// incremental file, those of earlier ones, and the complete file that the oldest of them builds on.
//
// Reading is meant to go forward from 0 to the end, once. Each source is then read from its
// beginning to its end, too, whether its blocks are needed or not, so that the last read compares
// the checksum of every source with the manifest of its backup: a damaged link of the chain is
// found while it is used. Reads elsewhere are served, but leave the sources unchecked.
//
// Where a copy of the file is there already, judge() tells by the checksums of the manifests which
// of its blocks are right (chain_proof.h), and borrow() takes those from it.
//
// Memory: 12 bytes for each change of the source within the file; while it is opened, 8 for each of
// its blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "stored/chain_proof.h"
#include "stored/content_tree.h"

namespace barman::stored {

class ReconstructedFile final : public ContentFile {
 public:
  // Newest first: incremental files, and one complete file at the end.
  explicit ReconstructedFile(std::vector<ReconstructionSource> sources);

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override;
  std::uint64_t size_bytes() const override { return std::uint64_t{block_count_} * kBlockSize; }

  std::optional<pipeline::JudgedCopy> judge(ContentFile& copy) override;
  void borrow(ContentFile& copy) override { lender_ = &copy; }

 private:
  void plan();
  std::uint64_t source_offset(const BlockRun& run, std::uint64_t offset) const;
  void read_run(const BlockRun& run, std::uint64_t offset, MutableBytes part);
  bool is_borrowed(std::uint32_t source) const;

  std::vector<ReconstructionSource> sources_;
  std::vector<BlockRun> runs_;
  // By source, once there was a copy: its blocks are right there.
  std::vector<bool> is_right_;
  ContentFile* lender_ = nullptr;
  std::uint32_t block_count_ = 0;
  bool is_finished_ = false;
};

}  // namespace barman::stored
