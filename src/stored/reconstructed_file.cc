#include "stored/reconstructed_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::stored {

ReconstructedFile::ReconstructedFile(std::vector<ReconstructionSource> sources)
    : sources_(std::move(sources)) {
  plan();
}

// Each block comes from the newest source that has it. The newest header alone says how long the
// file was; blocks before its truncation length that no source has were never written: zeroes.
void ReconstructedFile::plan() {
  const IncrementalHeader& newest = *sources_.front().header;
  block_count_ = newest.block_count();
  std::vector<std::uint32_t> owners(block_count_, BlockRun::kZeroes);
  std::vector<std::uint32_t> slots(block_count_, 0);
  for (std::uint32_t index = 0; index < sources_.size(); ++index) {
    const ReconstructionSource& source = sources_[index];
    const std::uint32_t limit = index == 0 ? block_count_ : newest.truncation_block_length;
    const auto offer = [&](std::uint32_t block, std::uint32_t slot) {
      if (block >= limit || owners[block] != BlockRun::kZeroes) return;
      owners[block] = index;
      slots[block] = slot;
    };
    if (source.header) {
      for (std::uint32_t slot = 0; slot < source.header->blocks.size(); ++slot) {
        offer(source.header->blocks[slot], slot);
      }
    } else {
      const auto blocks = std::min<std::uint64_t>(source.file->size_bytes() / kBlockSize, limit);
      for (std::uint32_t block = 0; block < blocks; ++block) offer(block, block);
    }
  }
  for (std::uint32_t block = 0; block < block_count_; ++block) {
    const bool continues =
        block > 0 && owners[block] == owners[block - 1] &&
        (owners[block] == BlockRun::kZeroes || slots[block] == slots[block - 1] + 1);
    if (!continues) runs_.push_back({block, owners[block], slots[block]});
  }
  // The numbers are in the runs now.
  for (ReconstructionSource& source : sources_) {
    if (!source.header) continue;
    source.header->blocks.clear();
    source.header->blocks.shrink_to_fit();
  }
}

std::uint64_t ReconstructedFile::source_offset(const BlockRun& run, std::uint64_t offset) const {
  const std::uint64_t within = offset - std::uint64_t{run.first_block} * kBlockSize;
  const std::optional<IncrementalHeader>& header = sources_[run.source].header;
  return (header ? header->size_bytes : 0) + std::uint64_t{run.first_slot} * kBlockSize + within;
}

std::optional<pipeline::JudgedCopy> ReconstructedFile::judge(ContentFile& copy) {
  ChainProof proof = prove_copy(sources_, runs_, block_count_, copy);
  is_right_ = std::move(proof.is_right);
  return proof.copy;
}

bool ReconstructedFile::is_borrowed(std::uint32_t source) const {
  return lender_ != nullptr && !is_right_.empty() && is_right_[source];
}

void ReconstructedFile::read_run(const BlockRun& run, std::uint64_t offset, MutableBytes part) {
  if (run.source == BlockRun::kZeroes) {
    std::fill(part.begin(), part.end(), std::byte{0});
  } else if (is_borrowed(run.source)) {
    if (lender_->read_at(offset, part) == part.size()) return;
    throw Error(ErrorKind::conflict,
                fmt::format("the copy of \"{}\" has changed while it was compared",
                            sources_[run.source].file->name()),
                "Nothing else may write there; restore again.");
  } else {
    sources_[run.source].file->read_exactly(source_offset(run, offset), part);
  }
}

std::size_t ReconstructedFile::read_at(std::uint64_t offset, MutableBytes buffer) {
  const std::uint64_t size = size_bytes();
  std::size_t filled = 0;
  auto run = std::upper_bound(runs_.begin(), runs_.end(), offset,
                              [](std::uint64_t value, const BlockRun& candidate) {
                                return value < std::uint64_t{candidate.first_block} * kBlockSize;
                              });
  if (run != runs_.begin()) --run;
  for (; run != runs_.end() && filled < buffer.size() && offset < size; ++run) {
    const std::uint64_t end = std::next(run) == runs_.end()
                                  ? size
                                  : std::uint64_t{std::next(run)->first_block} * kBlockSize;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, buffer.size() - filled));
    const MutableBytes part = buffer.subspan(filled, count);
    read_run(*run, offset, part);
    filled += count;
    offset += count;
  }
  if (offset >= size && !is_finished_) {
    is_finished_ = true;
    for (std::uint32_t index = 0; index < sources_.size(); ++index) {
      if (!is_borrowed(index)) sources_[index].file->finish();
    }
  }
  return filled;
}

}  // namespace barman::stored
