// The settings that make PostgreSQL recover. Pure text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "restore/recovery_target.h"

namespace barman::restore {

// 'text' as a value in a PostgreSQL configuration file.
std::string quote_setting(std::string_view text);
// A path as a word of a shell command in a setting where PostgreSQL replaces %-sequences: '%'
// doubled, quoted only when the shell would not take it as it is.
std::string quote_command_path(std::string_view path);

// How PostgreSQL on another host fetches WAL from here.
struct RemoteFetching {
  std::string barman_host;
  std::optional<std::string> port;
  std::int64_t jobs = 1;
};

struct RecoverySettingsRequest {
  std::string server_name;
  std::string barman_user;
  int server_version = 0;
  RecoveryTarget target;
  bool standby_mode = false;
  bool get_wal = false;
  // With get-wal: from a bucket, which each host asks by itself.
  bool wal_in_bucket = false;
  // With get-wal from a bucket: files that are fetched ahead; 0 or 1 = none.
  std::int64_t fetch_jobs = 0;
  // With get-wal: the restored cluster is on another host.
  std::optional<RemoteFetching> remote{};
  // With get-wal: instead of the generated restore_command.
  std::optional<std::string> restore_command;
  // Where WAL was put for recovery; unset when it is in pg_wal or is fetched.
  std::optional<std::string> staging_wal_directory;
  // For recovery_target_timeline, whatever the target says.
  std::optional<wal::TimelineTarget> forced_timeline;
};

// Lines with their newlines; empty when there is nothing to set. Throws `usage` for a value that a
// configuration file cannot hold.
std::string format_recovery_settings(const RecoverySettingsRequest& request);

// `lines` behind what the file has, separated by an empty line.
std::string append_settings(std::string_view content, std::string_view lines);

}  // namespace barman::restore
