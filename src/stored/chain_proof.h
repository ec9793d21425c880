// Whether a copy of a relation's file, there already, is what a chain of backups says, found out
// by the checksums of their manifests.
//
// The checksum of a backup's file is computed of the copy's blocks where the chain takes them from
// that file, and of the file's own bytes elsewhere: its header, and blocks that a newer backup has
// replaced. If it comes out as the manifest says, those blocks of the copy are right, and have not
// been read from the backup. Of a full backup only what has changed since is read like this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

// Consecutive blocks of the file from consecutive places of one source, or zeroes.
struct BlockRun {
  static constexpr std::uint32_t kZeroes = UINT32_MAX;

  std::uint32_t first_block = 0;
  std::uint32_t source = 0;
  std::uint32_t first_slot = 0;
};

struct ChainProof {
  // By source: what it contributes is right in the copy. True for one that contributes nothing.
  std::vector<bool> is_right;
  pipeline::JudgedCopy copy;
};

// `runs` cover `block_count` blocks. The sources can be read anywhere. `copy` is read once, from
// its beginning to its end or to the first block that it lacks.
ChainProof prove_copy(std::span<const ReconstructionSource> sources, std::span<const BlockRun> runs,
                      std::uint32_t block_count, ContentFile& copy);

}  // namespace barman::stored
