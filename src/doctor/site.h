// What cures depend on beyond what `check` says: names, addresses, versions, rights. A value, so
// that cures are a pure function of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "facts/disk_space.h"
#include "postgres/queries.h"
#include "server/server_directories.h"

namespace barman::doctor {

enum class SlotState {
  unknown,
  missing,
  lost,  // it keeps no WAL any more
  idle,
  active,
};

struct FailedBackup {
  std::string id;
  std::string reason;
};

struct Site {
  // This host.
  std::string server;
  std::string user{};         // that runs barman
  std::string host_name{};    // of this host
  std::string own_address{};  // towards PostgreSQL; "" when there is no way
  std::string configuration_file{};
  std::string log_file{};
  // Settings of the server.
  std::string conninfo{};
  std::string role{};
  std::string streaming_role{};
  std::string database{};
  std::string database_host{};
  std::string port{};
  std::string ssh_command{};
  std::string slot_name{};
  bool streams = false;
  bool archives = false;
  bool is_in_object_storage = false;
  // What PostgreSQL has told.
  bool is_reached = false;
  std::optional<int> version{};
  std::vector<std::string> missing_grants{};
  // Configuration files outside of the data directory that a streamed backup cannot keep, and the
  // statements with which it could.
  std::vector<std::string> unread_files{};
  std::vector<std::string> missing_file_grants{};
  std::string wal_level{};
  // Settings by whether a change needs a restart.
  std::map<std::string, bool> restart_settings{};
  std::optional<postgres::ArchiverStatistics> archiver{};
  std::optional<std::int64_t> waiting_wal{};
  SlotState slot = SlotState::unknown;
  // A receive-wal process lives, whatever it does.
  bool has_receiver = false;
  std::string system_id{};
  // The catalogue.
  std::string stored_system_id{};
  std::vector<server::DirectoryProblem> directories{};
  // What to do about a catalogue that was there once and is not now; "" = it is there, or new.
  std::string absence_hint{};
  std::vector<FailedBackup> failed_backups{};
  // Of the backups, where they lie on this host.
  std::optional<facts::DiskSpace> disk{};
};

}  // namespace barman::doctor
