// Puts relations together from backups that can only be read from end to end (archives in one
// piece, encrypted ones): each backup of the chain is read through once, the newest first, and of
// each file the blocks that no newer backup has are written to their places. No scratch space.
//
// Order: add() for each incremental file of the newest backup while it is read through; then for
// each older backup begin_backup(), offer() for its files, end_backup(); finish(). Every source
// that is used is compared with its manifest. Memory: some 150 bytes for each incremental file and
// a bit for each of its blocks.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/worker_pool.h"
#include "copy/combined_manifest.h"
#include "stored/checked_reader.h"
#include "stored/incremental_file.h"

namespace barman::copy {

class ChainPass {
 public:
  ChainPass(std::size_t worker_count, Progress& progress, const Interrupt& interrupt)
      : worker_count_(worker_count), progress_(progress), interrupt_(interrupt) {}

  struct Target {
    // As the manifest lists the complete file.
    std::string listed;
    std::filesystem::path destination;
    mode_t mode = 0600;
    timespec modified{};
  };
  // What a backup has of a file.
  struct Source {
    stored::ContentOpener open;
    std::string name;  // for messages
    std::optional<stored::ExpectedFile> expected;
  };

  void begin_backup();
  // Blocks while the workers are busy, as all of these.
  void add(Target target, Source source);
  // A file of an older backup by the name of the complete file; one that is not needed is left.
  void offer(const std::string& listed, bool is_incremental, Source source);
  // All files of this backup have been dealt with. Throws what went wrong with one of them.
  void end_backup();
  // Checks that every file is complete, makes the files durable and tells their checksums.
  void finish(CombinedManifest& manifest);

 private:
  struct PendingFile {
    Target target;
    std::uint32_t block_count = 0;
    std::uint32_t truncation_block_length = 0;
    std::vector<bool> has_block;
    bool is_complete = false;
  };

  void write_newest(PendingFile& file, const Source& source);
  void write_older(PendingFile& file, bool is_incremental, const Source& source);
  // Takes blocks below `limit` that are missing; consecutive ones are read and written together.
  void take_blocks(PendingFile& file, stored::CheckedReader& reader,
                   const stored::IncrementalHeader* header, std::uint32_t limit);
  void complete(PendingFile& file, CombinedManifest& manifest);

  const std::size_t worker_count_;
  Progress& progress_;
  const Interrupt& interrupt_;
  // By the listed name; changed by the calling thread only, each value by one worker at a time.
  std::map<std::string, PendingFile, std::less<>> files_;
  std::optional<WorkerPool> workers_;  // the last member: its threads use the others
};

}  // namespace barman::copy
