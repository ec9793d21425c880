// A relation's file as it was at the end of an incremental backup, put together from that backup's
// incremental file, those of earlier ones, and the complete file that the oldest of them builds on.
//
// Reading is meant to go forward from 0 to the end, once. Each source is then read from its
// beginning to its end, too, whether its blocks are needed or not, so that the last read compares
// the checksum of every source with the manifest of its backup: a damaged link of the chain is
// found while it is used. Reads elsewhere are served, but leave the sources unchecked.
//
// Memory: 12 bytes for each change of the source within the file; while it is opened, 8 for each of
// its blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "stored/checked_reader.h"
#include "stored/content_tree.h"
#include "stored/incremental_file.h"

namespace barman::stored {

// Where one backup of the chain has the file.
struct ReconstructionSource {
  std::unique_ptr<CheckedReader> file;
  // Absent for a complete file.
  std::optional<IncrementalHeader> header;
};

class ReconstructedFile final : public ContentFile {
 public:
  // Newest first: incremental files, and one complete file at the end.
  explicit ReconstructedFile(std::vector<ReconstructionSource> sources);

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override;
  std::uint64_t size_bytes() const override { return std::uint64_t{block_count_} * kBlockSize; }

 private:
  // Consecutive blocks from consecutive places of one source, or zeroes.
  struct Run {
    std::uint32_t first_block = 0;
    std::uint32_t source = 0;
    std::uint32_t first_slot = 0;
  };
  static constexpr std::uint32_t kZeroes = UINT32_MAX;

  void plan();
  std::uint64_t source_offset(const Run& run, std::uint64_t offset) const;

  std::vector<ReconstructionSource> sources_;
  std::vector<Run> runs_;
  std::uint32_t block_count_ = 0;
  bool is_finished_ = false;
};

}  // namespace barman::stored
