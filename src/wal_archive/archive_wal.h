// WAL flows. Archiving: what was received, by streaming or into `incoming/`, is moved into `wals/`
// and into the index.
//
// Nothing is lost or doubled by a crash at any point, because the received file is the record of
// what is to be done and goes last: (1) it is made durable, or what it is compressed to, (2) that,
// or a hard link or a copy of it, appears under the archive's name through a temporary one, (3) the
// directory is flushed, (4) the index gets its line, flushed: the commit point, (5) the received
// file is unlinked. A run that finds the received file and the archived one with the same content
// adds the line if it is missing and does (5). Files are handled in groups, so that a group costs
// one flush of the directories and of the index. The lock of the index is held for (2) to (4) only;
// hooks run outside of it.
#pragma once

#include <cstdint>

#include "base/progress.h"
#include "server/server.h"

namespace barman::wal_archive {

struct ArchiveRequest {
  // What is told when nothing is waiting: `archive-wal` tells it, other commands do not.
  enum class WhenIdle { tell, be_silent };
  // What is told when another archive-wal is running. Loops tell it once.
  enum class WhenBusy { tell, be_silent };
  WhenIdle when_idle = WhenIdle::be_silent;
  WhenBusy when_busy = WhenBusy::tell;
  // What the files of a batch are counted in, by their sizes; nullptr for nobody.
  Progress* progress = nullptr;
};

struct ArchiveCounts {
  std::uint64_t archived = 0;
  // Had been archived before, with the same content.
  std::uint64_t duplicates = 0;
  // Moved into `errors/`: other content under a known name, and what is no WAL file.
  std::uint64_t rejected = 0;
  // Of the batch, because of an interrupt.
  std::uint64_t left = 0;
  // Another process is archiving; nothing was done.
  bool is_busy = false;
};

// One batch of each enabled archiver: streaming, then `incoming/`. Throws when a file cannot be
// archived; that file and those after it stay where they are. An interrupt ends the run after the
// current group, without an error.
ArchiveCounts archive_pending_wal(const server::Server& server, const ArchiveRequest& request,
                                  Messages& messages);

}  // namespace barman::wal_archive
