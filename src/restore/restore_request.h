// What the user asked for, before anything was looked up. Made by the command line, with the
// defaults of the configuration filled in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/throttle.h"
#include "config/server_config.h"
#include "wal/timeline_target.h"

namespace barman::restore {

// As typed, for the most part; parse_target() makes values of it.
struct TargetRequest {
  std::optional<std::string> time;
  std::optional<std::string> xid;
  std::optional<std::string> lsn;
  std::optional<std::string> name;
  bool immediate = false;
  std::optional<wal::TimelineTarget> timeline;
  bool exclusive = false;
  // "pause", "shutdown" or "promote".
  std::optional<std::string> action;
};

// On the way to another host. `automatic`: where that host has zstd.
enum class NetworkCompression { automatic, always, never };

// Options of features that need a remote host, staging or snapshots. They are validated in the
// order of Barman, whatever becomes of them.
struct StagingRequest {
  std::optional<std::string> staging_path;
  std::optional<config::StagingLocation> staging_location;
  std::optional<std::string> recovery_staging_path;
  std::optional<std::string> local_staging_path;
};

struct RestoreRequest {
  // An ID, a name or one of the words; "auto" chooses by the target.
  std::string backup;
  std::string destination;
  TargetRequest target;
  bool standby_mode = false;
  // "NAME:LOCATION"
  std::vector<std::string> tablespace_rules;
  bool get_wal = false;
  bool partial_wal = false;
  bool skip_archive_wal = false;
  // Do not read the WAL beforehand, whether the target is in it and all can be replayed.
  bool skip_wal_check = false;
  std::optional<std::string> restore_command;
  std::optional<std::string> recovery_conf_filename;
  std::optional<std::string> recovery_option_port;
  std::optional<std::string> staging_wal_directory;
  // The destination is on another host, which this leads to.
  std::optional<std::string> remote_ssh_command;
  // Of the remote restore_command: more than one file is fetched at a time.
  std::int64_t fetch_jobs = 1;
  // Bring an existing data directory to the state of the backup.
  bool delta_restore = false;
  // Go on with a restore of the same backup that was interrupted.
  bool resume = false;
  // Only plan; nothing is written.
  bool dry_run = false;
  NetworkCompression network_compression = NetworkCompression::automatic;
  StagingRequest staging;
  std::optional<std::string> snapshot_recovery_instance;
  std::size_t worker_count = 2;
  TransferLimit bandwidth_limit;
};

}  // namespace barman::restore
