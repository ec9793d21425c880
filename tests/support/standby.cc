#include "support/standby.h"

#include <string>

namespace barman::test {

void clone_as_standby(const PostgresServer& primary, const std::filesystem::path& destination) {
  run_checked(
      {.argv = {find_tool(primary.major(), "pg_basebackup"), "--pgdata", destination.string(),
                "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync",
                "--dbname", primary.conninfo() + " application_name=standby"}});
}

void make_restart_point(const PostgresServer& primary, const PostgresServer& standby) {
  primary.query("CHECKPOINT");
  const std::string position = primary.value("SELECT pg_current_wal_lsn()");
  standby.wait_until("pg_last_wal_replay_lsn() >= '" + position + "'");
  standby.query("CHECKPOINT");
}

}  // namespace barman::test
