#include "wal_archive/wal_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/directory.h"
#include "base/error.h"
#include "base/text.h"
#include "compression/stored_file.h"
#include "wal/wal_file_name.h"
#include "wal_archive/unindexed_wal.h"
#include "wal_archive/wal_range.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;

namespace {

// Some hundred lines.
constexpr std::size_t kIndexTail = std::size_t{24} << 10;

}  // namespace

WalArchive::WalArchive(const server::Server& server)
    : WalArchive(server.locations(), WalCoding(server.config())) {}

WalArchive::WalArchive(catalogue::CatalogueLocations locations, WalCoding coding)
    : locations_(std::move(locations)), coding_(std::move(coding)) {}

std::optional<StoredWal> WalArchive::find(std::string_view name) const {
  StoredWal wal{.name = std::string(name), .path = path_of(name), .file = {}, .form = {}};
  std::optional<Fd> file = find_file(wal.path);
  if (!file) return std::nullopt;
  wal.file = std::move(*file);
  wal.form = coding_.identify(wal.file, wal.path);
  return wal;
}

std::optional<struct stat> WalArchive::find_status(std::string_view name) const {
  return barman::find_status(path_of(name));
}

std::optional<WalIndexEntry> WalArchive::inspect(std::string_view name) const {
  return inspect_archived_wal(locations_.wals_directory, name);
}

void WalArchive::read(const StoredWal& wal, pipeline::Sink& sink) const {
  coding_.decode(wal.form, wal.file, wal.path, sink);
}

std::optional<std::string> WalArchive::find_text(std::string_view name) const {
  const std::optional<StoredWal> wal = find(name);
  if (!wal) return std::nullopt;
  compression::TextSink text(wal->path.string());
  read(*wal, text);
  return text.take();
}

fs::path WalArchive::path_of(std::string_view name) const {
  return locations_.wals_directory / relative_path(name);
}

fs::path WalArchive::relative_path(std::string_view name) { return archived_wal_path("", name); }

ArchivedTimelines WalArchive::list_timelines() const {
  ArchivedTimelines timelines;
  if (!is_local()) return timelines;
  for (const std::string& text : list_directory(locations_.wals_directory)) {
    const wal::ArchiveName name = wal::parse_archive_name(text);
    if (name.kind == wal::ArchiveName::Kind::hash_directory) {
      timelines.with_segments.insert(name.timeline);
    } else if (name.kind == wal::ArchiveName::Kind::history) {
      timelines.with_history.insert(name.timeline);
    }
  }
  return timelines;
}

std::optional<std::string> WalArchive::find_last_segment(wal::TimelineId timeline) const {
  return find_last_archived_segment(locations_.wals_directory, timeline);
}

std::map<wal::TimelineId, std::string> WalArchive::list_last_segments() const {
  std::map<wal::TimelineId, std::string> segments;
  for (const wal::TimelineId timeline : list_timelines().with_segments) {
    if (auto last = find_last_segment(timeline)) segments.emplace(timeline, std::move(*last));
  }
  return segments;
}

std::vector<std::string> WalArchive::list_missing(std::string_view begin_wal,
                                                  std::string_view end_wal,
                                                  wal::SegmentSize size) const {
  return list_missing_segments(locations_.wals_directory, begin_wal, end_wal, size);
}

std::vector<WalIndexEntry> WalArchive::list_unindexed(
    const std::function<bool(std::string_view)>& is_wanted,
    const std::function<bool(std::string_view)>& is_indexed) const {
  return list_unindexed_segments(locations_, is_wanted, is_indexed);
}

ArchiveLookup WalArchive::lookup() const { return look_into_archive(locations_.wals_directory); }

void WalArchive::visit_lines(const WalIndexVisitor& visitor, std::uint64_t offset) const {
  const fs::path path = locations_.wal_index_path();
  if (barman::find_status(path)) visit_wal_index(path, offset, visitor);
}

std::vector<std::string> WalArchive::list_newest_names() const {
  const fs::path path = locations_.wal_index_path();
  const std::optional<Fd> file = find_file(path);
  struct stat status = {};
  if (!file || ::fstat(file->get(), &status) != 0) return {};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t offset = size > kIndexTail ? size - kIndexTail : 0;
  std::vector<std::byte> tail(static_cast<std::size_t>(size - offset));
  const std::size_t count = read_full_at(*file, tail, offset, path);
  std::vector<std::string> lines = split(as_text(Bytes(tail).first(count)), '\n');
  // The first one may be cut.
  if (offset > 0 && !lines.empty()) lines.erase(lines.begin());
  std::vector<std::string> names;
  for (const std::string& line : lines) {
    if (const auto parsed = parse_wal_index_line(line)) names.emplace_back(parsed->name);
  }
  return names;
}

bool WalArchive::is_empty() const {
  const auto status = barman::find_status(locations_.wal_index_path());
  return !status || status->st_size == 0;
}

RebuildCounts WalArchive::rebuild_index(const Interrupt& interrupt) const {
  return index().rebuild(interrupt);
}

void WalArchive::place(const fs::path& file, const WalIndexEntry& entry) const {
  place_archived_wal(file, locations_.wals_directory, entry);
}

std::uint64_t WalArchive::remove(const WalRemovalPlan& plan,
                                 const WalRemovalObserver& observer) const {
  WalIndex lines = index();
  return remove_planned_wal(plan, lines, locations_.wals_directory, observer);
}

}  // namespace barman::wal_archive
