// WalArchive::check(): what is archived against the lines of the index.
#include "wal_archive/archive_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/foreign_names.h"
#include "base/worker_pool.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_bucket.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_archive {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWorkers = 4;
// Of each kind of finding; the rest is counted.
constexpr std::uint64_t kShownFindings = 20;

enum class Trouble {
  not_indexed,
  line_without_file,
  index_size,
  segment_size,
  empty,
  duplicate_line,
  differing_lines,
  strange_file,
  history,
};
constexpr std::size_t kTroubleCount = 9;

struct TroubleText {
  std::string_view reason;
  std::string_view next_step;
  bool is_harmless = false;
};

// {} in the next step is the name of the server.
constexpr std::array<TroubleText, kTroubleCount> kTexts = {{
    {"it has no line in the index", "Run \"barman rebuild-xlogdb {}\"."},
    {"the index has a line for it, but the file does not exist",
     "Look for the file in PostgreSQL's pg_wal; then run \"barman rebuild-xlogdb {}\"."},
    {"its size is not the one in the index",
     "Compare it with PostgreSQL's copy; then run \"barman rebuild-xlogdb {}\"."},
    {"its size is not that of a segment",
     "Replace it by PostgreSQL's copy, or take a new backup of server {}."},
    {"it is empty", "Replace it by PostgreSQL's copy, or take a new backup of server {}."},
    // What Barman writes when it ends between a file and its line, and archives the file again.
    {"the index has more than one line for it, which say the same",
     "Run \"barman rebuild-xlogdb {}\": it keeps one.", true},
    {"the index has lines for it that differ", "Run \"barman rebuild-xlogdb {}\"."},
    {"it is no file of the WAL archive", "Move it out of the WAL archive of server {}."},
    {"it cannot be read as a timeline history", "Replace it by PostgreSQL's copy ({})."},
}};

// A line of the index or a file, for comparing. Names that are no segments are kept in full.
struct Item {
  std::uint64_t key_high = 0;  // timeline and the log number: the hash directory
  std::uint32_t key_low = 0;   // the last eight digits
  // Neither compressed nor encrypted, as far as is known.
  bool is_plain = false;
  std::uint64_t size_bytes = 0;

  friend bool operator<(const Item& a, const Item& b) {
    return a.key_high != b.key_high ? a.key_high < b.key_high : a.key_low < b.key_low;
  }
};

std::uint64_t hex_value(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    const int part = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
    value = value << 4 | static_cast<std::uint64_t>(part);
  }
  return value;
}

Item item_of(std::string_view name, std::uint64_t size_bytes) {
  return {.key_high = hex_value(name.substr(0, 16)),
          .key_low = static_cast<std::uint32_t>(hex_value(name.substr(16, 8))),
          .size_bytes = size_bytes};
}

std::string name_of(const Item& item) {
  return fmt::format("{:016X}{:08X}", item.key_high, item.key_low);
}

// What one directory, or the index, has to tell.
struct Part {
  std::uint64_t file_count = 0;
  std::uint64_t size_bytes = 0;
  std::vector<SegmentRun> runs;
  // Archived files that are no segments and have a line.
  std::set<std::string, std::less<>> others;
  std::array<std::uint64_t, kTroubleCount> counts{};
  std::array<std::vector<std::string>, kTroubleCount> names;

  void add(Trouble trouble, std::string name) {
    const auto index = static_cast<std::size_t>(trouble);
    if (counts.at(index)++ < kShownFindings) names.at(index).push_back(std::move(name));
  }
};

// What lies in one place of the archive, under which name there.
struct Found {
  std::string name;
  std::uint64_t size_bytes = 0;
  double mtime = 0;
  bool is_file = true;
  bool is_coded = false;  // as its name in a bucket tells
};

struct IndexLines {
  std::vector<Item> segments;                   // sorted
  std::map<std::string, std::uint64_t> others;  // size by name: history, partial, backup files
  std::uint64_t end_offset = 0;
};

IndexLines read_index(const fs::path& path, Part& part) {
  IndexLines lines;
  if (!find_status(path)) return lines;
  visit_wal_index(path, 0, [&](const WalIndexLine& line) {
    lines.end_offset = line.offset;
    const auto parsed = wal::parse_wal_file_name(line.name);
    if (!parsed) {
      part.add(Trouble::strange_file, fmt::format("{} in the index", line.name));
    } else if (parsed->kind == wal::WalFileKind::segment) {
      Item item = item_of(line.name, line.size_bytes);
      item.is_plain = line.compression.empty() && line.encryption.empty();
      lines.segments.push_back(item);
    } else if (!lines.others.emplace(parsed->name, line.size_bytes).second) {
      const bool is_same = lines.others[parsed->name] == line.size_bytes;
      part.add(is_same ? Trouble::duplicate_line : Trouble::differing_lines, parsed->name);
    }
    return Visit::proceed;
  });
  if (!std::is_sorted(lines.segments.begin(), lines.segments.end())) {
    std::stable_sort(lines.segments.begin(), lines.segments.end());
  }
  const auto same = [](const Item& a, const Item& b) { return !(a < b) && !(b < a); };
  for (auto at = lines.segments.begin();
       (at = std::adjacent_find(at, lines.segments.end(), same)) != lines.segments.end(); ++at) {
    const Item& next = *std::next(at);
    const bool is_same = at->size_bytes == next.size_bytes && at->is_plain == next.is_plain;
    part.add(is_same ? Trouble::duplicate_line : Trouble::differing_lines, name_of(*at));
  }
  lines.segments.erase(std::unique(lines.segments.begin(), lines.segments.end(), same),
                       lines.segments.end());
  return lines;
}

struct File {
  Item item;
  double mtime = 0;
};

double seconds_of(std::int64_t seconds, std::int64_t nanoseconds) {
  return static_cast<double>(seconds) + static_cast<double>(nanoseconds) / 1e9;
}

void note_other(const std::string& name, const IndexLines& index, Part& part) {
  if (index.others.contains(name)) {
    part.others.insert(name);
  } else {
    part.add(Trouble::not_indexed, name);
  }
}

// The files of one hash directory.
class DirectoryComparison {
 public:
  // `describe` names what lies under a key, for messages.
  DirectoryComparison(const WalArchive& archive,
                      std::function<std::string(const std::string& key)> describe,
                      const IndexLines& index, wal::SegmentSize segment_size)
      : archive_(archive),
        describe_(std::move(describe)),
        index_(index),
        segment_size_(segment_size) {}

  Part compare(const std::string& directory, const std::vector<Found>& found) const {
    Part part;
    std::vector<File> files = pick_segments(directory, found, part);
    std::sort(files.begin(), files.end(),
              [](const File& a, const File& b) { return a.item < b.item; });
    const std::uint64_t high = hex_value(directory);
    auto line =
        std::lower_bound(index_.segments.begin(), index_.segments.end(), Item{.key_high = high});
    for (const File& file : files) {
      for (; is_before(line, file.item); ++line) check_absent(*line, part);
      const bool is_indexed = line != index_.segments.end() && !(file.item < *line);
      check_file(file, is_indexed ? &*line : nullptr, part);
      if (is_whole(file, is_indexed ? &*line : nullptr)) add_to_runs(file, part);
      if (is_indexed) ++line;
    }
    for (; line != index_.segments.end() && line->key_high == high; ++line) {
      check_absent(*line, part);
    }
    return part;
  }

 private:
  using Line = std::vector<Item>::const_iterator;
  bool is_before(Line line, const Item& item) const {
    return line != index_.segments.end() && *line < item;
  }

  std::vector<File> pick_segments(const std::string& directory, const std::vector<Found>& found,
                                  Part& part) const {
    std::vector<File> files;
    for (const Found& file : found) {
      if (file.name.ends_with(".tmp") || is_name_of_file_system(file.name)) continue;
      const auto parsed = wal::parse_wal_file_name(file.name);
      if (!parsed || parsed->hash_directory() != directory || !file.is_file) {
        part.add(Trouble::strange_file, describe_(directory + "/" + file.name));
        continue;
      }
      ++part.file_count;
      part.size_bytes += file.size_bytes;
      if (parsed->kind == wal::WalFileKind::segment) {
        files.push_back({item_of(file.name, file.size_bytes), file.mtime});
        files.back().item.is_plain = !file.is_coded;
      } else {
        note_other(file.name, index_, part);
      }
    }
    return files;
  }

  void check_file(const File& file, const Item* line, Part& part) const {
    const std::string name = name_of(file.item);
    if (file.item.size_bytes == 0) return part.add(Trouble::empty, name);
    if (line == nullptr) return part.add(Trouble::not_indexed, name);
    if (!is_whole(file, line)) return part.add(Trouble::segment_size, name);
    const std::uint64_t size_bytes =
        is_line_of_source(file, *line) ? segment_size_.bytes : file.item.size_bytes;
    if (line->size_bytes != size_bytes) part.add(Trouble::index_size, name);
  }

  // has_coded_name()
  static bool is_line_of_source(const File& file, const Item& line) {
    return line.is_plain && !file.item.is_plain;
  }

  // Recovery ends at one that is cut off.
  bool is_whole(const File& file, const Item* line) const {
    if (file.item.size_bytes == 0) return false;
    if (line == nullptr || !line->is_plain || is_line_of_source(file, *line)) return true;
    return file.item.size_bytes == segment_size_.bytes;
  }

  void check_absent(const Item& line, Part& part) const {
    const std::string name = name_of(line);
    if (!archive_.holds(name)) part.add(Trouble::line_without_file, name);
  }

  void add_to_runs(const File& file, Part& part) const {
    const auto segment = wal::parse_segment_name(name_of(file.item), segment_size_);
    if (!segment) return;
    if (!part.runs.empty() && part.runs.back().last + 1 == segment->number) {
      part.runs.back().last = segment->number;
      part.runs.back().last_mtime = file.mtime;
    } else {
      part.runs.push_back({segment->number, segment->number, file.mtime});
    }
  }

  const WalArchive& archive_;
  const std::function<std::string(const std::string& key)> describe_;
  const IndexLines& index_;
  wal::SegmentSize segment_size_;
};

bool is_hash_directory(const std::string& name) {
  return wal::parse_archive_name(name).kind == wal::ArchiveName::Kind::hash_directory;
}

// All that lies in the archive; directories ascending, compared already.
struct Contents {
  std::vector<Found> top;  // files in the archive itself
  std::vector<std::string> directories;
  std::vector<Part> parts;
  std::vector<std::string> strange;  // directories of other names
};

void add_directory(const std::string& name, Contents& contents) {
  if (is_hash_directory(name)) {
    contents.directories.push_back(name);
  } else if (!name.starts_with('.') && !is_name_of_file_system(name)) {
    contents.strange.push_back(name);
  }
}

std::vector<Found> look_into(const fs::path& directory) {
  std::vector<Found> found;
  const Fd handle = open_file(directory, O_RDONLY | O_DIRECTORY);
  for (const std::string& name : list_directory(directory)) {
    struct stat status {};
    if (::fstatat(handle.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      // Gone meanwhile: retention removes the line as well.
      if (errno == ENOENT) continue;
      throw_errno("cannot access \"" + (directory / name).string() + "\"");
    }
    found.push_back({.name = name,
                     .size_bytes = static_cast<std::uint64_t>(status.st_size),
                     .mtime = seconds_of(status.st_mtim.tv_sec, status.st_mtim.tv_nsec),
                     .is_file = S_ISREG(status.st_mode)});
  }
  return found;
}

// Files of this host, several directories at a time.
Contents read_files(const fs::path& wals, const DirectoryComparison& comparison,
                    const Interrupt& interrupt) {
  Contents contents;
  for (const std::string& name : list_directory(wals)) {
    const auto status = find_status(wals / name);
    if (status && S_ISDIR(status->st_mode)) {
      add_directory(name, contents);
    } else {
      const auto size_bytes = static_cast<std::uint64_t>(status ? status->st_size : 0);
      contents.top.push_back({.name = name, .size_bytes = size_bytes});
    }
  }
  contents.parts.resize(contents.directories.size());
  WorkerPool pool(kWorkers);
  for (std::size_t i = 0; i < contents.directories.size(); ++i) {
    pool.submit([&, i] {
      interrupt.throw_if_requested();
      const std::string& directory = contents.directories[i];
      contents.parts[i] = comparison.compare(directory, look_into(wals / directory));
    });
  }
  pool.wait();
  return contents;
}

// Objects come in the order of their keys: directory by directory.
Contents read_objects(const storage::Storage& objects, const DirectoryComparison& comparison,
                      const Interrupt& interrupt) {
  Contents contents;
  std::string directory;
  std::vector<Found> found;
  const auto compare_directory = [&] {
    if (found.empty()) return;
    interrupt.throw_if_requested();
    add_directory(directory, contents);
    if (contents.parts.size() < contents.directories.size()) {
      contents.parts.push_back(comparison.compare(directory, found));
    }
    found.clear();
  };
  objects.list("", [&](const storage::ObjectFacts& object) {
    const std::size_t slash = object.key.find('/');
    if (slash == std::string::npos) {
      contents.top.push_back({.name = object.key, .size_bytes = object.size_bytes});
      return;
    }
    if (object.key.compare(0, slash, directory) != 0) compare_directory();
    directory = object.key.substr(0, slash);
    found.push_back({.name = object.key.substr(slash + 1),
                     .size_bytes = object.size_bytes,
                     .mtime = seconds_of(object.mtime_seconds, object.mtime_nanoseconds),
                     .is_coded = has_coded_name(object)});
  });
  compare_directory();
  return contents;
}

// A history file in the archive itself.
void read_history(const WalArchive& archive, const Found& file, const wal::WalFileName& parsed,
                  const IndexLines& index, Part& part, ArchiveCheck& result) {
  ++part.file_count;
  part.size_bytes += file.size_bytes;
  note_other(file.name, index, part);
  try {
    result.histories.emplace(parsed.timeline, postgres::parse_timeline_history(
                                                  parsed.timeline, archive.read_text(file.name)));
  } catch (const Error& error) {  // What cannot be read is a finding.
    if (error.kind() == ErrorKind::interrupted) throw;
    result.unread_histories.insert(parsed.timeline);
    if (error.kind() == ErrorKind::corrupt) return part.add(Trouble::history, file.name);
    result.damage.push_back({.object = "WAL file " + file.name,
                             .reason = error.describe(),
                             .next_step = error.hint().empty()
                                              ? "Look at the file and its permissions."
                                              : error.hint()});
  }
}

void read_histories(const WalArchive& archive, const std::vector<Found>& top,
                    const IndexLines& index, Part& part, ArchiveCheck& result) {
  for (const Found& file : top) {
    const auto parsed = wal::parse_wal_file_name(file.name);
    if (!parsed || parsed->kind != wal::WalFileKind::history) continue;
    read_history(archive, file, *parsed, index, part, result);
  }
}

void merge(Part part, Part& into) {
  into.file_count += part.file_count;
  into.size_bytes += part.size_bytes;
  into.others.merge(part.others);
  for (std::size_t i = 0; i < kTroubleCount; ++i) {
    into.counts.at(i) += part.counts.at(i);
    for (std::string& name : part.names.at(i)) {
      if (into.names.at(i).size() < kShownFindings) into.names.at(i).push_back(std::move(name));
    }
  }
}

void append_runs(const std::vector<SegmentRun>& runs, std::vector<SegmentRun>& into) {
  for (const SegmentRun& run : runs) {
    if (!into.empty() && into.back().last + 1 == run.first) {
      into.back().last = run.last;
      into.back().last_mtime = run.last_mtime;
    } else {
      into.push_back(run);
    }
  }
}

// Files that were archived since the index was read are no trouble.
void forget_new_files(const fs::path& index_path, std::uint64_t offset, Part& part) {
  std::vector<std::string>& names = part.names.at(static_cast<std::size_t>(Trouble::not_indexed));
  if (names.empty() || !find_status(index_path)) return;
  std::set<std::string, std::less<>> late;
  visit_wal_index(index_path, offset, [&](const WalIndexLine& line) {
    late.emplace(line.name);
    return Visit::proceed;
  });
  const std::size_t gone =
      std::erase_if(names, [&](const std::string& name) { return late.contains(name); });
  part.counts.at(static_cast<std::size_t>(Trouble::not_indexed)) -= gone;
}

// Of directories that do not exist, and what is no segment.
void add_lines_without_file(const WalArchive& archive, const IndexLines& index,
                            const std::vector<std::string>& directories, Part& part) {
  std::set<std::uint64_t> known;
  for (const std::string& directory : directories) known.insert(hex_value(directory));
  for (const Item& line : index.segments) {
    if (!known.contains(line.key_high)) part.add(Trouble::line_without_file, name_of(line));
  }
  for (const auto& [name, size_bytes] : index.others) {
    if (part.others.contains(name) || archive.holds(name)) continue;
    part.add(Trouble::line_without_file, name);
  }
}

void tell_damage(const Part& part, const std::string& server_name, ArchiveCheck& result) {
  for (std::size_t i = 0; i < kTroubleCount; ++i) {
    const TroubleText& text = kTexts.at(i);
    const std::string next = fmt::format(fmt::runtime(text.next_step), server_name);
    const auto tell = [&](std::string object) {
      result.damage.push_back({.object = std::move(object),
                               .reason = std::string(text.reason),
                               .next_step = next,
                               .is_harmless = text.is_harmless});
    };
    for (const std::string& name : part.names.at(i)) tell("WAL file " + name);
    const std::uint64_t more = part.counts.at(i) - part.names.at(i).size();
    if (more > 0) tell(fmt::format("{} more WAL files", more));
  }
}

}  // namespace

ArchiveCheck WalArchive::check(wal::SegmentSize segment_size, const Interrupt& interrupt) const {
  ArchiveCheck result;
  Part total;
  IndexLines index;
  bool is_index_readable = true;
  try {
    index = read_index(locations_.wal_index_path(), total);
  } catch (const Error& error) {  // The files are worth a look nevertheless.
    if (error.kind() == ErrorKind::interrupted) throw;
    is_index_readable = false;
    const bool can_be_rebuilt = error.kind() == ErrorKind::corrupt || error.hint().empty();
    result.damage.push_back(
        {.object = "WAL index",
         .reason = error.describe(),
         .next_step = can_be_rebuilt
                          ? fmt::format("Run \"barman rebuild-xlogdb {}\".", locations_.server_name)
                          : error.hint()});
  }
  const auto describe = [this](const std::string& key) {
    return is_local() ? (locations_.wals_directory / key).string() : storage_->describe(key);
  };
  const DirectoryComparison comparison(*this, describe, index, segment_size);
  Contents contents;
  if (is_local()) contents = read_files(locations_.wals_directory, comparison, interrupt);
  if (storage_ && !is_local()) contents = read_objects(*storage_, comparison, interrupt);
  read_histories(*this, contents.top, index, total, result);
  for (const std::string& name : contents.strange) {
    total.add(Trouble::strange_file, describe(name));
  }
  // In a bucket it is in nobody's way.
  for (const Found& file : contents.top) {
    if (is_local() && is_hash_directory(file.name)) {
      total.add(Trouble::strange_file, describe(file.name));
    }
  }
  for (std::size_t i = 0; i < contents.directories.size(); ++i) {
    const auto timeline =
        static_cast<std::uint32_t>(hex_value(contents.directories[i].substr(0, 8)));
    append_runs(contents.parts[i].runs, result.segments[wal::TimelineId{timeline}]);
    merge(std::move(contents.parts[i]), total);
  }
  std::erase_if(result.segments, [](const auto& item) { return item.second.empty(); });
  add_lines_without_file(*this, index, contents.directories, total);
  if (!is_index_readable) {
    total.counts.at(static_cast<std::size_t>(Trouble::not_indexed)) = 0;
    total.names.at(static_cast<std::size_t>(Trouble::not_indexed)).clear();
  } else {
    forget_new_files(locations_.wal_index_path(), index.end_offset, total);
  }
  result.file_count = total.file_count;
  result.size_bytes = total.size_bytes;
  tell_damage(total, locations_.server_name, result);
  return result;
}

}  // namespace barman::wal_archive
