// WalIndex::rebuild(): the index made anew from what is archived.
#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_encoding.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

// Each file is opened: on a slow disk more threads than processors help.
constexpr std::size_t kRebuildWorkers = 8;
// Their lines are kept in memory: 256 a directory.
constexpr std::size_t kEntriesAtOnce = 128;
constexpr std::size_t kObjectsAtOnce = 4096;

using EntriesByName = std::map<std::string, WalIndexEntry, std::less<>>;

// The entries of an old index that say more than the files do.
void collect_hidden_facts(const fs::path& path, EntriesByName& entries) {
  if (!find_status(path)) return;
  try {
    visit_wal_index(path, 0, [&](const WalIndexLine& line) {
      if (!line.compression.empty() &&
          (!line.encryption.empty() || !is_detectable_compression(line.compression))) {
        entries.insert_or_assign(std::string(line.name), line.entry());
      }
      return Visit::proceed;
    });
  } catch (const Error& error) {
    // A damaged index is a reason to rebuild; what was read until here still helps.
    log::warning(log::kCatalogueComponent, "{}", error.describe());
  }
}

// The index has the time of what was received: files keep it.
enum class TimesOf { received, stored };

void add_hidden_facts(const EntriesByName& old_entries, TimesOf times, WalIndexEntry& entry) {
  const auto old = old_entries.find(entry.name);
  if (old == old_entries.end() || entry.compression || old->second.size_bytes != entry.size_bytes) {
    return;
  }
  if (times == TimesOf::received && std::abs(old->second.mtime - entry.mtime) > 1e-5) return;
  if (old->second.encryption == entry.encryption) entry.compression = old->second.compression;
}

bool is_segment_directory(const std::string& name) {
  return wal::parse_archive_name(name).kind == wal::ArchiveName::Kind::hash_directory;
}

// The lines of some files, and what they are.
struct Lines {
  std::string text;
  RebuildCounts counts;
};

void count(RebuildCounts& counts, wal::WalFileKind kind) {
  switch (kind) {
    case wal::WalFileKind::segment:
      ++counts.wal_files;
      break;
    case wal::WalFileKind::partial:
      ++counts.partials;
      break;
    case wal::WalFileKind::history:
      ++counts.history;
      break;
    case wal::WalFileKind::backup:
      ++counts.backup_labels;
      break;
  }
}

// `place` is how messages name it.
void warn_unexpected(std::string_view name, const std::string& place) {
  // The index itself, its replacement being written, a segment on its way in, other small files of
  // ours.
  if (name.find("xlog.db") != std::string::npos || name == "sync-wals.info" ||
      name.ends_with(".tmp"))
    return;
  log::warning(log::kCatalogueComponent, "unexpected file in the WAL archive: {}", place);
}

// Several threads look at the files of several directories, or at several objects; the lines come
// in the order of the names.
class Rebuilder {
 public:
  // `replaces`: there is an index, whose lines would be lost.
  Rebuilder(const storage::Storage& objects, AtomicFile& file, EntriesByName hidden_facts,
            bool replaces, const Interrupt& interrupt)
      : objects_(objects),
        file_(file),
        hidden_facts_(std::move(hidden_facts)),
        replaces_(replaces),
        interrupt_(interrupt) {}

  RebuildCounts run_through_files(const fs::path& wals) {
    wals_ = wals;
    const std::vector<DirectoryEntry> entries = list_entries(wals);
    for (std::size_t begin = 0; begin < entries.size(); begin += kEntriesAtOnce) {
      const std::size_t count = std::min(kEntriesAtOnce, entries.size() - begin);
      write_lines(std::span(entries).subspan(begin, count));
    }
    return counts_;
  }

  RebuildCounts run_through_objects() {
    std::vector<storage::ObjectFacts> batch;
    const auto write_batch = [&] {
      write_lines(std::span<const storage::ObjectFacts>(batch));
      batch.clear();
    };
    objects_.list("", [&](const storage::ObjectFacts& object) {
      batch.push_back(object);
      if (batch.size() == kObjectsAtOnce) write_batch();
    });
    write_batch();
    return counts_;
  }

 private:
  template <typename Entry>
  void write_lines(std::span<const Entry> entries) {
    std::vector<Lines> lines(entries.size());
    WorkerPool workers(kRebuildWorkers);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      workers.submit([&, i] { lines[i] = inspect(entries[i]); });
    }
    workers.wait();
    for (const Lines& part : lines) {
      file_.write(part.text);
      counts_.history += part.counts.history;
      counts_.backup_labels += part.counts.backup_labels;
      counts_.wal_files += part.counts.wal_files;
      counts_.partials += part.counts.partials;
    }
  }

  // A directory of segments, or one file.
  Lines inspect(const DirectoryEntry& entry) const {
    Lines lines;
    if (replaces_ && entry.kind == EntryKind::file && is_segment_directory(entry.name)) {
      // The WAL that was below that name may lie elsewhere: its lines are all that is left of it.
      throw Error(
          ErrorKind::conflict,
          fmt::format("\"{}\" is a file in the place of a directory of WAL; the index stays "
                      "as it is",
                      (wals_ / entry.name).string()),
          "Look at who has put it there, and move it away; then run this again.");
    }
    if (entry.kind != EntryKind::file && is_segment_directory(entry.name)) {
      for (const std::string& file : list_directory(wals_ / entry.name)) {
        interrupt_.throw_if_requested();
        add_file(file, entry.name, lines);
      }
    } else {
      interrupt_.throw_if_requested();
      add_file(entry.name, "", lines);
    }
    return lines;
  }

  Lines inspect(const storage::ObjectFacts& object) const {
    interrupt_.throw_if_requested();
    Lines lines;
    const std::string name = object.key.substr(object.key.rfind('/') + 1);
    const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
    if (parsed && archived_wal_path("", name) == object.key) {
      add(*parsed, inspect_listed_wal(objects_, object), TimesOf::stored, lines);
    } else {
      warn_unexpected(name, objects_.describe(object.key));
    }
    return lines;
  }

  void add_file(const std::string& name, const std::string& hash_directory, Lines& lines) const {
    const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
    std::optional<WalIndexEntry> entry;
    if (parsed && parsed->hash_directory() == hash_directory) {
      entry = inspect_archived_wal(objects_, name);
    }
    if (entry) return add(*parsed, std::move(*entry), TimesOf::received, lines);
    warn_unexpected(name, "\"" + (wals_ / hash_directory / name).string() + "\"");
  }

  void add(const wal::WalFileName& name, WalIndexEntry entry, TimesOf times, Lines& lines) const {
    count(lines.counts, name.kind);
    add_hidden_facts(hidden_facts_, times, entry);
    lines.text += format_wal_index_entry(entry);
  }

  const storage::Storage& objects_;
  AtomicFile& file_;
  const EntriesByName hidden_facts_;
  const bool replaces_;
  const Interrupt& interrupt_;
  // Of files that are here.
  fs::path wals_;
  RebuildCounts counts_;
};

}  // namespace

RebuildCounts WalIndex::rebuild(const Interrupt& interrupt) {
  const bool are_files_here = objects_ && objects_->local() != nullptr;
  EntriesByName hidden_facts;
  if (are_files_here) collect_hidden_facts(locations_.wals_directory / "xlog.db", hidden_facts);
  collect_hidden_facts(path_, hidden_facts);
  make_directories(path_.parent_path());
  const bool is_replaced = find_status(path_, Links::follow).has_value();
  AtomicFile file(path_);
  RebuildCounts counts;
  if (objects_) {
    Rebuilder rebuilder(*objects_, file, std::move(hidden_facts), is_replaced, interrupt);
    counts = are_files_here ? rebuilder.run_through_files(locations_.wals_directory)
                            : rebuilder.run_through_objects();
  }
  interrupt.throw_if_requested();
  // Commit point: until here the old index rules.
  file.commit();
  return counts;
}

}  // namespace barman::wal_archive
