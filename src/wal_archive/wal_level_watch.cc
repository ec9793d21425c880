#include "wal_archive/wal_level_watch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "wal/record_checker.h"
#include "wal/record_content.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace {

// Of XLogLongPageHeaderData (docs/formats/wal_segment.md).
constexpr off_t kSegmentSizeOffset = 32;
constexpr std::size_t kWatchBufferSize = std::size_t{1} << 20;

// nullopt when the file is not as long as its header says.
std::optional<wal::SegmentSize> find_segment_size(const Fd& file) {
  std::array<std::byte, sizeof(std::uint32_t)> bytes{};
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      ::pread(file.get(), bytes.data(), bytes.size(), kSegmentSizeOffset) !=
          static_cast<ssize_t>(bytes.size())) {
    return std::nullopt;
  }
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  if (!wal::is_valid_segment_size(size) || status.st_size != off_t{size}) return std::nullopt;
  return wal::SegmentSize{.bytes = size};
}

void read_records(const Fd& file, const wal::Segment& segment, wal::RecordChecker& checker) {
  thread_local std::vector<std::byte> buffer(kWatchBufferSize);
  checker.begin_segment(segment);
  off_t offset = 0;
  while (!checker.is_done()) {
    const ssize_t size = ::pread(file.get(), buffer.data(), buffer.size(), offset);
    if (size <= 0) return;
    checker.write(Bytes(buffer).first(static_cast<std::size_t>(size)));
    offset += size;
  }
}

}  // namespace

std::optional<catalogue::MinimalWal> find_minimal_wal(const Fd& file, const std::string& name) {
  std::optional<catalogue::MinimalWal> found;
  const auto parsed = wal::parse_wal_file_name(name);
  if (!parsed || parsed->kind != wal::WalFileKind::segment) return found;
  const std::optional<wal::SegmentSize> size = find_segment_size(file);
  const auto segment = size ? wal::parse_segment_name(name, *size) : std::nullopt;
  if (!segment) return found;
  wal::RecordChecker checker({.timeline = segment->timeline,
                              .begin = wal::segment_begin(*segment, *size),
                              .end = {wal::segment_begin(*segment, *size).value + size->bytes},
                              .segment_size = *size,
                              .first_record = wal::FirstRecord::anywhere,
                              .last_record = wal::LastRecord::anywhere},
                             [&](const wal::RecordView& record) {
                               const auto level = wal::find_wal_level(record);
                               if (found || !level || !level->is_minimal || !level->is_change) {
                                 return;
                               }
                               found = {name, record.begin, record.previous};
                             });
  try {
    read_records(file, *segment, checker);
  } catch (const Error& error) {  // Whether it is whole is not the question here.
    if (error.kind() != ErrorKind::corrupt) throw;
  }
  return found;
}

}  // namespace barman::wal_archive
