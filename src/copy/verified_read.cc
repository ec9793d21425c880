#include "copy/verified_read.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "pipeline/bulk_writer.h"
#include "stored/plain_tree.h"

namespace barman::copy {
namespace {

void verify_checksum(const CopyTask& task, const std::string& found) {
  if (found == task.expected->checksum) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" is damaged: its checksum is {}, {} says {}", task.source.string(),
                          found, task.told_by, task.expected->checksum),
              "Restore another backup, or put an intact copy of the file in place.");
}

MutableBytes copy_buffer() {
  thread_local std::vector<std::byte> buffer(worker_buffer().size());
  return buffer;
}

std::optional<std::uint32_t> judge_by_digest(const CopyTask& task, stored::ContentFile& copy,
                                             const Interrupt& interrupt) {
  Digest digest(task.expected->algorithm);
  std::uint64_t offset = 0;
  while (const std::size_t size = copy.read_at(offset, copy_buffer())) {
    interrupt.throw_if_requested();
    digest.update(Bytes(copy_buffer()).first(size));
    offset += size;
  }
  const bool is_right = offset == task.size_bytes && digest.finish() == task.expected->checksum;
  return is_right ? std::optional<std::uint32_t>(0) : std::nullopt;
}

// All of the source is read and verified, too, unless the copy differs.
std::optional<std::uint32_t> judge_by_content(const CopyTask& task, stored::ContentFile& source,
                                              stored::ContentFile& copy,
                                              const Interrupt& interrupt) {
  CopyTask read = task;
  std::uint32_t crc = 0;
  if (task.on_checksum) read.on_checksum = [&](std::uint64_t, std::uint32_t found) { crc = found; };
  bool is_right = true;
  read_verified(source, read, interrupt, [&](Bytes data, std::uint64_t offset) {
    if (!is_right) return;
    const MutableBytes part = copy_buffer().first(data.size());
    is_right = copy.read_at(offset, part) == data.size() && std::ranges::equal(part, data);
  });
  std::array<std::byte, 1> more{};
  is_right = is_right && copy.read_at(task.size_bytes, more) == 0;
  return is_right ? std::optional(crc) : std::nullopt;
}

}  // namespace

MutableBytes worker_buffer() {
  thread_local const auto block = std::make_unique<pipeline::BulkWriter::Block>();
  return block->bytes;
}

Error wrong_size(const CopyTask& task, std::uint64_t found_bytes) {
  return {ErrorKind::corrupt,
          fmt::format("\"{}\" has {} bytes instead of {}", task.source.string(), found_bytes,
                      task.size_bytes),
          "Something changed the catalogue during the restore; restore again."};
}

std::unique_ptr<stored::ContentFile> open_source(const CopyTask& task) {
  return task.open ? task.open() : stored::open_plain_file(task.source);
}

DigestAlgorithm algorithm_for(const CopyTask& task) {
  return task.expected ? task.expected->algorithm : DigestAlgorithm::none;
}

void read_verified(stored::ContentFile& source, const CopyTask& task, const Interrupt& interrupt,
                   const std::function<void(Bytes, std::uint64_t offset)>& take) {
  const DigestAlgorithm algorithm = algorithm_for(task);
  Digest digest(algorithm);
  std::uint32_t crc = kCrc32cInitial;
  const MutableBytes buffer = worker_buffer();
  std::uint64_t copied = 0;
  for (;;) {
    interrupt.throw_if_requested();
    const std::size_t size = source.read_at(copied, buffer);
    if (size == 0) break;
    const Bytes data = Bytes(buffer).first(size);
    digest.update(data);
    if (task.on_checksum) crc = crc32c_extend(crc, data);
    take(data, copied);
    copied += size;
    if (size < buffer.size()) break;
  }
  if (copied != task.size_bytes) throw wrong_size(task, copied);
  if (algorithm != DigestAlgorithm::none) verify_checksum(task, digest.finish());
  if (task.on_checksum) task.on_checksum(copied, crc32c_finish(crc));
}

std::optional<std::uint32_t> judge_copy(const CopyTask& task, stored::ContentFile& copy,
                                        const Interrupt& interrupt) {
  if (algorithm_for(task) != DigestAlgorithm::none && !task.on_checksum) {
    return judge_by_digest(task, copy, interrupt);
  }
  const std::unique_ptr<stored::ContentFile> source = open_source(task);
  const std::optional<pipeline::JudgedCopy> judged = source->judge(copy);
  if (!judged) return judge_by_content(task, *source, copy, interrupt);
  if (!judged->is_right) return std::nullopt;
  return judged->crc32c;
}

}  // namespace barman::copy
