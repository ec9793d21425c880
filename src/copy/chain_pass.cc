#include "copy/chain_pass.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::copy {

using stored::CheckedReader;
using stored::IncrementalHeader;
using stored::kBlockSize;

namespace {

constexpr std::uint32_t kBlocksAtOnce = 128;

MutableBytes block_buffer() {
  thread_local std::vector<std::byte> buffer(std::size_t{kBlocksAtOnce} * kBlockSize);
  return buffer;
}

}  // namespace

void ChainPass::begin_backup() { workers_.emplace(worker_count_); }

void ChainPass::end_backup() {
  workers_->wait();
  workers_.reset();
}

void ChainPass::add(Target target, Source source) {
  interrupt_.throw_if_requested();
  PendingFile& file = files_[target.listed];
  file.target = std::move(target);
  workers_->submit([this, &file, source = std::move(source)] { write_newest(file, source); });
}

void ChainPass::offer(const std::string& listed, bool is_incremental, Source source) {
  interrupt_.throw_if_requested();
  const auto found = files_.find(listed);
  if (found == files_.end() || found->second.is_complete) return;
  workers_->submit([this, &file = found->second, is_incremental, source = std::move(source)] {
    write_older(file, is_incremental, source);
  });
}

void ChainPass::write_newest(PendingFile& file, const Source& source) {
  CheckedReader reader(source.open(), source.name, source.expected);
  const IncrementalHeader header = read_incremental_header(reader, source.name);
  file.block_count = header.block_count();
  file.truncation_block_length = header.truncation_block_length;
  file.has_block.resize(file.block_count);
  const Target& target = file.target;
  const Fd destination =
      open_file(target.destination, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, target.mode);
  // Blocks that nobody has stay zero.
  const off_t size = off_t{file.block_count} * kBlockSize;
  if (::fchmod(destination.get(), target.mode) != 0 || ::ftruncate(destination.get(), size) != 0) {
    throw_errno(fmt::format("cannot prepare \"{}\"", target.destination.string()));
  }
  take_blocks(file, reader, &header, file.block_count);
  reader.finish();
}

void ChainPass::write_older(PendingFile& file, bool is_incremental, const Source& source) {
  CheckedReader reader(source.open(), source.name, source.expected);
  if (is_incremental) {
    const IncrementalHeader header = read_incremental_header(reader, source.name);
    take_blocks(file, reader, &header, file.truncation_block_length);
  } else {
    const std::uint64_t blocks = reader.size_bytes() / kBlockSize;
    take_blocks(
        file, reader, nullptr,
        static_cast<std::uint32_t>(std::min<std::uint64_t>(file.truncation_block_length, blocks)));
    file.is_complete = true;
  }
  reader.finish();
}

void ChainPass::take_blocks(PendingFile& file, CheckedReader& reader,
                            const IncrementalHeader* header, std::uint32_t limit) {
  const std::filesystem::path& path = file.target.destination;
  const Fd destination = open_file(path, O_WRONLY | O_NOFOLLOW);
  const std::size_t count = header != nullptr ? header->blocks.size() : limit;
  const auto block_at = [&](std::size_t slot) {
    return header != nullptr ? header->blocks[slot] : static_cast<std::uint32_t>(slot);
  };
  const auto is_wanted = [&](std::size_t slot) {
    const std::uint32_t block = block_at(slot);
    return block < limit && !file.has_block[block];
  };
  for (std::size_t slot = 0; slot < count;) {
    if (!is_wanted(slot)) {
      ++slot;
      continue;
    }
    interrupt_.throw_if_requested();
    std::size_t length = 1;
    while (length < kBlocksAtOnce && slot + length < count && is_wanted(slot + length) &&
           block_at(slot + length) == block_at(slot) + length) {
      ++length;
    }
    const MutableBytes data = block_buffer().first(length * kBlockSize);
    const std::uint64_t offset =
        header != nullptr ? header->offset_of(slot) : std::uint64_t{slot} * kBlockSize;
    reader.read_exactly(offset, data);
    write_full_at(destination, data, std::uint64_t{block_at(slot)} * kBlockSize, path);
    for (std::size_t index = 0; index < length; ++index) {
      file.has_block[block_at(slot + index)] = true;
    }
    progress_.advance(data.size());
    slot += length;
  }
}

void ChainPass::finish(CombinedManifest& manifest) {
  WorkerPool workers(worker_count_);
  for (auto& [listed, file] : files_) {
    if (!file.is_complete) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("\"{}\" cannot be completed: no backup of the chain has the whole file",
                      listed),
          "Choose another backup.");
    }
    workers.submit([this, &pending = file, &manifest] { complete(pending, manifest); });
  }
  workers.wait();
}

void ChainPass::complete(PendingFile& file, CombinedManifest& manifest) {
  const Target& target = file.target;
  const Fd destination = open_file(target.destination, O_RDWR | O_NOFOLLOW);
  std::uint32_t crc = kCrc32cInitial;
  std::uint64_t offset = 0;
  const MutableBytes buffer = block_buffer();
  while (const std::size_t size = read_full_at(destination, buffer, offset, target.destination)) {
    interrupt_.throw_if_requested();
    crc = crc32c_extend(crc, Bytes(buffer).first(size));
    offset += size;
  }
  const std::array<timespec, 2> times = {target.modified, target.modified};
  if (::futimens(destination.get(), times.data()) != 0) {
    throw_errno(fmt::format("cannot set the time of \"{}\"", target.destination.string()));
  }
  sync_fd(destination, target.destination);
  manifest.add(target.listed, offset, crc32c_finish(crc));
}

}  // namespace barman::copy
