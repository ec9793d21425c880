#include "wal_transfer/stream_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "replication/resume_position.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

template <typename Accept>
std::optional<replication::StreamFile> find_newest(const fs::path& directory,
                                                   const Accept& accept) {
  std::optional<replication::StreamFile> newest;
  for (replication::StreamFile& file : replication::list_stream_files(directory)) {
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(file.name);
    if (!name || !accept(*name)) continue;
    if (!newest || newest->name < file.name) newest = std::move(file);
  }
  return newest;
}

}  // namespace

void create_marker(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return;
  if (fd < 0) throw_errno("cannot create \"" + path.string() + "\"");
  Fd(fd).close(path);
  sync_directory(path.parent_path());
}

void mark_next_segment(const fs::path& completed) {
  std::error_code code;
  const std::uintmax_t size_bytes = fs::file_size(completed, code);
  if (code && code != std::errc::no_such_file_or_directory) {
    throw SystemError(code.value(), "cannot access \"" + completed.string() + "\"");
  }
  // Gone: an archiver was faster, which it is only when a newer file is there.
  if (code || !wal::is_valid_segment_size(size_bytes)) return;
  const wal::SegmentSize segment_size = {size_bytes};
  std::optional<wal::Segment> segment =
      wal::parse_segment_name(completed.filename().string(), segment_size);
  if (!segment) return;
  ++segment->number;
  create_marker(completed.parent_path() / (wal::segment_name(*segment, segment_size) + ".partial"));
}

std::optional<TruncatedPartial> truncate_broken_partial(const fs::path& directory,
                                                        wal::SegmentSize segment_size,
                                                        wal::TimelineId timeline) {
  const auto newest = find_newest(directory, [&](const wal::WalFileName& name) {
    return name.kind == wal::WalFileKind::partial && name.timeline <= timeline;
  });
  if (!newest || newest->size_bytes == 0 || newest->size_bytes == segment_size.bytes) {
    return std::nullopt;
  }
  const fs::path path = directory / newest->name;
  Fd file = open_file(path, O_WRONLY);
  if (::ftruncate(file.get(), 0) != 0) throw_errno("cannot truncate \"" + path.string() + "\"");
  sync_fd(file, path);
  file.close(path);
  return TruncatedPartial{.path = path, .size_bytes = newest->size_bytes};
}

std::optional<std::string> find_newest_stream_file(const fs::path& directory) {
  const auto newest = find_newest(directory, [](const wal::WalFileName& name) {
    return name.kind == wal::WalFileKind::partial || name.kind == wal::WalFileKind::segment;
  });
  if (!newest) return std::nullopt;
  return newest->name;
}

}  // namespace barman::wal_transfer
