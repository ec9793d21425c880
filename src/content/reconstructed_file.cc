#include "content/reconstructed_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::content {
namespace {

constexpr std::size_t kPassOverSize = std::size_t{256} << 10;

}  // namespace

ReconstructedFile::ReconstructedFile(std::vector<ReconstructionSource> sources) {
  for (ReconstructionSource& source : sources) {
    CheckedSource checked{.source = std::move(source)};
    checked.is_checked =
        checked.source.expected && checked.source.expected->algorithm != DigestAlgorithm::none;
    if (checked.is_checked) checked.digest.emplace(checked.source.expected->algorithm);
    sources_.push_back(std::move(checked));
  }
  plan();
}

// Each block comes from the newest source that has it. The newest header alone says how long the
// file was; blocks before its truncation length that no source has were never written: zeroes.
void ReconstructedFile::plan() {
  const IncrementalHeader& newest = *sources_.front().source.header;
  block_count_ = newest.block_count();
  std::vector<std::uint32_t> owners(block_count_, kZeroes);
  std::vector<std::uint32_t> slots(block_count_, 0);
  for (std::uint32_t index = 0; index < sources_.size(); ++index) {
    const ReconstructionSource& source = sources_[index].source;
    const std::uint32_t limit = index == 0 ? block_count_ : newest.truncation_block_length;
    const auto offer = [&](std::uint32_t block, std::uint32_t slot) {
      if (block >= limit || owners[block] != kZeroes) return;
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
    const bool continues = block > 0 && owners[block] == owners[block - 1] &&
                           (owners[block] == kZeroes || slots[block] == slots[block - 1] + 1);
    if (!continues) runs_.push_back({block, owners[block], slots[block]});
  }
  // The numbers are in the runs now.
  for (CheckedSource& source : sources_) {
    if (!source.source.header) continue;
    source.source.header->blocks.clear();
    source.source.header->blocks.shrink_to_fit();
  }
}

std::uint64_t ReconstructedFile::source_offset(const Run& run, std::uint64_t offset) const {
  const std::uint64_t within = offset - std::uint64_t{run.first_block} * kBlockSize;
  const std::optional<IncrementalHeader>& header = sources_[run.source].source.header;
  return (header ? header->size_bytes : 0) + std::uint64_t{run.first_slot} * kBlockSize + within;
}

std::size_t ReconstructedFile::read_at(std::uint64_t offset, MutableBytes buffer) {
  const std::uint64_t size = size_bytes();
  std::size_t filled = 0;
  auto run = std::upper_bound(runs_.begin(), runs_.end(), offset,
                              [](std::uint64_t value, const Run& candidate) {
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
    if (run->source == kZeroes) {
      std::fill(part.begin(), part.end(), std::byte{0});
    } else {
      read_source(sources_[run->source], source_offset(*run, offset), part);
    }
    filled += count;
    offset += count;
  }
  if (offset >= size && !is_finished_) {
    is_finished_ = true;
    for (CheckedSource& source : sources_) finish_source(source);
  }
  return filled;
}

void ReconstructedFile::read_source(CheckedSource& source, std::uint64_t offset,
                                    MutableBytes buffer) {
  if (offset < source.position) source.is_checked = false;
  if (source.is_checked) pass_over(source, offset);
  if (source.source.file->read_at(offset, buffer) != buffer.size()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is shorter than its header says", source.source.name),
                "Choose another backup, or put an intact copy of the file in place.");
  }
  if (!source.is_checked) return;
  source.digest->update(buffer);
  source.position = offset + buffer.size();
}

void ReconstructedFile::pass_over(CheckedSource& source, std::uint64_t until) {
  thread_local std::vector<std::byte> buffer(kPassOverSize);
  while (source.position < until) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(until - source.position, buffer.size()));
    const std::size_t size =
        source.source.file->read_at(source.position, MutableBytes(buffer).first(wanted));
    source.digest->update(Bytes(buffer).first(size));
    source.position += size;
    if (size < wanted) return;
  }
}

void ReconstructedFile::finish_source(CheckedSource& source) {
  if (!source.is_checked) return;
  pass_over(source, UINT64_MAX);
  const ExpectedFile& expected = *source.source.expected;
  if (source.position != expected.size_bytes) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" has {} bytes instead of {}", source.source.name,
                            source.position, expected.size_bytes),
                "Choose another backup, or put an intact copy of the file in place.");
  }
  const std::string found = source.digest->finish();
  if (found == expected.checksum) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" is damaged: its checksum is {}, backup_manifest says {}",
                          source.source.name, found, expected.checksum),
              "Choose another backup, or put an intact copy of the file in place.");
}

}  // namespace barman::content
