#include "wal_archive/wal_batch.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/directory.h"
#include "base/error.h"
#include "base/foreign_names.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

struct Classified {
  ReceivedFile file;
  wal::WalFileKind kind;
  wal::TimelineId timeline;
};

// Takes the last one of a kind out; the files are ascending. `timeline`: of that one only.
bool take_last(std::vector<Classified>& files, wal::WalFileKind kind,
               std::optional<wal::TimelineId> timeline) {
  const auto last = std::find_if(files.rbegin(), files.rend(), [&](const Classified& item) {
    return item.kind == kind && (!timeline || item.timeline == *timeline);
  });
  if (last == files.rend()) return false;
  files.erase(std::prev(last.base()));
  return true;
}

// What the receiver still needs is taken out.
void keep_streaming_position(std::vector<Classified>& files,
                             std::optional<wal::TimelineId> receiving, WalBatch& batch) {
  const bool is_receiving_newest =
      !receiving || std::none_of(files.begin(), files.end(), [&](const Classified& item) {
        return item.kind == wal::WalFileKind::partial && item.timeline > *receiving;
      });
  if (!is_receiving_newest) take_last(files, wal::WalFileKind::partial, receiving);
  if (!take_last(files, wal::WalFileKind::partial, std::nullopt)) {
    take_last(files, wal::WalFileKind::segment, std::nullopt);
  }
  std::erase_if(files, [&](const Classified& item) {
    const bool is_marker = item.kind == wal::WalFileKind::partial && item.file.size_bytes == 0;
    if (is_marker) batch.empty_partials.push_back(item.file.name);
    return is_marker;
  });
}

}  // namespace

std::string_view source_text(WalSource source) {
  return source == WalSource::streaming ? "streaming" : "file archival";
}

WalBatch choose_batch(WalSource source, std::vector<ReceivedFile> received, std::size_t limit,
                      std::optional<wal::TimelineId> receiving) {
  std::sort(received.begin(), received.end(),
            [](const ReceivedFile& a, const ReceivedFile& b) { return a.name < b.name; });
  WalBatch batch;
  std::vector<Classified> files;
  for (ReceivedFile& file : received) {
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(file.name);
    if (!name || !file.is_regular) {
      batch.unknown.push_back(std::move(file.name));
    } else {
      files.push_back({.file = std::move(file), .kind = name->kind, .timeline = name->timeline});
    }
  }
  if (source == WalSource::streaming) keep_streaming_position(files, receiving, batch);
  batch.waiting = files.size();
  if (limit > 0 && files.size() > limit) files.resize(limit, {{}, wal::WalFileKind::segment, {}});
  batch.files.reserve(files.size());
  for (Classified& item : files) batch.files.push_back(std::move(item.file.name));
  return batch;
}

std::vector<ReceivedFile> list_received_files(const fs::path& directory) {
  std::vector<ReceivedFile> files;
  for (DirectoryEntry& entry : list_entries(directory)) {
    std::string& name = entry.name;
    if (name.starts_with('.') || name.ends_with(".tmp") || is_name_of_file_system(name)) continue;
    // A link is none, wherever it leads: what it leads to need not stay.
    ReceivedFile file = {.name = std::move(name), .is_regular = entry.kind == EntryKind::file};
    if (file.is_regular && file.name.ends_with(".partial")) {
      // What cannot be looked at (EIO, ESTALE, EACCES) is WAL that waits, not WAL that went away.
      const auto status = find_status(directory / file.name, Links::refuse);
      if (!status) continue;
      file.size_bytes = static_cast<std::uint64_t>(status->st_size);
    }
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace barman::wal_archive
