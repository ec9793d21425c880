#include "wal_archive/wal_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "object_store/object_store.h"
#include "server/server_storage.h"
#include "storage/local_storage.h"
#include "wal/wal_content.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_bucket.h"
#include "wal_archive/object_writer.h"
#include "wal_archive/unindexed_wal.h"
#include "wal_archive/wal_range.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;

namespace {

// Some hundred lines.
constexpr std::size_t kIndexTail = std::size_t{24} << 10;
// An object is one request: segments of the usual size, and smaller ones.
constexpr std::size_t kObjectCopyBytes = (std::size_t{16} << 20) + 1;

std::shared_ptr<storage::Storage> make_storage(const catalogue::CatalogueLocations& locations) {
  if (!locations.has_local_wals || locations.wals_directory.empty()) return nullptr;
  return std::make_shared<storage::LocalStorage>(locations.wals_directory);
}

// What reads files wants a descriptor: that of the object itself, or of a copy on no disk.
Fd open_here(pipeline::ContentFile& object, const fs::path& path) {
  if (const Fd* const file = object.descriptor()) {
    Fd copy(::fcntl(file->get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.is_open()) throw_errno("cannot open \"" + path.string() + "\"");
    return copy;
  }
  Fd file = open_memory_file();
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(kObjectCopyBytes, object.size_bytes() + 1)));
  for (std::uint64_t offset = 0;;) {
    const std::size_t size = object.read_at(offset, buffer);
    write_full(file, Bytes(buffer).first(size), path);
    offset += size;
    if (size < buffer.size()) break;
  }
  // Some readers begin where the descriptor stands.
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("cannot read \"" + path.string() + "\"");
  return file;
}

// The one place where the driver is chosen.
std::shared_ptr<storage::Storage> make_storage(const server::Server& server) {
  const auto bucket = server.find_bucket(server::ObjectsOf::wal);
  if (!bucket) return make_storage(server.locations());
  const std::int64_t removed_at_once = server.config().cloud_delete_batch_size.value_or(0);
  return std::make_shared<ArchiveBucket>(
      bucket, static_cast<std::size_t>(std::max<std::int64_t>(removed_at_once, 0)));
}

// With the place in the bucket instead of the URL that is configured.
catalogue::CatalogueLocations archive_locations(const server::Server& server) {
  catalogue::CatalogueLocations locations = server.locations();
  if (const auto bucket = server.find_bucket(server::ObjectsOf::wal)) {
    locations.wals_directory = bucket->url().text();
  }
  return locations;
}

// Piece by piece.
void push_decoded(pipeline::ContentFile& object, const WalStoredForm& form, const fs::path& path,
                  pipeline::Sink& target) {
  constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
  pipeline::Sink* sink = &target;
  std::unique_ptr<pipeline::Sink> decompressor;
  if (form.algorithm) {
    decompressor = compression::make_decompressor(*form.algorithm, target, path.string());
    sink = decompressor.get();
  }
  std::vector<std::byte> buffer(kPieceBytes);
  for (std::uint64_t offset = 0; offset < object.size_bytes();) {
    const std::size_t size = object.read_at(offset, buffer);
    if (size == 0) break;
    sink->write(Bytes(buffer).first(size));
    offset += size;
  }
  sink->finish();
}

std::string name_in(const std::string& key) { return key.substr(key.rfind('/') + 1); }

}  // namespace

WalArchive::WalArchive(const server::Server& server)
    : WalArchive(archive_locations(server), WalCoding(server.config()), make_storage(server)) {
  // Somebody else archives into the bucket of an inactive server.
  is_listed_by_index_ = is_in_bucket() && server.config().active;
  is_written_elsewhere_ = is_in_bucket() && !server.config().active;
}

WalArchive::WalArchive(catalogue::CatalogueLocations locations, WalCoding coding)
    : locations_(std::move(locations)),
      coding_(std::move(coding)),
      storage_(make_storage(locations_)) {}

WalArchive::WalArchive(catalogue::CatalogueLocations locations, WalCoding coding,
                       std::shared_ptr<storage::Storage> storage)
    : locations_(std::move(locations)), coding_(std::move(coding)), storage_(std::move(storage)) {}

storage::Storage& WalArchive::storage() const {
  if (storage_) return *storage_;
  throw Error(ErrorKind::config,
              fmt::format("there is no storage for the WAL of server '{}' in \"{}\"",
                          locations_.server_name, locations_.wals_directory.string()),
              "Set wals_directory.");
}

namespace {

// What should be below it is not missing: that would end a recovery.
void require_no_file_above(const fs::path& path) {
  const fs::path directory = path.parent_path();
  const auto status = barman::find_status(directory);
  if (!status || S_ISDIR(status->st_mode)) return;
  throw Error(
      ErrorKind::conflict,
      fmt::format("\"{}\" is a file in the place of a directory of WAL", directory.string()),
      "Look at who has put it there, and move it away.");
}

}  // namespace

std::optional<StoredWal> WalArchive::find(std::string_view name) const {
  StoredWal wal{.name = std::string(name), .path = path_of(name), .file = {}, .form = {}};
  if (!storage_) return std::nullopt;
  const std::string key = key_of(name);
  // Most names that are asked for are new: the question is cheaper than an exception.
  const storage::LocalDirectory* const files = local();
  if (files != nullptr && !barman::find_status(files->path_of(key), Links::refuse)) {
    require_no_file_above(files->path_of(key));
    return std::nullopt;
  }
  try {
    wal.file = open_here(*storage_->open(key), wal.path);
  } catch (const Error& error) {  // Absence is an answer.
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
  wal.form = coding_.identify(wal.file, wal.path);
  return wal;
}

bool WalArchive::is_elsewhere(const fs::path& path) const {
  return is_in_bucket() && path.native().starts_with(directory().native() + "/");
}

std::optional<Fd> WalArchive::find_at(const fs::path& path) const {
  if (!is_elsewhere(path)) return find_file(path);
  std::optional<StoredWal> wal = find(path.filename().string());
  if (!wal) return std::nullopt;
  return std::move(wal->file);
}

std::optional<struct stat> WalArchive::find_status(std::string_view name) const {
  const std::string key = key_of(name);
  if (const storage::LocalDirectory* const files = local()) {
    return barman::find_status(files->path_of(key));
  }
  const auto facts = storage_ ? storage_->find(key) : std::nullopt;
  if (!facts) return std::nullopt;
  struct stat status = {};
  status.st_mode = S_IFREG;
  status.st_size = static_cast<off_t>(facts->size_bytes);
  status.st_mtim = {.tv_sec = facts->mtime_seconds, .tv_nsec = facts->mtime_nanoseconds};
  status.st_ctim = status.st_mtim;
  return status;
}

bool WalArchive::holds(std::string_view name) const {
  const auto status = find_status(name);
  return status && S_ISREG(status->st_mode) && status->st_size > 0;
}

std::optional<WalIndexEntry> WalArchive::inspect(std::string_view name) const {
  if (!storage_) return std::nullopt;
  return inspect_archived_wal(*storage_, name);
}

void WalArchive::read(const StoredWal& wal, pipeline::Sink& sink) const {
  coding_.decode(wal.form, wal.file, wal.path, sink);
}

bool WalArchive::read_along(std::string_view name, pipeline::Sink& sink) const {
  if (is_in_bucket()) {
    std::unique_ptr<pipeline::ContentFile> object;
    try {
      object = storage_->open(key_of(name));
    } catch (const Error& error) {  // Absence is an answer.
      if (error.kind() != ErrorKind::not_found) throw;
      return false;
    }
    std::array<std::byte, WalCoding::kIdentifyingBytes> first = {};
    const WalStoredForm form = coding_.identify(Bytes(first).first(object->read_at(0, first)));
    // Filters of others want files.
    if (!form.is_custom && !form.encryption) {
      push_decoded(*object, form, path_of(name), sink);
      return true;
    }
  }
  const std::optional<StoredWal> wal = find(name);
  if (wal) read(*wal, sink);
  return wal.has_value();
}

std::string WalArchive::read_text(std::string_view name) const {
  const std::optional<StoredWal> wal = find(name);
  if (!wal) throw SystemError(ENOENT, "cannot open \"" + path_of(name).string() + "\"");
  // PostgreSQL's have a line for each timeline.
  compression::TextSink text(wal->path.string(), wal::kMaxWalTextBytes);
  read(*wal, text);
  return text.take();
}

std::optional<std::string> WalArchive::find_text(std::string_view name) const {
  const std::optional<StoredWal> wal = find(name);
  if (!wal) return std::nullopt;
  compression::TextSink text(wal->path.string());
  read(*wal, text);
  return text.take();
}

fs::path WalArchive::beside_index(std::string_view name) const {
  if (locations_.xlogdb_directory == locations_.wals_directory) return directory() / name;
  return locations_.xlogdb_directory / fmt::format("{}-{}", locations_.server_name, name);
}

fs::path WalArchive::path_of(std::string_view name) const {
  return locations_.wals_directory / relative_path(name);
}

fs::path WalArchive::relative_path(std::string_view name) { return archived_wal_path("", name); }

void WalArchive::visit_names(std::string_view prefix,
                             const std::function<void(const std::string&)>& visitor) const {
  if (is_listed_by_index_) {
    snapshot().for_each([&](const WalIndexLine& line) {
      if (line.name.starts_with(prefix)) visitor(std::string(line.name));
      return Visit::proceed;
    });
  } else if (storage_) {
    storage_->list(prefix,
                   [&](const storage::ObjectFacts& object) { visitor(name_in(object.key)); });
  }
}

ArchivedTimelines WalArchive::list_timelines() const {
  ArchivedTimelines timelines;
  if (is_local()) {
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
  visit_names("", [&](const std::string& text) {
    const auto name = wal::parse_wal_file_name(text);
    if (!name) return;
    const bool is_history = name->kind == wal::WalFileKind::history;
    (is_history ? timelines.with_history : timelines.with_segments).insert(name->timeline);
  });
  return timelines;
}

std::optional<std::string> WalArchive::find_last_segment(wal::TimelineId timeline) const {
  if (is_local()) return find_last_archived_segment(locations_.wals_directory, timeline);
  std::optional<std::string> last;
  visit_names(wal::format_timeline(timeline), [&](const std::string& name) {
    if (wal::is_segment_name(name)) last = std::max(last, std::optional(name));
  });
  return last;
}

std::map<wal::TimelineId, std::string> WalArchive::list_last_segments() const {
  std::map<wal::TimelineId, std::string> segments;
  if (!is_local()) {
    visit_names("", [&](const std::string& name) {
      if (!wal::is_segment_name(name)) return;
      std::string& last = segments[wal::parse_wal_file_name(name)->timeline];
      last = std::max(last, name);
    });
    return segments;
  }
  for (const wal::TimelineId timeline : list_timelines().with_segments) {
    if (auto last = find_last_segment(timeline)) segments.emplace(timeline, std::move(*last));
  }
  return segments;
}

std::vector<std::string> WalArchive::list_missing(std::string_view begin_wal,
                                                  std::string_view end_wal,
                                                  wal::SegmentSize size) const {
  if (is_local()) {
    return list_missing_segments(locations_.wals_directory, begin_wal, end_wal, size);
  }
  return list_missing_segments(
      [&](const std::string& hash_directory) {
        std::set<std::string> names;
        storage().list(hash_directory + "/", [&](const storage::ObjectFacts& object) {
          names.insert(name_in(object.key));
        });
        return names;
      },
      begin_wal, end_wal, size);
}

std::vector<WalIndexEntry> WalArchive::list_unindexed(
    const std::function<bool(std::string_view)>& is_wanted,
    const std::function<bool(std::string_view)>& is_indexed) const {
  if (!storage_) return {};
  return list_unindexed_segments(*storage_, locations_, is_wanted, is_indexed);
}

ArchiveLookup WalArchive::lookup() const {
  return {
      .last_segment = [archive = *this](
                          wal::TimelineId timeline) { return archive.find_last_segment(timeline); },
      .is_archived = [archive =
                          *this](const std::string& segment) { return archive.holds(segment); }};
}

WalIndex WalArchive::index() const {
  WalIndex lines = WalIndex::open(locations_, storage_);
  if (is_written_elsewhere_) lines.rebuild();
  return lines;
}

WalIndexSnapshot WalArchive::snapshot() const {
  if (is_written_elsewhere_) static_cast<void>(index());
  return WalIndexSnapshot::take(locations_, storage_);
}

void WalArchive::visit_lines(const WalIndexVisitor& visitor, std::uint64_t offset) const {
  const fs::path path = locations_.wal_index_path();
  if (barman::find_status(path)) visit_wal_index(path, offset, visitor);
}

std::vector<std::string> WalArchive::list_newest_names() const {
  const fs::path path = locations_.wal_index_path();
  const std::optional<Fd> file = find_file(path);
  struct stat status = {};
  if (!file || ::fstat(file->get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) {  // Says what is there instead.
    std::array<std::byte, 1> any{};
    read_full_at(*file, any, 0, path);
  }
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

std::optional<struct stat> WalArchive::find_index_status() const {
  return barman::find_status(locations_.wal_index_path());
}

bool WalArchive::is_empty() const {
  const auto status = barman::find_status(locations_.wal_index_path());
  return !status || status->st_size == 0;
}

void WalArchive::index_object(std::string_view name, double mtime) const {
  const std::vector<std::string> newest = list_newest_names();
  if (std::ranges::find(newest, name) != newest.end()) return;
  auto entry = inspect(name);
  if (!entry) return;
  entry->mtime = mtime;
  WalIndex lines = index();
  // What is greater than all that came lately is new; else each line is looked at.
  const bool is_new = std::ranges::all_of(newest, [&](const std::string& other) {
    return other < name && wal::is_segment_name(other);
  });
  if (newest.empty() || !is_new) {
    if (lines.find(name)) return;
  }
  lines.append(*entry);
}

RebuildCounts WalArchive::rebuild_index(const Interrupt& interrupt) const {
  // One that was missing is new already, and the archive was listed for it.
  WalIndex lines = WalIndex::open(locations_, storage_);
  return lines.made() ? *lines.made() : lines.rebuild(interrupt);
}

void WalArchive::place(const fs::path& file, const WalIndexEntry& entry) const {
  if (is_local()) return place_archived_wal(file, locations_.wals_directory, entry);
  const ObjectWriter writer(storage(), coding_);
  writer.prepare(key_of(entry.name), {open_file(file, O_RDONLY), file}, {},
                 storage::IfPresent::refuse);
  remove_durably(file);
}

WalRemovalResult WalArchive::remove(const WalRemovalPlan& plan,
                                    const WalRemovalObserver& observer) const {
  WalIndex lines = index();
  return remove_planned_wal(plan, lines, storage(), observer);
}

std::filesystem::path index_file(const std::string& server,
                                 const std::filesystem::path& xlogdb_directory) {
  return catalogue::CatalogueLocations{.server_name = server, .xlogdb_directory = xlogdb_directory}
      .wal_index_path();
}

}  // namespace barman::wal_archive
