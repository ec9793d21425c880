// Where a restore goes: how files get there, become durable, and become a cluster. What is read,
// verified and decided is the same for every destination, and in execute_plan.cc.
//
// Order of calls: prepare(); for each tree begin_comparison(), if it is true compare() for each of
// its files and end_comparison(); begin_tree(), then its directories and files, a directory before
// what it contains; end_trees(); copy_wal(); commit(). After a failure what is
// there has no global/pg_control.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/interrupt.h"
#include "base/progress.h"
#include "copy/backup_tree.h"
#include "copy/file_copier.h"
#include "restore/restore_plan.h"

namespace barman::restore {

struct RestoreReporting {
  Messages& messages;
  Progress& progress;
};

// PostgreSQL decides by the data directory's mode how it makes new files: with group access
// (initdb -g) it lets the group read all of them.
struct ClusterModes {
  mode_t directory = 0700;
  mode_t file = 0600;

  static ClusterModes with_group_access() { return {.directory = 0750, .file = 0640}; }
};

// pg_control by this name until everything else is durable.
inline constexpr const char* kWaitingControlFile = "global/pg_control.restoring";

class Destination {
 public:
  virtual ~Destination() = default;

  // The directories of the plan are there, can be written, and say whose they are.
  virtual void prepare() = 0;
  // True when the files of the tree are to be compared with what is there before any is put: where
  // that cannot be done in the same step.
  virtual bool begin_comparison(const copy::TreeCopy&) { return false; }
  virtual void compare(copy::CopyTask) {}
  virtual void end_comparison() {}
  virtual void begin_tree(const copy::TreeCopy& tree) = 0;
  // Paths are those of the destination.
  virtual void make_directory(const std::filesystem::path& path, mode_t mode) = 0;
  virtual void put(copy::CopyTask task) = 0;
  // Everything that was put is there. Throws the first failure.
  virtual void end_trees() = 0;
  // Of the directories that are not in the backup.
  virtual void set_modes(const ClusterModes& modes) = 0;
  // Of the files that were put, how much was right already.
  virtual std::uint64_t kept_bytes() const = 0;
  // The plan's, and the directories for it.
  virtual void copy_wal(const ClusterModes& modes) = 0;
  // Where the small files of the data directory are read and written (configuration, pg_control,
  // what a restore adds): the data directory, or one on this host whose files get there with
  // commit().
  virtual const std::filesystem::path& small_files() const = 0;
  // Everything is durable, then kWaitingControlFile gets its name: the commit point.
  virtual void commit() = 0;
  // The engine for directories of this host; nullptr when they are elsewhere.
  virtual copy::FileCopier* local_copier() { return nullptr; }
};

std::unique_ptr<Destination> make_local_destination(const RestorePlan& plan,
                                                    const RestoreReporting& reporting,
                                                    const Interrupt& interrupt);

}  // namespace barman::restore
