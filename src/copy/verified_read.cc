#include "copy/verified_read.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "pipeline/bulk_writer.h"
#include "stored/plain_tree.h"

namespace barman::copy {
namespace {

void verify_checksum(const CopyTask& task, const std::string& found) {
  if (found == task.expected->checksum) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" is damaged: its checksum is {}, backup_manifest says {}",
                          task.source.string(), found, task.expected->checksum),
              "Restore another backup, or put an intact copy of the file in place.");
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

}  // namespace barman::copy
