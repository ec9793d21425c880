// How far WAL has come on its way from PostgreSQL into the archive, for status, replication-status
// and check: positions, the queue before the archive, and how fast it shrinks. Nothing is written
// for that: the index tells the newest segments, and the times of their files when they came in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "facts/receiver.h"
#include "server/server.h"
#include "wal/lsn.h"

namespace barman::facts {

// Complete files that wait to be archived.
struct WalQueue {
  std::uint64_t files = 0;
  std::uint64_t size_bytes = 0;
  // Since when the first of them waits, seconds since the epoch; absent when none does.
  std::optional<double> waits_since;
  // Why the directory could not be read: then nothing of this is known.
  std::string problem{};
};

struct WalFlow {
  // Of the receiver; absent without streaming_archiver, or when PostgreSQL does not tell.
  std::optional<StreamLook> stream;
  // Absent without streaming_archiver.
  std::optional<bool> is_receiver_running;
  WalQueue streaming;
  WalQueue incoming;
  // The newest segment in the archive.
  std::optional<std::string> archived_name;
  // When the last file came into the archive, seconds since the epoch.
  std::optional<double> archived_at;
  // How many files a second were archived while there was work.
  std::optional<double> archived_per_second;

  WalQueue queue() const;
  // nullopt when nothing tells.
  std::optional<double> seconds_to_drain() const;
};

// Looks at the two directories, at the end of the index and at a few hundred archived files.
WalFlow gather_wal_flow(const server::Server& server, std::optional<StreamLook> stream);

// Many files wait, one of them for long, and for as long nothing came into the archive. `now` is in
// seconds since the epoch.
bool is_queue_stalled(const WalFlow& flow, double now);
// So many that check shows them.
bool is_queue_long(const WalFlow& flow);

// "0 segments", "3 segments (48.0 MiB), archived in about 2 seconds (1.5 segments/s)".
std::string describe_queue(const WalFlow& flow);
// "received up to 0/5000060, flushed up to 0/5000060 (0 B behind), archived up to NAME".
std::string describe_positions(const WalFlow& flow);
// "running, streaming", "running, not streaming", "not running"; "" without streaming_archiver.
std::string describe_receiver(const WalFlow& flow);

// Pure. `times` are those at which files were archived, in any order; pauses of more than a few
// seconds count as idle. nullopt when they are too few, or all at one moment.
std::optional<double> rate_of_archiving(std::vector<double> times);

}  // namespace barman::facts
