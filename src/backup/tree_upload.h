// Puts the files of a cluster, which lie on this host, into archives of a bucket. One thread walks
// through a tree, several read; with one, the archive has the order of the walk. Files come, go,
// grow and shrink meanwhile: WAL puts that right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backup/page_check.h"
#include "backup/source_walk.h"
#include "stored/archive_set.h"
#include "wal/lsn.h"

namespace barman::backup {

struct UploadedTree {
  SourceTree source;
  // Of its files in the data directory: "" or "pg_tblspc/16384/".
  std::string prefix = {};
};

struct TreeUploadOptions {
  std::size_t worker_count = 1;
  // Pages have checksums; those changed behind this position may be torn, WAL writes them anew.
  std::optional<wal::Lsn> checked_before = {};
  // Called often, from all threads; what it throws ends the upload.
  std::function<void()> require_going_on;
};

// Seconds that all workers together have taken.
double upload_tree(const UploadedTree& tree, const TreeUploadOptions& options,
                   stored::ArchiveSet& archives, PageDamageList& damage);

// One file under a name of its own, at the root of its tree. False when there is none.
bool upload_file(const std::filesystem::path& path, const std::string& name,
                 stored::ArchiveSet& archives);

// A text that becomes a file at the root of its tree, owned by the owner of `directory`.
struct UploadedText {
  std::string name;
  std::string_view content;
  mode_t mode = 0644;
  std::int64_t mtime = 0;
};
void upload_text(const UploadedText& text, const std::filesystem::path& directory,
                 stored::ArchiveSet& archives);

}  // namespace barman::backup
