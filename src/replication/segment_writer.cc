#include "replication/segment_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"

namespace barman::replication {
namespace {

constexpr mode_t kFileMode = 0600;
// Divides every segment size.
constexpr std::size_t kFillSize = std::size_t{256} << 10;

}  // namespace

SegmentWriter::SegmentWriter(std::filesystem::path directory, wal::SegmentSize segment_size,
                             NewSegments new_segments)
    : directory_(std::move(directory)), segment_size_(segment_size), new_segments_(new_segments) {}

void SegmentWriter::begin(const StreamPosition& position) {
  close();
  timeline_ = position.timeline;
  written_ = position.lsn;
  flushed_ = position.lsn;
}

std::uint64_t SegmentWriter::space_left() const {
  return segment_size_.bytes - wal::segment_offset(written_, segment_size_);
}

std::optional<std::filesystem::path> SegmentWriter::write(Bytes data) {
  if (data.empty()) return std::nullopt;
  if (!file_.is_open()) open_partial();
  write_full_at(file_, data, wal::segment_offset(written_, segment_size_), partial_path_);
  written_.value += data.size();
  if (wal::segment_offset(written_, segment_size_) != 0) return std::nullopt;
  return complete();
}

void SegmentWriter::open_partial() {
  const std::string name =
      wal::segment_name(wal::segment_of(timeline_, written_, segment_size_), segment_size_);
  final_path_ = directory_ / name;
  partial_path_ = directory_ / (name + ".partial");
  file_ = open_file(partial_path_, O_WRONLY | O_CREAT, kFileMode);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0)
    throw_errno(fmt::format("cannot stat file \"{}\"", partial_path_.string()));
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (size_bytes == segment_size_.bytes) {
    sync_directory(directory_);
    return;
  }
  if (size_bytes != 0)
    throw Error(ErrorKind::corrupt,
                fmt::format("partial WAL file \"{}\" has {} bytes instead of 0 or {}",
                            partial_path_.string(), size_bytes, segment_size_.bytes),
                "Truncate the file to 0 bytes; streaming fills it again.");
  // One call, so that a crash leaves a file of either size, never of one in between.
  const int error = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(segment_size_.bytes));
  if (error != 0)
    throw SystemError(error, fmt::format("cannot allocate file \"{}\"", partial_path_.string()));
  // The size is complete already, as a crash shows it.
  if (new_segments_ == NewSegments::fill) fill_with_zeroes();
  sync_fd(file_, partial_path_);
  sync_directory(directory_);
}

void SegmentWriter::fill_with_zeroes() {
  const std::vector<std::byte> zeroes(kFillSize);
  for (std::uint64_t offset = 0; offset < segment_size_.bytes; offset += zeroes.size()) {
    write_full_at(file_, zeroes, offset, partial_path_);
  }
}

std::filesystem::path SegmentWriter::complete() {
  sync_fd(file_, partial_path_);
  file_.close(partial_path_);
  // Commit point: from here on the segment is complete for everybody, and the server may drop it.
  rename_durably(partial_path_, final_path_);
  flushed_ = written_;
  return final_path_;
}

void SegmentWriter::flush() {
  if (!file_.is_open() || flushed_ == written_) return;
  if (::fdatasync(file_.get()) != 0)
    throw_errno(fmt::format("cannot sync file \"{}\"", partial_path_.string()));
  flushed_ = written_;
}

void SegmentWriter::close() {
  if (!file_.is_open()) return;
  flush();
  file_.close(partial_path_);
}

std::filesystem::path SegmentWriter::write_history(wal::TimelineId timeline,
                                                   std::string_view content) {
  std::filesystem::path path = directory_ / wal::history_file_name(timeline);
  write_file_durably(path, content, kFileMode);
  return path;
}

bool SegmentWriter::has_history(wal::TimelineId timeline) const {
  return timeline.value == 1 ||
         std::filesystem::exists(directory_ / wal::history_file_name(timeline));
}

}  // namespace barman::replication
