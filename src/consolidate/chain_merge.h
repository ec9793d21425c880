// Puts the files of a chain together into one full backup. What writes it is the BackupWriter of
// stored/; here is what is read, in which order, and where each block comes from.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "encryption/cipher.h"
#include "stored/archive_set.h"
#include "stored/backup_chain.h"

namespace barman::consolidate {

struct MergeSettings {
  const catalogue::Catalogue& catalogue;
  const stored::BackupChain& chain;
  std::size_t worker_count = 1;
  // For encrypted chains: of the files that are written, and of those that are read.
  encryption::Cipher cipher;
  // Of the algorithm of the newest backup; nullopt is its default.
  std::optional<int> compression_level;
  // Of a result in a bucket, but its compression, which is that of the newest backup.
  stored::ArchiveForm bucket_form;
  const Interrupt& interrupt;
  Progress& progress;
};

class ChainMerge {
 public:
  virtual ~ChainMerge() = default;
  // Before anything is written: what can be foreseen. Throws `corrupt` for files that are missing,
  // `io` when the result does not fit, `config` when it could not be encrypted.
  virtual void check() = 0;
  // All files and the manifest are durable when it returns. Throws `corrupt` naming the file of the
  // chain that is damaged.
  virtual void write(const catalogue::BackupInfo& target) = 0;
};

// Into directories: each file for itself, which may share blocks with those of the chain.
std::unique_ptr<ChainMerge> make_merge_of_files(const MergeSettings& settings);
// Of an encrypted chain into archives that are encrypted, too, and of one in a bucket into archives
// there.
std::unique_ptr<ChainMerge> make_merge_of_archives(const MergeSettings& settings);

// What both have in common.

// Throws `io` when the file system of the backups has less than that.
void require_space(const catalogue::Catalogue& catalogue, std::uint64_t size_bytes);
// When all files of the newest backup were marked as seen in its manifest: throws `corrupt` naming
// one that was not.
void refuse_missing_files(const stored::BackupChain& chain);

}  // namespace barman::consolidate
