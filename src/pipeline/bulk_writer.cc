#include "pipeline/bulk_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

// Write-back of a file in the page cache begins before its end, so that fsync has little to do.
constexpr std::uint64_t kWriteBackStep = std::uint64_t{8} << 20;

bool set_direct(const Fd& file, bool is_direct) {
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0) return false;
  return ::fcntl(file.get(), F_SETFL, is_direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

bool is_aligned(Bytes data) {
  return reinterpret_cast<std::uintptr_t>(data.data()) % BulkWriter::kAlignment == 0 &&
         data.size() % BulkWriter::kAlignment == 0;
}

}  // namespace

BulkWriter::BulkWriter(const Fd& file, const std::filesystem::path& path, std::uint64_t size_bytes)
    : file_(file), path_(path) {
  if (size_bytes < kMinimumSize) return;
  if (::fallocate(file.get(), 0, 0, static_cast<off_t>(size_bytes)) != 0 && errno == ENOSPC) {
    throw_errno(fmt::format("cannot reserve {} bytes for \"{}\"", size_bytes, path.string()));
  }
  is_direct_ = set_direct(file, true);
}

void BulkWriter::write(Bytes data) {
  if (is_direct_ && !(is_aligned(data) && write_directly(data))) leave_direct_mode();
  if (!is_direct_) {
    write_full_at(file_, data, written_, path_);
    written_ += data.size();
    start_write_back();
  }
}

// False when the file system takes no direct write after all; nothing is written then.
bool BulkWriter::write_directly(Bytes data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t size = ::pwrite(file_.get(), data.data() + done, data.size() - done,
                                  static_cast<off_t>(written_ + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EINVAL) return false;
    if (size < 0) throw_errno(fmt::format("cannot write \"{}\"", path_.string()));
    done += static_cast<std::size_t>(size);
  }
  written_ += done;
  return true;
}

void BulkWriter::leave_direct_mode() {
  is_direct_ = false;
  if (!set_direct(file_, false)) {
    throw_errno(fmt::format("cannot write \"{}\" through the page cache", path_.string()));
  }
}

void BulkWriter::start_write_back() {
  if (written_ - written_back_ < kWriteBackStep) return;
  // Only a hint; what goes wrong shows in fsync.
  ::sync_file_range(file_.get(), static_cast<off_t>(written_back_),
                    static_cast<off_t>(written_ - written_back_), SYNC_FILE_RANGE_WRITE);
  written_back_ = written_;
}

}  // namespace barman::pipeline
