// A file of a backup to be copied: what is read, what it must be, where it goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "copy/combined_manifest.h"
#include "postgres/backup_manifest.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::copy {

struct CopyTask {
  // For messages; also what is opened when `open` is empty.
  std::filesystem::path source;
  std::function<std::unique_ptr<stored::ContentFile>()> open;
  std::filesystem::path destination;
  mode_t mode = 0600;
  // The source must have exactly this size.
  std::uint64_t size_bytes = 0;
  // Unset: the time of copying.
  std::optional<timespec> modified;
  std::optional<stored::ExpectedFile> expected;
  // Who says so, for messages.
  std::string_view told_by = postgres::kBackupManifest;
  // Gets the CRC-32C of the copy, in the thread of a worker; for content that no manifest lists.
  std::function<void(std::uint64_t size_bytes, std::uint32_t crc32c)> on_checksum;
  // The source can be opened at any time and is not far away: such tasks may wait for one another.
  bool is_at_hand = false;
  // The destination may exist: what is right in it stays, blocks that differ are written.
  bool updates_existing = false;
  // The copy is filled up with zeroes to this size.
  std::uint64_t minimum_size_bytes = 0;
};

// Where the files of one tree come from and by what they are judged.
struct TaskOrigin {
  const stored::ContentTree& tree;
  // Of its files in the manifest: "" or "pg_tblspc/16384/".
  std::string manifest_prefix;
  // nullptr: nothing is known of the files.
  const stored::ManifestIndex* manifest = nullptr;
  // Gets the checksums of derived files, which no manifest lists; outlives the task.
  CombinedManifest& combined;
};

CopyTask make_copy_task(const TaskOrigin& origin, const stored::Entry& entry,
                        const stored::ContentOpener& open, std::filesystem::path destination);

}  // namespace barman::copy
