#include "stored/chain_proof.h"

#include <algorithm>
#include <array>

#include "base/digest.h"

namespace barman::stored {
namespace {

constexpr std::uint32_t kProofBlocks = 128;
constexpr std::size_t kProofBytes = std::size_t{kProofBlocks} * kBlockSize;

MutableBytes copy_buffer() {
  thread_local std::vector<std::byte> buffer(kProofBytes);
  return buffer;
}
MutableBytes source_buffer() {
  thread_local std::vector<std::byte> buffer(kProofBytes);
  return buffer;
}

// A source as read_incremental_header() wants it, beside its forward reading.
class AsideFile final : public ContentFile {
 public:
  explicit AsideFile(CheckedReader& file) : file_(file) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    return file_.read_aside(offset, buffer);
  }
  std::uint64_t size_bytes() const override { return file_.size_bytes(); }

 private:
  CheckedReader& file_;
};

// The checksum of one source, fed in the order of its bytes.
class SourceProof {
 public:
  SourceProof(std::uint32_t index, const ReconstructionSource& source)
      : index_(index),
        file_(*source.file),
        digest_(file_.expected() ? file_.expected()->algorithm : DigestAlgorithm::none) {
    if (source.header) {
      AsideFile aside(file_);
      header_ = read_incremental_header(aside, file_.name());
      slot_count_ = header_->blocks.size();
      feed_until(header_->size_bytes);
    } else {
      slot_count_ = static_cast<std::size_t>(file_.size_bytes() / kBlockSize);
    }
  }

  // Blocks from `first_block` on, as many as there are owners; `content` are those of the copy.
  void take(std::uint32_t first_block, std::span<const std::uint32_t> owners, Bytes content) {
    for (; slot_ < slot_count_; ++slot_) {
      const std::uint32_t block = block_at(slot_);
      if (block >= first_block + owners.size()) return;
      const std::size_t place = block - first_block;
      if (owners[place] != index_) {
        feed_until(offset_of(slot_ + 1));
        continue;
      }
      digest_.update(content.subspan(place * kBlockSize, kBlockSize));
      position_ = offset_of(slot_ + 1);
    }
  }

  bool finish() {
    feed_until(UINT64_MAX);
    const ExpectedFile& expected = *file_.expected();
    return position_ == expected.size_bytes && digest_.finish() == expected.checksum;
  }

 private:
  std::uint32_t block_at(std::size_t slot) const {
    return header_ ? header_->blocks[slot] : static_cast<std::uint32_t>(slot);
  }
  std::uint64_t offset_of(std::size_t slot) const {
    return header_ ? header_->offset_of(slot) : std::uint64_t{slot} * kBlockSize;
  }
  // Of the source itself, from where it was fed last.
  void feed_until(std::uint64_t end) {
    while (position_ < end) {
      const MutableBytes buffer = source_buffer();
      const auto wanted =
          static_cast<std::size_t>(std::min<std::uint64_t>(end - position_, buffer.size()));
      const std::size_t size = file_.read_aside(position_, buffer.first(wanted));
      digest_.update(buffer.first(size));
      position_ += size;
      if (size < wanted) return;
    }
  }

  const std::uint32_t index_;
  CheckedReader& file_;
  Digest digest_;
  std::optional<IncrementalHeader> header_;
  std::size_t slot_count_ = 0;
  std::size_t slot_ = 0;
  std::uint64_t position_ = 0;
};

class Prover {
 public:
  Prover(std::span<const ReconstructionSource> sources, std::span<const BlockRun> runs,
         std::uint32_t block_count, ContentFile& copy)
      : runs_(runs), block_count_(block_count), copy_(copy), next_run_(runs.begin()) {
    result_.is_right.assign(sources.size(), true);
    for (const BlockRun& run : runs) {
      if (run.source != BlockRun::kZeroes) result_.is_right[run.source] = false;
    }
    for (std::uint32_t index = 0; index < sources.size(); ++index) {
      const std::optional<ExpectedFile>& expected = sources[index].file->expected();
      if (result_.is_right[index]) continue;
      if (!expected || expected->algorithm == DigestAlgorithm::none) {
        has_unknown_ = true;
        continue;
      }
      proofs_.emplace_back(index, std::make_unique<SourceProof>(index, sources[index]));
    }
  }

  ChainProof run() {
    for (std::uint32_t block = 0; block < block_count_;) {
      const std::uint32_t count = std::min(kProofBlocks, block_count_ - block);
      const MutableBytes content = copy_buffer().first(std::size_t{count} * kBlockSize);
      if (!read_copy(content)) return std::move(result_);
      take(block, count, content);
      block += count;
    }
    bool is_right = has_right_zeroes_ && !has_unknown_;
    for (const auto& [index, proof] : proofs_) {
      result_.is_right[index] = proof->finish();
      is_right = is_right && result_.is_right[index];
    }
    std::array<std::byte, 1> more{};
    result_.copy = {.is_right = is_right && copy_.read_at(offset_, more) == 0,
                    .crc32c = crc32c_finish(crc_)};
    return std::move(result_);
  }

 private:
  // A copy that is too short says nothing of sources whose blocks are missing in it.
  bool read_copy(MutableBytes content) {
    if (copy_.read_at(offset_, content) < content.size()) return false;
    offset_ += content.size();
    crc_ = crc32c_extend(crc_, content);
    return true;
  }

  void take(std::uint32_t first_block, std::uint32_t count, Bytes content) {
    std::array<std::uint32_t, kProofBlocks> owners{};
    for (std::uint32_t i = 0; i < count; ++i) {
      owners[i] = owner_of(first_block + i);
      if (owners[i] != BlockRun::kZeroes) continue;
      const Bytes block = content.subspan(std::size_t{i} * kBlockSize, kBlockSize);
      has_right_zeroes_ = has_right_zeroes_ && std::ranges::all_of(block, [](std::byte byte) {
                            return byte == std::byte{0};
                          });
    }
    for (const auto& [index, proof] : proofs_) {
      proof->take(first_block, std::span(owners).first(count), content);
    }
  }

  // Of ascending blocks.
  std::uint32_t owner_of(std::uint32_t block) {
    while (std::next(next_run_) != runs_.end() && std::next(next_run_)->first_block <= block) {
      ++next_run_;
    }
    return next_run_->source;
  }

  const std::span<const BlockRun> runs_;
  const std::uint32_t block_count_;
  ContentFile& copy_;
  std::span<const BlockRun>::iterator next_run_;
  std::vector<std::pair<std::uint32_t, std::unique_ptr<SourceProof>>> proofs_;
  bool has_unknown_ = false;
  bool has_right_zeroes_ = true;
  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = kCrc32cInitial;
  ChainProof result_;
};

}  // namespace

ChainProof prove_copy(std::span<const ReconstructionSource> sources, std::span<const BlockRun> runs,
                      std::uint32_t block_count, ContentFile& copy) {
  return Prover(sources, runs, block_count, copy).run();
}

}  // namespace barman::stored
