// Whether the parts of a stored backup belong together: its metadata (backup.info), its
// backup_label, its pg_control and its manifest each say of which cluster and of which moment they
// are. Files that were exchanged for those of another backup fit their own checksums, but not these
// facts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "postgres/backup_label.h"
#include "postgres/control_file.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::stored {

// What is absent, or cannot be read, says nothing: that it is damaged is told by its checksum.
struct BackupEvidence {
  std::optional<postgres::BackupLabel> label;
  std::optional<postgres::ControlFile> control_file;
  std::optional<ManifestFacts> manifest;
  // What the manifest says against the backup_label that was read; "" = nothing.
  std::string label_damage;
};

// `data_directory` and `manifest` may be nullptr. Of a tree that is not listed nothing is read;
// its manifest speaks for the files, which are compared with it whenever they are read.
BackupEvidence gather_evidence(const ContentTree* data_directory, const ManifestIndex* manifest);
// The same of a directory that holds the files themselves; pg_control by its name there.
BackupEvidence gather_evidence(const std::filesystem::path& data_directory,
                               const std::string& control_file_name, const ManifestIndex* manifest);

// Pure. Each as "backup_label begins at 0/4000028, backup.info at 0/2000028"; empty when nothing
// speaks against it.
std::vector<std::string> find_contradictions(const catalogue::BackupInfo& info,
                                             const BackupEvidence& evidence);

// Throws `corrupt` with all contradictions and what to do.
void require_consistent(const catalogue::BackupInfo& info, const BackupEvidence& evidence);
// The same of files that have just come, which lie in `data_directory`. Archives are judged by
// their manifest.
void require_parts_of(const catalogue::BackupInfo& info,
                      const std::filesystem::path& data_directory);

}  // namespace barman::stored
