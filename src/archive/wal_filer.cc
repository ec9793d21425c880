#include "archive/wal_filer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <optional>
#include <unordered_set>
#include <utility>

#include "archive/file_transfer.h"
#include "archive/rejected_file.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/timestamp.h"
#include "catalogue/wal_encoding.h"

namespace barman::archive {
namespace fs = std::filesystem;
namespace {

using catalogue::WalIndexEntry;

bool needs_line(FiledAs outcome) {
  return outcome == FiledAs::archived || outcome == FiledAs::duplicate;
}

// Removes the received file, unless another one has taken its name meanwhile.
void remove_source(const Fd& file, const fs::path& path) {
  struct stat named = {};
  struct stat opened = {};
  if (::stat(path.c_str(), &named) != 0 || ::fstat(file.get(), &opened) != 0) return;
  if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) return;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_errno("cannot remove \"" + path.string() + "\"");
  }
}

}  // namespace

WalIndexEntry inspect_received_wal(const Fd& file, const fs::path& path, WalSource source) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  WalIndexEntry entry = {.name = path.filename().string(),
                         .size_bytes = static_cast<std::uint64_t>(status.st_size),
                         .mtime = static_cast<double>(status.st_mtim.tv_sec) +
                                  1e-9 * static_cast<double>(status.st_mtim.tv_nsec)};
  // PostgreSQL streams plain WAL only.
  if (source == WalSource::streaming) return entry;
  std::array<std::byte, catalogue::kWalEncodingBytes> first = {};
  const std::size_t size = read_full_at(file, first, 0, path);
  catalogue::WalEncoding encoding = catalogue::detect_wal_encoding(Bytes(first).first(size));
  entry.compression = std::move(encoding.compression);
  entry.encryption = std::move(encoding.encryption);
  return entry;
}

WalFiler::WalFiler(const catalogue::CatalogueLocations& locations, WalSource source)
    : locations_(locations),
      source_(source),
      source_directory_(source == WalSource::streaming ? locations.streaming_directory
                                                       : locations.incoming_directory) {}

std::vector<FiledAs> WalFiler::file_group(std::span<const std::string> names) {
  std::vector<Item> items;
  items.reserve(names.size());
  for (const std::string& name : names) {
    // One bad file must not keep the good ones before it waiting.
    try {
      items.push_back(prepare(name));
    } catch (...) {
      failure_ = std::current_exception();
      break;
    }
  }
  put_into_archive(items);
  finish_sources(items);
  std::vector<FiledAs> outcomes;
  outcomes.reserve(items.size());
  for (const Item& item : items) outcomes.push_back(item.outcome);
  return outcomes;
}

void WalFiler::rethrow_failure() const {
  if (failure_) std::rethrow_exception(failure_);
}

// Makes the received file durable, and a file of the same content beside its place.
WalFiler::Item WalFiler::prepare(const std::string& name) {
  Item item = {.source = source_path(name)};
  std::optional<Fd> file = find_file(item.source);
  if (!file) {
    item.outcome = FiledAs::vanished;
    return item;
  }
  item.file = std::move(*file);
  sync_fd(item.file, item.source);
  item.entry = inspect_received_wal(item.file, item.source, source_);
  item.target = catalogue::archived_wal_path(locations_.wals_directory, name);
  if (item.target.parent_path() != known_directory_) {
    make_directories(item.target.parent_path());
    known_directory_ = item.target.parent_path();
  }
  if (const std::optional<Fd> archived = find_file(item.target)) {
    item.outcome = is_same_content(item.file, item.source, *archived, item.target)
                       ? FiledAs::duplicate
                       : FiledAs::rejected;
    return item;
  }
  step();
  item.temporary = item.target.string() + ".tmp";
  link_or_copy(item.file, item.source, item.temporary);
  step();
  return item;
}

void WalFiler::put_into_archive(std::vector<Item>& items) {
  std::set<fs::path> directories;
  for (const Item& item : items) {
    if (needs_line(item.outcome)) directories.insert(item.target.parent_path());
  }
  if (directories.empty()) return;
  // An index that is missing is rebuilt here, before the new files appear.
  catalogue::WalIndex index = catalogue::WalIndex::open(locations_);
  for (const Item& item : items) {
    if (item.outcome != FiledAs::archived) continue;
    if (::rename(item.temporary.c_str(), item.target.c_str()) != 0) {
      throw_errno("cannot rename \"" + item.temporary.string() + "\" to \"" + item.target.string() +
                  "\"");
    }
    step();
  }
  for (const fs::path& directory : directories) sync_directory(directory);
  step();
  // Commit point: the received files are not needed any more.
  index.append(missing_lines(index, items));
  step();
}

// What was archived now cannot be in the index; what had been archived may be, unless a crash came
// between the file and its line.
std::vector<WalIndexEntry> WalFiler::missing_lines(const catalogue::WalIndex& index,
                                                   const std::vector<Item>& items) const {
  std::unordered_set<std::string_view> doubtful;
  for (const Item& item : items) {
    if (item.outcome == FiledAs::duplicate) doubtful.insert(item.entry.name);
  }
  if (!doubtful.empty()) {
    index.for_each([&](const catalogue::WalIndexLine& line) {
      doubtful.erase(line.name);
      return doubtful.empty() ? catalogue::Visit::stop : catalogue::Visit::proceed;
    });
  }
  std::vector<WalIndexEntry> entries;
  for (const Item& item : items) {
    if (item.outcome == FiledAs::archived) entries.push_back(item.entry);
    if (item.outcome != FiledAs::duplicate || !doubtful.contains(item.entry.name)) continue;
    auto entry = catalogue::inspect_archived_wal(locations_.wals_directory, item.entry.name);
    if (entry) entries.push_back(std::move(*entry));
  }
  return entries;
}

void WalFiler::finish_sources(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.outcome == FiledAs::rejected) {
      move_to_errors(locations_.errors_directory, item.source, RejectReason::duplicate,
                     now_local());
    } else if (needs_line(item.outcome)) {
      remove_source(item.file, item.source);
    }
    step();
  }
  if (!items.empty()) sync_directory(source_directory_);
}

}  // namespace barman::archive
