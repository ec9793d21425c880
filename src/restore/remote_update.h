// An existing directory on another host, brought to the state of a backup: what does not belong
// there is removed or moved aside, as clear_destination() does it here, and what is right already
// is found by size, mode and checksum, so that it is not sent.
//
// A file that differs in size is never read there. Of the others the checksum is computed there
// and, beside it, here from the backup, which is verified by its manifest on the way; both sides
// read at the same time. Of a backup that lies far away (a bucket) the checksums are compared
// instead, with files that are sent here for it (remote_copies.h). 32 bytes a file are kept.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/linked_interrupt.h"
#include "base/progress.h"
#include "base/worker_pool.h"
#include "copy/backup_tree.h"
#include "copy/copy_task.h"
#include "host/host.h"
#include "host/tar_sender.h"
#include "restore/remote_copies.h"
#include "restore/remote_digests.h"
#include "restore/remote_listing.h"
#include "restore/restore_plan.h"
#include "restore/wal_members.h"
#include "stored/path_table.h"

namespace barman::restore {

class RemoteUpdate {
 public:
  // All of it lives longer. What is read there is compressed on the way, by gzip, if wished.
  RemoteUpdate(const host::Host& host, const RestorePlan& plan, bool is_compressed,
               Progress& progress, const Interrupt& interrupt)
      : host_(host),
        plan_(plan),
        is_compressed_(is_compressed),
        progress_(progress),
        interrupt_(interrupt) {}
  RemoteUpdate(const RemoteUpdate&) = delete;
  RemoteUpdate& operator=(const RemoteUpdate&) = delete;
  ~RemoteUpdate();

  // Looks at all trees, then removes and moves. Returns what to tell. No server can be started on
  // the directory by now (RemoteGuard).
  std::vector<std::string> clear();
  // Where pg_wal is a link to a directory, it stays one: nothing may be unpacked in its place.
  bool has_wal_link() const { return has_wal_link_; }

  // Of one tree: compare() for each file that is to be there, then end. False when nothing is there
  // to be compared.
  bool begin_comparison(const copy::TreeCopy& tree);
  void compare(copy::CopyTask task);
  void end_comparison();

  // Whether the file is there as it shall be. Then whoever waits for its checksum has got it.
  bool is_there(const copy::CopyTask& task) const;
  std::uint64_t kept_bytes() const { return kept_bytes_; }

  // Of the WAL that the plan copies, what is there by its name.
  WalThere digest_wal();

 private:
  // Of a file that shall be there.
  enum class State : std::uint8_t { wanted, comparable, digested, right };
  struct File {
    std::uint64_t size_bytes = 0;
    std::uint64_t digest = 0;
    std::uint32_t crc32c = 0;
    std::uint16_t mode = 0;
    State state = State::wanted;
  };
  class TreeClearing;

  void note_wanted(const copy::TreeCopy& tree);
  std::vector<Fd> list_comparable(const copy::TreeCopy& tree, std::size_t& count);
  void note_digest(const copy::TreeCopy& tree, const std::string& name, std::uint64_t digest);
  bool is_comparable(const copy::CopyTask& task);
  void compare_content(const copy::CopyTask& task);
  void note_right(const copy::CopyTask& task, std::uint32_t crc32c);
  std::optional<std::uint64_t> wait_for_digest(const std::string& path);

  const host::Host& host_;
  const RestorePlan& plan_;
  const bool is_compressed_;
  Progress& progress_;
  const Interrupt& interrupt_;
  bool has_wal_link_ = false;
  std::set<std::string> kept_wal_;
  RemoteMeans means_;
  // By the complete path; directories with a slash behind it.
  stored::PathTable<File> files_;
  // Guards the files while they are compared.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_sessions_ = 0;
  std::uint64_t kept_bytes_ = 0;
  // Of the sessions and the workers, which are below it.
  std::optional<LinkedInterrupt> stop_;
  std::unique_ptr<RemoteDigests> digests_;
  std::optional<WorkerPool> workers_;
  // Instead of these two.
  std::unique_ptr<RemoteCopies> copies_;
};

}  // namespace barman::restore
