// A tree that can be read through only (an archive in one piece, encrypted, or without an index),
// after it was read once from its beginning to its end: everything that could refuse it is known,
// its names cost nothing any more, and each file has a checksum by which a copy of it is judged.
#pragma once

#include <cstddef>
#include <memory>

#include "base/interrupt.h"
#include "base/progress.h"
#include "copy/backup_tree.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::copy {

struct SurveyOptions {
  // Readers of files, at once.
  std::size_t worker_count = 2;
  // Gets what was read.
  Progress& progress;
  Interrupt interrupt = {};
};

// `tree.source` as it is where it has random access; else one that is is_listed(). Its files are
// compared with `manifest`, which may be nullptr. Throws `corrupt` for damage, links, files that
// are not those of the manifest, and a file that comes twice.
// Memory: about 50 bytes a file; the names are in a file of the temporary directory.
std::shared_ptr<const stored::ContentTree> survey_tree(const TreeCopy& tree,
                                                       const stored::ManifestIndex* manifest,
                                                       const SurveyOptions& options);

}  // namespace barman::copy
