// One run of `check` on one server: what its questions share. Internal to check/.
#pragma once

#include <string>

#include "base/error.h"
#include "check/check_server.h"
#include "check/sessions.h"
#include "facts/deadline.h"

namespace barman::check {

// Whether directories are made, waiting WAL is archived, and WAL is switched.
enum class Effects { allowed, none };

struct CheckRun {
  const server::Server& server;
  const facts::Deadline& deadline;
  SqlSession& sql;
  // Of WAL streaming: the same one unless wal_conninfo is set.
  SqlSession& wal_sql;
  // Of the server that WAL streams from, for its slots and WAL senders.
  SqlSession& sender_sql;
  StreamingIdentity& streaming;
  StreamingIdentity& wal_streaming;
  // wal_conninfo or wal_streaming_conninfo lead elsewhere.
  bool has_wal_source = false;
  std::chrono::seconds limit;
  Effects effects = Effects::allowed;
  Messages& messages;
  const CheckHandler& on_result;

  void pass(const std::string& label, const std::string& hint = {}) const {
    on_result({.label = label, .ok = true, .hint = hint});
  }
  void fail(const std::string& label, const std::string& hint) const {
    on_result({.label = label, .ok = false, .hint = hint});
  }
  // Of a question that got no answer.
  void fail(const std::string& label, const Error& error, bool is_critical = true) const;
  // Fails `check`, but does not prevent a backup.
  void fail_uncritically(const std::string& label, const std::string& hint) const {
    on_result({.label = label, .ok = false, .hint = hint, .is_critical = false});
  }
};

// Rows 1 to 5 and 15 to 24, 26, 33: what the catalogue and the configuration tell.
void check_wal_archive(const CheckRun& run);
void check_queues(const CheckRun& run);
void check_catalogue(const CheckRun& run);
// `version` of PostgreSQL, unless it does not answer.
void check_configuration(const CheckRun& run, std::optional<int> version);
// Row 19b; none for servers without a bucket.
void check_cloud_storage(const CheckRun& run, const std::string& unread);
void check_archiver_errors(const CheckRun& run);
// A row for each background process whose last run has failed; none otherwise. That of the receiver
// is told with its row.
void check_last_reasons(const CheckRun& run);

// Row 25b: how a passive node reaches its primary node, and rsync the host of PostgreSQL.
void check_ssh(const CheckRun& run);

// Rows 6 to 14, 25, 27 to 32: what PostgreSQL tells. A question without an answer fails its item.
void check_postgres(const CheckRun& run);
void check_clients_and_identity(const CheckRun& run);
void check_wal_delivery(const CheckRun& run);

}  // namespace barman::check
