#include "support/standby.h"

#include <string>

namespace barman::test {

void clone_as_standby(const PostgresServer& primary, const std::filesystem::path& destination) {
  run_checked(
      {.argv = {find_tool(primary.major(), "pg_basebackup"), "--pgdata", destination.string(),
                "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync",
                "--dbname", primary.conninfo() + " application_name=standby"}});
}

}  // namespace barman::test
