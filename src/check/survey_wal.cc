// survey_wal_archive(): the files in wals/ against the lines of the index.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/foreign_names.h"
#include "base/worker_pool.h"
#include "catalogue/wal_index.h"
#include "check/gather_survey.h"
#include "wal/wal_file_name.h"

namespace barman::check {
namespace {

namespace fs = std::filesystem;
using Severity = Finding::Severity;

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
  strange_file,
  history,
};
constexpr std::size_t kTroubleCount = 8;

struct TroubleText {
  std::string_view reason;
  std::string_view next_step;
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
    {"the index has more than one line for it", "Run \"barman rebuild-xlogdb {}\"."},
    {"it is no file of the WAL archive", "Move it out of the WAL archive of server {}."},
    {"it cannot be read as a timeline history", "Replace it by PostgreSQL's copy ({})."},
}};

// A line of the index or a file, for comparing. Names that are no segments are kept in full.
struct Item {
  std::uint64_t key_high = 0;  // timeline and the log number: the hash directory
  std::uint32_t key_low = 0;   // the last eight digits
  bool is_plain = false;       // neither compressed nor encrypted
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
  std::array<std::uint64_t, kTroubleCount> counts{};
  std::array<std::vector<std::string>, kTroubleCount> names;

  void add(Trouble trouble, std::string name) {
    const auto index = static_cast<std::size_t>(trouble);
    if (counts.at(index)++ < kShownFindings) names.at(index).push_back(std::move(name));
  }
};

struct IndexLines {
  std::vector<Item> segments;                   // sorted
  std::map<std::string, std::uint64_t> others;  // size by name: history, partial, backup files
  std::uint64_t end_offset = 0;
};

IndexLines read_index(const fs::path& path, Part& part) {
  IndexLines lines;
  if (!find_status(path)) return lines;
  catalogue::visit_wal_index(path, 0, [&](const catalogue::WalIndexLine& line) {
    lines.end_offset = line.offset;
    const auto parsed = wal::parse_wal_file_name(line.name);
    if (!parsed) {
      part.add(Trouble::strange_file, fmt::format("{} in the index", line.name));
    } else if (parsed->kind == wal::WalFileKind::segment) {
      Item item = item_of(line.name, line.size_bytes);
      item.is_plain = line.compression.empty() && line.encryption.empty();
      lines.segments.push_back(item);
    } else {
      lines.others[parsed->name] = line.size_bytes;
    }
    return catalogue::Visit::proceed;
  });
  if (!std::is_sorted(lines.segments.begin(), lines.segments.end())) {
    std::stable_sort(lines.segments.begin(), lines.segments.end());
  }
  const auto same = [](const Item& a, const Item& b) { return !(a < b) && !(b < a); };
  for (auto at = lines.segments.begin();
       (at = std::adjacent_find(at, lines.segments.end(), same)) != lines.segments.end(); ++at) {
    part.add(Trouble::duplicate_line, name_of(*at));
  }
  lines.segments.erase(std::unique(lines.segments.begin(), lines.segments.end(), same),
                       lines.segments.end());
  return lines;
}

struct File {
  Item item;
  double mtime = 0;
};

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class DirectoryReader {
 public:
  DirectoryReader(const fs::path& wals, const IndexLines& index, wal::SegmentSize segment_size)
      : wals_(wals), index_(index), segment_size_(segment_size) {}

  Part read(const std::string& directory) const {
    Part part;
    std::vector<File> files = list(directory, part);
    std::sort(files.begin(), files.end(),
              [](const File& a, const File& b) { return a.item < b.item; });
    const std::uint64_t high = hex_value(directory);
    auto line =
        std::lower_bound(index_.segments.begin(), index_.segments.end(), Item{.key_high = high});
    for (const File& file : files) {
      for (; is_before(line, file.item); ++line) check_absent(*line, part);
      const bool is_indexed = line != index_.segments.end() && !(file.item < *line);
      check_file(file, is_indexed ? &*line : nullptr, part);
      if (is_indexed) ++line;
      add_to_runs(file, part);
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

  std::vector<File> list(const std::string& directory, Part& part) const {
    std::vector<File> files;
    const fs::path path = wals_ / directory;
    const Fd handle = open_file(path, O_RDONLY | O_DIRECTORY);
    for (const std::string& name : list_directory(path)) {
      const auto parsed = wal::parse_wal_file_name(name);
      struct stat status {};
      if (::fstatat(handle.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        // Gone meanwhile: retention removes the line as well.
        if (errno == ENOENT) continue;
        throw_errno("cannot access \"" + (path / name).string() + "\"");
      }
      if (name.ends_with(".tmp") || is_name_of_file_system(name)) continue;
      if (!parsed || parsed->hash_directory() != directory || !S_ISREG(status.st_mode)) {
        part.add(Trouble::strange_file, (path / name).string());
        continue;
      }
      const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
      ++part.file_count;
      part.size_bytes += size_bytes;
      if (parsed->kind == wal::WalFileKind::segment) {
        files.push_back({item_of(name, size_bytes), seconds_of(status.st_mtim)});
      } else if (!index_.others.contains(name)) {
        part.add(Trouble::not_indexed, name);
      }
    }
    return files;
  }

  void check_file(const File& file, const Item* line, Part& part) const {
    const std::string name = name_of(file.item);
    if (file.item.size_bytes == 0) return part.add(Trouble::empty, name);
    if (line == nullptr) return part.add(Trouble::not_indexed, name);
    if (line->size_bytes != file.item.size_bytes) return part.add(Trouble::index_size, name);
    if (line->is_plain && file.item.size_bytes != segment_size_.bytes) {
      part.add(Trouble::segment_size, name);
    }
  }

  void check_absent(const Item& line, Part& part) const {
    const std::string name = name_of(line);
    struct stat status {};
    if (::lstat(catalogue::archived_wal_path(wals_, name).c_str(), &status) != 0) {
      part.add(Trouble::line_without_file, name);
    }
  }

  void add_to_runs(const File& file, Part& part) const {
    const auto segment = wal::parse_segment_name(name_of(file.item), segment_size_);
    if (!segment || file.item.size_bytes == 0) return;
    if (!part.runs.empty() && part.runs.back().last + 1 == segment->number) {
      part.runs.back().last = segment->number;
      part.runs.back().last_mtime = file.mtime;
    } else {
      part.runs.push_back({segment->number, segment->number, file.mtime});
    }
  }

  const fs::path& wals_;
  const IndexLines& index_;
  wal::SegmentSize segment_size_;
};

// A history file in wals/ itself.
void read_history(const fs::path& path, std::uint64_t size_bytes, const wal::WalFileName& parsed,
                  const IndexLines& index, const archive::WalCoding& coding, Part& part,
                  SurveyFacts& facts) {
  const std::string name = path.filename().string();
  ++part.file_count;
  part.size_bytes += size_bytes;
  if (!index.others.contains(name)) part.add(Trouble::not_indexed, name);
  try {
    facts.histories.emplace(
        parsed.timeline, postgres::parse_timeline_history(parsed.timeline, coding.read_text(path)));
  } catch (const Error& error) {  // What cannot be read is a finding.
    if (error.kind() == ErrorKind::interrupted) throw;
    facts.unread_histories.insert(parsed.timeline);
    if (error.kind() == ErrorKind::corrupt) return part.add(Trouble::history, name);
    facts.wal_damage.push_back(
        {Severity::error, "WAL file " + name, error.describe(),
         error.hint().empty() ? "Look at the file and its permissions." : error.hint()});
  }
}

bool is_hash_directory(const std::string& name) {
  return wal::parse_archive_name(name).kind == wal::ArchiveName::Kind::hash_directory;
}

// The names in wals/ itself: hash directories, sorted; history files are read on the way.
std::vector<std::string> read_top(const fs::path& wals, const IndexLines& index,
                                  const archive::WalCoding& coding, Part& part,
                                  SurveyFacts& facts) {
  std::vector<std::string> directories;
  for (const std::string& name : list_directory(wals)) {
    const auto parsed = wal::parse_wal_file_name(name);
    const auto status = find_status(wals / name);
    if (!status || !S_ISDIR(status->st_mode)) {
      if (parsed && parsed->kind == wal::WalFileKind::history) {
        const auto size_bytes = static_cast<std::uint64_t>(status ? status->st_size : 0);
        read_history(wals / name, size_bytes, *parsed, index, coding, part, facts);
      }
    } else if (is_hash_directory(name)) {
      directories.push_back(name);
    } else if (!name.starts_with('.') && !is_name_of_file_system(name)) {
      part.add(Trouble::strange_file, (wals / name).string());
    }
  }
  return directories;
}

void merge(Part part, Part& into) {
  into.file_count += part.file_count;
  into.size_bytes += part.size_bytes;
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
  catalogue::visit_wal_index(index_path, offset, [&](const catalogue::WalIndexLine& line) {
    late.emplace(line.name);
    return catalogue::Visit::proceed;
  });
  const std::size_t gone =
      std::erase_if(names, [&](const std::string& name) { return late.contains(name); });
  part.counts.at(static_cast<std::size_t>(Trouble::not_indexed)) -= gone;
}

void make_findings(const Part& part, SurveyFacts& facts) {
  for (std::size_t i = 0; i < kTroubleCount; ++i) {
    const std::string next = fmt::format(fmt::runtime(kTexts.at(i).next_step), facts.server_name);
    for (const std::string& name : part.names.at(i)) {
      facts.wal_damage.push_back(
          {Severity::error, "WAL file " + name, std::string(kTexts.at(i).reason), next});
    }
    const std::uint64_t more = part.counts.at(i) - part.names.at(i).size();
    if (more > 0) {
      facts.wal_damage.push_back({Severity::error, fmt::format("{} more WAL files", more),
                                  std::string(kTexts.at(i).reason), next});
    }
  }
}

}  // namespace

void survey_wal_archive(const catalogue::CatalogueLocations& locations,
                        const archive::WalCoding& coding, const Interrupt& interrupt,
                        SurveyFacts& facts) {
  const fs::path& wals = locations.wals_directory;
  Part total;
  IndexLines index;
  bool is_index_readable = true;
  try {
    index = read_index(locations.wal_index_path(), total);
  } catch (const Error& error) {  // The files are worth a look nevertheless.
    if (error.kind() != ErrorKind::corrupt) throw;
    is_index_readable = false;
    facts.wal_damage.push_back(
        {Severity::error, "WAL index", error.describe(),
         fmt::format("Run \"barman rebuild-xlogdb {}\".", facts.server_name)});
  }
  const std::vector<std::string> directories = read_top(wals, index, coding, total, facts);
  std::vector<Part> parts(directories.size());
  const DirectoryReader reader(wals, index, facts.segment_size);
  {
    WorkerPool pool(kWorkers);
    for (std::size_t i = 0; i < directories.size(); ++i) {
      pool.submit([&, i] {
        interrupt.throw_if_requested();
        parts[i] = reader.read(directories[i]);
      });
    }
    pool.wait();
  }
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const auto timeline = static_cast<std::uint32_t>(hex_value(directories[i].substr(0, 8)));
    append_runs(parts[i].runs, facts.segments[wal::TimelineId{timeline}]);
    merge(std::move(parts[i]), total);
  }
  std::erase_if(facts.segments, [](const auto& item) { return item.second.empty(); });
  // Lines of directories that do not exist.
  std::set<std::uint64_t> known;
  for (const std::string& directory : directories) known.insert(hex_value(directory));
  for (const Item& line : index.segments) {
    if (!known.contains(line.key_high)) total.add(Trouble::line_without_file, name_of(line));
  }
  for (const auto& [name, size_bytes] : index.others) {
    if (!find_status(catalogue::archived_wal_path(wals, name))) {
      total.add(Trouble::line_without_file, name);
    }
  }
  if (!is_index_readable) {
    total.counts.at(static_cast<std::size_t>(Trouble::not_indexed)) = 0;
    total.names.at(static_cast<std::size_t>(Trouble::not_indexed)).clear();
  } else {
    forget_new_files(locations.wal_index_path(), index.end_offset, total);
  }
  facts.wal_count = total.file_count;
  facts.wal_size_bytes = total.size_bytes;
  make_findings(total, facts);
}

}  // namespace barman::check
