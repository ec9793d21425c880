// Format: docs/formats/xlog_db.md.
#include "wal_archive/wal_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/retry.h"
#include "base/text.h"
#include "catalogue/locks.h"
#include "storage/local_storage.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_bucket.h"
#include "wal_archive/wal_encoding.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;
constexpr std::size_t kMaxFields = 5;
constexpr std::string_view kNull = "None";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The fields of a line, at most kMaxFields + 1; returns how many there are.
std::size_t split_fields(std::string_view line,
                         std::array<std::string_view, kMaxFields + 1>& fields) {
  std::size_t count = 0;
  std::size_t i = 0;
  while (i < line.size() && count < fields.size()) {
    while (i < line.size() && is_blank(line[i])) ++i;
    const std::size_t begin = i;
    while (i < line.size() && !is_blank(line[i])) ++i;
    if (i > begin) fields[count++] = line.substr(begin, i - begin);
  }
  return count;
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

using RawVisitor =
    std::function<Visit(std::string_view line, std::uint64_t offset, std::uint64_t number)>;

struct IndexPart {
  std::uint64_t begin = 0;
  std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
};

// Cuts a buffer into lines and hands them over without their newlines; blank ones are skipped.
class LineCutter {
 public:
  explicit LineCutter(const RawVisitor& visitor) : visitor_(visitor) {}

  // `text` begins at `offset` of the file. The bytes used: what follows is an unfinished line,
  // unless is_end, which makes the rest a line. nullopt: the visitor wants no more.
  std::optional<std::size_t> cut(std::string_view text, std::uint64_t offset, bool is_end) {
    std::size_t begin = 0;
    while (begin < text.size()) {
      std::size_t end = text.find('\n', begin);
      if (end == std::string_view::npos) {
        if (!is_end) break;
        end = text.size();
      }
      const std::string_view line = text.substr(begin, end - begin);
      ++number_;
      if (!line.empty() && visitor_(line, offset + begin, number_) == Visit::stop) return {};
      begin = end + 1;
    }
    return std::min(begin, text.size());
  }

 private:
  const RawVisitor& visitor_;
  std::uint64_t number_ = 0;
};

// Calls `visitor` for each line of a part of the index.
void visit_raw_lines(const Fd& fd, const fs::path& path, const IndexPart& part,
                     const RawVisitor& visitor) {
  LineCutter cutter(visitor);
  std::uint64_t offset = part.begin;
  std::string buffer(kBufferSize, '\0');
  std::size_t used = 0;  // bytes of an unfinished line at the beginning of the buffer
  for (;;) {
    if (used == buffer.size()) buffer.resize(buffer.size() * 2);
    auto free = std::as_writable_bytes(std::span(buffer)).subspan(used);
    const std::uint64_t left = part.end - std::min(part.end, offset + used);
    const bool is_last = left <= free.size();
    if (is_last) free = free.first(static_cast<std::size_t>(left));
    const std::size_t size = read_full_at(fd, free, offset + used, path);
    const bool is_end = is_last || size < free.size();
    const std::string_view text(buffer.data(), used + size);
    const std::optional<std::size_t> begin = cutter.cut(text, offset, is_end);
    if (!begin || is_end) return;
    used = text.size() - *begin;
    std::memmove(buffer.data(), buffer.data() + *begin, used);
    offset += *begin;
  }
}

void visit_raw_lines(const fs::path& path, std::uint64_t offset, const RawVisitor& visitor) {
  visit_raw_lines(open_file(path, O_RDONLY), path, {.begin = offset}, visitor);
}

// "<server>-xlog.db"; the index of old versions does not name its server.
std::string rebuild_hint(const fs::path& path) {
  constexpr std::string_view kSuffix = "-xlog.db";
  const std::string name = path.filename().string();
  if (!name.ends_with(kSuffix)) return "Run \"barman rebuild-xlogdb\" for this server.";
  return fmt::format("Run \"barman rebuild-xlogdb {}\".",
                     std::string_view(name).substr(0, name.size() - kSuffix.size()));
}

Error bad_line(const fs::path& path, std::uint64_t number) {
  return {ErrorKind::corrupt, fmt::format("cannot parse line {} of \"{}\"", number, path.string()),
          rebuild_hint(path)};
}

RawVisitor parsed_lines(const fs::path& path, const WalIndexVisitor& visitor) {
  return [&](std::string_view text, std::uint64_t position, std::uint64_t number) {
    std::optional<WalIndexLine> line = parse_wal_index_line(text);
    if (!line) throw bad_line(path, number);
    line->offset = position;
    return visitor(*line);
  };
}

ArchivedObjects files_of(const catalogue::CatalogueLocations& locations) {
  if (locations.wals_directory.empty()) return nullptr;
  return std::make_shared<storage::LocalStorage>(locations.wals_directory);
}

bool are_files(const ArchivedObjects& objects) { return objects && objects->local() != nullptr; }

WalIndexEntry entry_of(std::string_view name, std::uint64_t size_bytes, const timespec& modified,
                       WalEncoding encoding) {
  return {
      .name = std::string(name),
      .size_bytes = size_bytes,
      .mtime = static_cast<double>(modified.tv_sec) + 1e-9 * static_cast<double>(modified.tv_nsec),
      .compression = std::move(encoding.compression),
      .encryption = std::move(encoding.encryption)};
}

std::optional<WalIndexEntry> inspect_file(const fs::path& path, std::string_view name) {
  const std::optional<Fd> fd = find_file(path);
  if (!fd) return std::nullopt;
  struct stat status = {};
  if (::fstat(fd->get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::array<std::byte, kWalEncodingBytes> first = {};
  const std::size_t size = read_full_at(*fd, first, 0, path);
  return entry_of(name, static_cast<std::uint64_t>(status.st_size), status.st_mtim,
                  detect_wal_encoding(Bytes(first).first(size)));
}

}  // namespace

WalIndexEntry WalIndexLine::entry() const {
  const auto optional_text = [](std::string_view text) {
    return text.empty() ? std::nullopt : std::optional(std::string(text));
  };
  return {.name = std::string(name),
          .size_bytes = size_bytes,
          .mtime = mtime,
          .compression = optional_text(compression),
          .encryption = optional_text(encryption)};
}

std::string format_wal_index_entry(const WalIndexEntry& entry) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\n", entry.name, entry.size_bytes,
                     shortest_float(entry.mtime), entry.compression.value_or(std::string(kNull)),
                     entry.encryption.value_or(std::string(kNull)));
}

std::optional<WalIndexLine> parse_wal_index_line(std::string_view text) {
  std::array<std::string_view, kMaxFields + 1> fields;
  const std::size_t count = split_fields(text, fields);
  if (count < 3 || count > kMaxFields) return std::nullopt;
  WalIndexLine line;
  line.name = fields[0];
  if (!parse_number(fields[1], line.size_bytes) || !parse_number(fields[2], line.mtime)) {
    return std::nullopt;
  }
  if (count > 3 && fields[3] != kNull) line.compression = fields[3];
  if (count > 4 && fields[4] != kNull) line.encryption = fields[4];
  return line;
}

void visit_wal_index(const fs::path& path, std::uint64_t offset, const WalIndexVisitor& visitor) {
  visit_raw_lines(path, offset, parsed_lines(path, visitor));
}

WalIndexSnapshot WalIndexSnapshot::take(const catalogue::CatalogueLocations& locations) {
  return take(locations, files_of(locations));
}

WalIndexSnapshot WalIndexSnapshot::take(const catalogue::CatalogueLocations& locations,
                                        ArchivedObjects objects) {
  const WalIndex index = WalIndex::open(locations, std::move(objects));
  Fd fd = open_file(index.path(), O_RDONLY);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0)
    throw_errno("cannot access \"" + index.path().string() + "\"");
  return {index.path(), std::move(fd),
          std::min(index.readable_end_, static_cast<std::uint64_t>(status.st_size))};
}

void WalIndexSnapshot::for_each(const WalIndexVisitor& visitor, std::uint64_t offset) const {
  visit_raw_lines(fd_, path_, {.begin = offset, .end = size_bytes_}, parsed_lines(path_, visitor));
}

std::optional<WalIndexEntry> WalIndexSnapshot::find_line_at(std::uint64_t offset) const {
  if (offset >= size_bytes_) return std::nullopt;
  if (offset > 0) {
    char before = '\0';
    read_full_at(fd_, std::as_writable_bytes(std::span(&before, 1)), offset - 1, path_);
    if (before != '\n') return std::nullopt;
  }
  std::optional<WalIndexEntry> entry;
  visit_raw_lines(fd_, path_, {.begin = offset, .end = size_bytes_},
                  [&](std::string_view text, std::uint64_t, std::uint64_t) {
                    if (const auto line = parse_wal_index_line(text)) entry = line->entry();
                    return Visit::stop;
                  });
  return entry;
}

std::optional<WalIndexSnapshot::LastLine> WalIndexSnapshot::find_last_line() const {
  constexpr std::uint64_t kFirstStep = 4096;
  for (std::uint64_t step = kFirstStep;; step *= 2) {
    const std::uint64_t begin = size_bytes_ - std::min(step, size_bytes_);
    std::optional<LastLine> last;
    std::uint64_t count = 0;
    // The first piece may be the end of a line only.
    visit_raw_lines(fd_, path_, {.begin = begin, .end = size_bytes_},
                    [&](std::string_view text, std::uint64_t offset, std::uint64_t) {
                      if (count++ == 0 && begin > 0) return Visit::proceed;
                      const auto line = parse_wal_index_line(text);
                      last = LastLine{offset, line ? std::string(line->name) : std::string()};
                      return Visit::proceed;
                    });
    if (last && !last->name.empty()) return last;
    if (last) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("cannot parse the last line of \"{}\"", path_.string()),
                  rebuild_hint(path_));
    }
    if (begin == 0) return std::nullopt;
  }
}

WalIndex::WalIndex(FileLock lock, catalogue::CatalogueLocations locations, ArchivedObjects objects)
    : lock_(std::move(lock)),
      locations_(std::move(locations)),
      objects_(std::move(objects)),
      path_(locations_.wal_index_path()) {}

WalIndex WalIndex::open(const catalogue::CatalogueLocations& locations) {
  return open(locations, files_of(locations));
}

WalIndex WalIndex::open(const catalogue::CatalogueLocations& locations, ArchivedObjects objects) {
  WalIndex index(FileLock::lock(wal_index_lock(locations.locks())), locations, std::move(objects));
  struct stat status = {};
  if (::stat(index.path_.c_str(), &status) == 0) {
    index.repair_last_line();
    return index;
  }
  if (errno != ENOENT) throw_errno("cannot access \"" + index.path_.string() + "\"");
  try {
    index.made_ = index.rebuild();
  } catch (const SystemError& error) {
    if (error.error_number() != EROFS) throw;
    const fs::path old = locations.wals_directory / "xlog.db";
    if (!find_status(old)) {
      throw Error(ErrorKind::io,
                  fmt::format("\"{}\" is missing, and cannot be made on a read-only file system",
                              index.path_.string()),
                  "Set xlogdb_directory to a directory that can be written to.");
    }
    index.path_ = old;
    return index;
  }
  // The index of versions before 3.13. Its facts are in the new one now.
  if (are_files(index.objects_)) remove_durably(locations.wals_directory / "xlog.db");
  return index;
}

void WalIndex::for_each(const WalIndexVisitor& visitor, std::uint64_t offset) const {
  visit_raw_lines(open_file(path_, O_RDONLY), path_, {.begin = offset, .end = readable_end_},
                  parsed_lines(path_, visitor));
}

std::optional<WalIndexEntry> WalIndex::find(std::string_view name) const {
  std::optional<WalIndexEntry> result;
  for_each([&](const WalIndexLine& line) {
    if (line.name != name) return Visit::proceed;
    result = line.entry();
    return Visit::stop;
  });
  return result;
}

void WalIndex::append(std::span<const WalIndexEntry> entries) {
  if (entries.empty()) return;
  std::string text;
  for (const WalIndexEntry& entry : entries) text += format_wal_index_entry(entry);
  Fd fd = open_file(path_, O_WRONLY | O_APPEND | O_CREAT, 0644);
  const off_t old_size = ::lseek(fd.get(), 0, SEEK_END);
  if (old_size < 0) throw_errno("cannot access \"" + path_.string() + "\"");
  try {
    write_full(fd, as_bytes(text), path_);
    sync_fd(fd, path_);
  } catch (const Error&) {
    // A full disk must not leave a piece of a line behind, which readers would have to repair on
    // the same full disk. If this fails too, they will.
    if (::ftruncate(fd.get(), old_size) != 0) {
      log::warning(log::kCatalogueComponent, "cannot take back a piece of a line in \"{}\"",
                   path_.string());
    }
    throw;
  }
  fd.close(path_);
}

std::vector<LineRange> WalIndex::find_lines(
    const std::function<bool(const WalIndexLine&)>& wanted) const {
  constexpr auto kOpen = std::numeric_limits<std::uint64_t>::max();
  std::vector<LineRange> ranges;
  for_each([&](const WalIndexLine& line) {
    const bool goes_on = !ranges.empty() && ranges.back().end == kOpen;
    const bool is_wanted = wanted(line);
    if (goes_on && !is_wanted) ranges.back().end = line.offset;
    if (is_wanted && !goes_on) ranges.push_back({.begin = line.offset, .end = kOpen});
    return Visit::proceed;
  });
  if (!ranges.empty() && ranges.back().end == kOpen) ranges.back().end = fs::file_size(path_);
  return ranges;
}

void WalIndex::for_each_of(const LineRange& range,
                           const std::function<void(const WalIndexLine&)>& visitor) const {
  const WalIndexVisitor visit_all = [&](const WalIndexLine& line) {
    visitor(line);
    return Visit::proceed;
  };
  visit_raw_lines(open_file(path_, O_RDONLY), path_, {.begin = range.begin, .end = range.end},
                  parsed_lines(path_, visit_all));
}

void WalIndex::cut_out(std::span<const LineRange> ranges) {
  const Fd old = open_file(path_, O_RDONLY);
  AtomicFile file(path_);
  std::string buffer(kBufferSize, '\0');
  const auto keep = [&](std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const auto part =
          std::as_writable_bytes(std::span(buffer))
              .first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - begin)));
      const std::size_t size = read_full_at(old, part, begin, path_);
      if (size == 0) return;
      file.write(Bytes(part).first(size));
      begin += size;
    }
  };
  std::uint64_t kept_to = 0;
  for (const LineRange& range : ranges) {
    keep(kept_to, range.begin);
    kept_to = range.end;
  }
  keep(kept_to, std::numeric_limits<std::uint64_t>::max());
  file.commit();
}

void WalIndex::merge(std::span<const WalIndexEntry> entries) {
  const std::span<const WalIndexEntry> all = entries;
  const auto is_replaced = [&](std::string_view name) {
    const auto found = std::lower_bound(
        all.begin(), all.end(), name,
        [](const WalIndexEntry& entry, std::string_view wanted) { return entry.name < wanted; });
    return found != all.end() && found->name == name;
  };
  AtomicFile file(path_);
  std::string text;
  const auto put = [&](std::string_view line) {
    text += line;
    if (text.size() < kBufferSize) return;
    file.write(text);
    text.clear();
  };
  visit_wal_index(path_, 0, [&](const WalIndexLine& line) {
    while (!entries.empty() && entries.front().name < line.name) {
      put(format_wal_index_entry(entries.front()));
      entries = entries.subspan(1);
    }
    if (!is_replaced(line.name)) put(format_wal_index_entry(line.entry()));
    return Visit::proceed;
  });
  for (const WalIndexEntry& entry : entries) put(format_wal_index_entry(entry));
  file.write(text);
  file.commit();
}

// Lines are appended in one write, so only a crash of the machine leaves a piece of one. The file
// it names is complete (it is made durable before its line), so the line is made anew from it.
void WalIndex::repair_last_line() {
  constexpr std::size_t kLongestLine = 4096;
  Fd fd = open_file(path_, O_RDONLY);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("cannot access \"" + path_.string() + "\"");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0) return;
  char last = '\0';
  read_full_at(fd, std::as_writable_bytes(std::span(&last, 1)), size - 1, path_);
  if (last == '\n') return;
  std::string tail(std::min<std::uint64_t>(size, kLongestLine), '\0');
  const std::uint64_t tail_offset = size - tail.size();
  read_full_at(fd, std::as_writable_bytes(std::span(tail)), tail_offset, path_);
  const std::size_t newline = tail.rfind('\n');
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  const std::string piece = tail.substr(begin);
  log::warning(log::kCatalogueComponent, "the last line of \"{}\" is incomplete: {}",
               path_.string(), piece);
  try {
    fd = open_file(path_, O_RDWR);
  } catch (const SystemError& error) {
    // Who only reads does without that line.
    if (error.error_number() != EROFS) throw;
    readable_end_ = tail_offset + begin;
    return;
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(tail_offset + begin)) != 0) {
    throw_errno("cannot truncate \"" + path_.string() + "\"");
  }
  sync_fd(fd, path_);
  fd.close(path_);
  const std::vector<std::string> fields = split_blanks(piece);
  if (fields.empty() || !objects_) return;
  if (const auto entry = inspect_archived_wal(*objects_, fields.front())) append(*entry);
}

fs::path archived_wal_path(const fs::path& wals_directory, std::string_view name) {
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed) {
    throw Error(ErrorKind::corrupt, fmt::format("invalid WAL file name '{}'", name));
  }
  return wals_directory / parsed->hash_directory() / name;
}

void place_archived_wal(const fs::path& file, const fs::path& wals_directory,
                        const WalIndexEntry& entry) {
  const auto seconds = static_cast<time_t>(entry.mtime);
  const auto nanoseconds = static_cast<long>((entry.mtime - static_cast<double>(seconds)) * 1e9);
  const std::array<timespec, 2> times = {timespec{seconds, nanoseconds},
                                         timespec{seconds, nanoseconds}};
  static_cast<void>(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0));
  const fs::path place = archived_wal_path(wals_directory, entry.name);
  // One that the removal of old WAL has just found empty is made again.
  in_directory(place.parent_path(), [&] { rename_durably(file, place); });
}

std::optional<WalIndexEntry> inspect_archived_wal(const storage::Storage& objects,
                                                  std::string_view name) {
  if (!wal::parse_wal_file_name(name)) return std::nullopt;
  const std::string key = archived_wal_path("", name).string();
  // A file is opened once.
  if (const storage::LocalDirectory* const files = objects.local()) {
    return inspect_file(files->path_of(key), name);
  }
  const auto object = objects.find(key);
  if (!object) return std::nullopt;
  return inspect_listed_wal(objects, *object);
}

WalIndexEntry inspect_listed_wal(const storage::Storage& objects,
                                 const storage::ObjectFacts& object) {
  WalEncoding encoding;
  if (object.stored_key.empty()) {
    std::array<std::byte, kWalEncodingBytes> first = {};
    const std::size_t size = objects.open(object.key)->read_at(0, first);
    encoding = detect_wal_encoding(Bytes(first).first(size));
  } else {
    encoding = parse_stored_name(object.stored_key).encoding;
  }
  return entry_of(object.key.substr(object.key.rfind('/') + 1), object.size_bytes,
                  {object.mtime_seconds, object.mtime_nanoseconds}, std::move(encoding));
}

}  // namespace barman::wal_archive
