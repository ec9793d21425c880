// A file of a backup as a task of the FileCopier: what is read, what it must be, where it goes.
#pragma once

#include <filesystem>
#include <string>

#include "copy/combined_manifest.h"
#include "copy/file_copier.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::copy {

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
