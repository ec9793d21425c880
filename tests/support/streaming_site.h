// What most failure tests begin with: a PostgreSQL with one-megabyte WAL segments that it keeps, so
// that they can be compared, and a barman that backs it up by streaming as server "main".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/barman_home.h"
#include "support/postgres_server.h"
#include "support/wal_evidence.h"

namespace barman::test {

class StreamingSite {
 public:
  struct Options {
    PostgresOptions postgres = {};
    Settings server = {};  // added to the section [main]
    BarmanHome::Options home = {};
  };

  // With the replication slot, and without a receiver.
  StreamingSite() : StreamingSite(Options()) {}
  explicit StreamingSite(Options options);

  // receive-wal in the background, in the place of one that has ended.
  void start_receiver();
  // Receives so many segments, and nothing afterwards.
  void receive_segments(int count);
  // Ends it in good order.
  void stop_receiver();
  BackgroundCommand& receiver() { return receiver_.value(); }
  // One more segment is complete and archived: what `backup` wants to see.
  void archive_a_segment();

  // `backup --wait`, which must succeed; the ID.
  std::string take_backup();
  // Files of the newest backup have arrived.
  bool is_copying() const;
  // As listed by `list-backups --minimal`, which must succeed in silence; newest first.
  std::vector<std::string> listed_backups();
  std::string status_of(const std::string& backup_id) const;
  // "" or what pg_verifybackup has to say about it.
  std::string backup_damage(const std::string& backup_id) const;

  // Waits until barman has acknowledged everything that PostgreSQL has written until now, of which
  // it makes a complete segment.
  void wait_until_acknowledged() const;
  // The same without help.
  void wait_until_acknowledged(const std::string& lsn) const;
  std::string acknowledged() const { return acknowledged_lsn(postgres); }
  // "" when everything acknowledged is in the catalogue, from the first usable backup on, or since
  // the slot was created.
  std::string lost_wal(const std::string& until_lsn) const;
  std::string lost_wal() const;
  std::filesystem::path server_directory() const { return barman.server_directory("main"); }

  PostgresServer postgres;
  BarmanHome barman;

 private:
  std::string needed_lsn() const;

  std::string begin_lsn_;
  std::string reserved_lsn_;  // of the slot before the first receiver
  std::optional<BackgroundCommand> receiver_;
};

// PostgreSQL removes or recycles segments that no slot holds back.
void let_wal_go(const PostgresServer& postgres);

}  // namespace barman::test
