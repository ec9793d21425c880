// Which of the received files are to be archived now. The choice
// is pure; only list_received_files() looks at a disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wal/wal_file_name.h"

namespace barman::wal_archive {

enum class WalSource { streaming, incoming };
// As messages name it: "streaming", "file archival".
std::string_view source_text(WalSource source);

struct ReceivedFile {
  std::string name;
  bool is_regular = true;
  // Known for partial files only.
  std::uint64_t size_bytes = 0;
};

struct WalBatch {
  // To be archived, ascending.
  std::vector<std::string> files;
  // How many could be archived; more than `files` when the batch is limited.
  std::size_t waiting = 0;
  // No WAL files: for `errors/`.
  std::vector<std::string> unknown;
  // Superseded partial files without content: markers of where streaming was to go on.
  std::vector<std::string> empty_partials;

  bool is_limited() const { return files.size() < waiting; }
};

// Of a streaming directory the newest partial file stays, because it is being written; without
// partial files the newest complete segment, because the receiver finds its position by it. A limit
// of 0 means none. Newest by name, and of `receiving`, the timeline that the receiver has noted: a
// server that is on an earlier timeline again writes there.
WalBatch choose_batch(WalSource source, std::vector<ReceivedFile> received, std::size_t limit,
                      std::optional<wal::TimelineId> receiving = std::nullopt);

// Without hidden and temporary ("….tmp") files, in any order; empty for a missing directory.
std::vector<ReceivedFile> list_received_files(const std::filesystem::path& directory);

}  // namespace barman::wal_archive
