// A file of a backup as a task of the FileCopier: what is read, what it must be, where it goes.
#pragma once

#include <filesystem>
#include <string>

#include "content/content_tree.h"
#include "content/manifest_index.h"
#include "restore/combined_manifest.h"
#include "restore/file_copier.h"

namespace barman::restore {

// Where the files of one tree come from and by what they are judged.
struct TaskOrigin {
  const content::ContentTree& tree;
  // Of its files in the manifest: "" or "pg_tblspc/16384/".
  std::string manifest_prefix;
  // nullptr: nothing is known of the files.
  const content::ManifestIndex* manifest = nullptr;
  // Gets the checksums of derived files, which no manifest lists; outlives the task.
  CombinedManifest& combined;
};

CopyTask make_copy_task(const TaskOrigin& origin, const content::Entry& entry,
                        const content::ContentOpener& open, std::filesystem::path destination);

}  // namespace barman::restore
