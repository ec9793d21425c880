#include "stored/archive_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/worker_pool.h"
#include "compression/codec.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

using compression::Algorithm;
using Block = std::vector<std::byte>;

constexpr std::array<std::optional<Algorithm>, 4> kAlgorithms = {std::nullopt, Algorithm::gzip,
                                                                 Algorithm::lz4, Algorithm::zstd};
constexpr std::size_t kQueuedBlockSize = std::size_t{1} << 20;
constexpr std::size_t kQueuedBlocks = 8;

class DroppingSink final : public pipeline::Sink {
 public:
  void write(Bytes) override {}
  void finish() override {}
};

// Hands blocks over to another thread.
class BlockQueue final : public pipeline::Sink {
 public:
  void write(Bytes data) override {
    while (!data.empty()) {
      if (block_.capacity() == 0) block_.reserve(kQueuedBlockSize);
      const Bytes piece = data.first(std::min(data.size(), kQueuedBlockSize - block_.size()));
      block_.insert(block_.end(), piece.begin(), piece.end());
      data = data.subspan(piece.size());
      if (block_.size() == kQueuedBlockSize) hand_over();
    }
  }
  void finish() override {
    hand_over();
    blocks_.close();
  }
  std::optional<Block> next() { return blocks_.pop(); }
  void close() { blocks_.close(); }

 private:
  void hand_over() {
    if (block_.empty()) return;
    if (!blocks_.push(std::exchange(block_, {}))) {
      throw Error(ErrorKind::internal, "the reader of the archive has given up");
    }
  }

  BoundedQueue<Block> blocks_{kQueuedBlocks};
  Block block_;
};

// The first thread: file, decompression, queue.
void push_archive(const ArchiveFile& archive, BlockQueue& blocks,
                  const SequentialReading& reading) {
  const Fd file = open_file(archive.path, O_RDONLY);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::unique_ptr<pipeline::Sink> decompressor;
  if (archive.algorithm) {
    decompressor =
        compression::make_decompressor(*archive.algorithm, blocks, archive.path.string());
  }
  pipeline::Sink* sink = decompressor ? decompressor.get() : &blocks;
  std::unique_ptr<pipeline::Sink> decryptor;
  if (archive.is_encrypted) {
    decryptor = reading.cipher.make_decryptor(*sink, archive.path.string());
    sink = decryptor.get();
  }
  Block buffer(kQueuedBlockSize);
  for (;;) {
    reading.interrupt.throw_if_requested();
    const std::size_t size = read_full(file, buffer, archive.path);
    sink->write(Bytes(buffer).first(size));
    if (reading.on_read) reading.on_read(size);
    if (size < buffer.size()) break;
  }
  sink->finish();
}

}  // namespace

std::string_view archive_extension(std::optional<Algorithm> algorithm) {
  return algorithm ? compression::file_extension(*algorithm) : std::string_view();
}

std::string archive_stem(std::uint32_t oid) { return oid == 0 ? "base" : std::to_string(oid); }

fs::path ArchiveFile::index_path() const {
  const std::string name = path.filename().string();
  return path.parent_path() / (name.substr(0, name.find('.')) + ".index");
}

std::optional<ArchiveFile> find_archive(const fs::path& data_directory, std::uint32_t oid) {
  for (const std::optional<Algorithm>& algorithm : kAlgorithms) {
    fs::path path = data_directory / (archive_stem(oid) + ".tar");
    path += archive_extension(algorithm);
    const auto is_there = [&path] {
      const std::optional<struct stat> status = find_status(path);
      return status && S_ISREG(status->st_mode);
    };
    if (is_there()) return ArchiveFile{std::move(path), algorithm};
    path += kEncryptedExtension;
    if (is_there()) return ArchiveFile{std::move(path), algorithm, true};
  }
  return std::nullopt;
}

ArchiveStamp stamp_of(const Fd& archive, const fs::path& path) {
  struct stat status = {};
  if (::fstat(archive.get(), &status) != 0) throw_errno("cannot look at \"" + path.string() + "\"");
  return {.size_bytes = static_cast<std::uint64_t>(status.st_size),
          .mtime_seconds = status.st_mtim.tv_sec};
}

void require_decryptable(const ArchiveFile& archive, const encryption::Cipher& cipher) {
  if (!archive.is_encrypted) return;
  const Fd file = open_file(archive.path, O_RDONLY);
  std::vector<std::byte> begin(kDecryptableBegin);
  begin.resize(read_full(file, begin, archive.path));
  require_decryptable(begin, archive.path.string(), cipher);
}

void require_decryptable(Bytes begin, const std::string& name, const encryption::Cipher& cipher) {
  DroppingSink nowhere;
  const auto decryptor = cipher.make_decryptor(nowhere, name);
  try {
    decryptor->write(begin);
    decryptor->finish();
  } catch (const Error& error) {
    // That it is cut off is no wonder.
    if (error.kind() == ErrorKind::config) throw;
  }
}

void read_archive_sequentially(const ArchiveFile& archive, pipeline::TarVisitor& visitor,
                               const SequentialReading& reading) {
  BlockQueue blocks;
  WorkerPool thread(1);
  thread.submit([&] {
    try {
      push_archive(archive, blocks, reading);
    } catch (...) {  // The other thread waits for blocks.
      blocks.close();
      throw;
    }
  });
  try {
    pipeline::TarReader reader(visitor, archive.path.string());
    while (const std::optional<Block> block = blocks.next()) reader.write(*block);
    thread.wait();
    reader.finish();
  } catch (...) {  // The other thread may wait for room in the queue.
    blocks.close();
    throw;
  }
}

}  // namespace barman::stored
