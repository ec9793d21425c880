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
  write_somehow(data, written_);
  written_ += data.size();
  if (is_direct_ || written_ - written_back_ < kWriteBackStep) return;
  start_write_back(written_back_, written_);
  written_back_ = written_;
}

void BulkWriter::write_at(Bytes data, std::uint64_t offset) {
  write_somehow(data, offset);
  if (!is_direct_) start_write_back(offset, offset + data.size());
}

void BulkWriter::write_somehow(Bytes data, std::uint64_t offset) {
  if (is_direct_ && is_aligned(data) && write_directly(data, offset)) return;
  if (is_direct_) leave_direct_mode();
  write_full_at(file_, data, offset, path_);
}

// False when the file system takes no direct write after all, or not all of it.
bool BulkWriter::write_directly(Bytes data, std::uint64_t offset) {
  while (!data.empty()) {
    const ssize_t size =
        ::pwrite(file_.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EINVAL) return false;
    if (size < 0) throw_errno(fmt::format("cannot write \"{}\"", path_.string()));
    data = data.subspan(static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return true;
}

// What other threads are writing meanwhile goes through the page cache, too: no harm.
void BulkWriter::leave_direct_mode() {
  const std::lock_guard lock(leaving_);
  if (is_direct_ && !set_direct(file_, false)) {
    throw_errno(fmt::format("cannot write \"{}\" through the page cache", path_.string()));
  }
  is_direct_ = false;
}

void BulkWriter::start_write_back(std::uint64_t begin, std::uint64_t end) {
  // Only a hint; what goes wrong shows in fsync.
  ::sync_file_range(file_.get(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                    SYNC_FILE_RANGE_WRITE);
}

}  // namespace barman::pipeline
