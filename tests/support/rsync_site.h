// What tests of rsync backups begin with: the files of PostgreSQL are reached through a real sshd.
#pragma once

#include <string>
#include <vector>

#include "support/copied_site.h"
#include "support/ssh_server.h"

namespace barman::test {

// What no shell takes as it is: a name for the data directory, and names of files in it.
inline constexpr const char* kOddData = "-a \"$HOME\" [1]* \xC3\xBC";
const std::vector<std::string>& odd_names();
void put_odd_names(const PostgresServer& postgres);

struct RsyncSite : CopiedSite {
  explicit RsyncSite(int major = kUsualMajor, Settings more = {},
                     const std::string& data_name = "data");

  // A restore of this backup, started, has the rows that the server has now, and the files of odd
  // names; its manifest, if there is one, is right.
  void expect_restored_rows(const std::string& id);

  SshServer ssh;
};

}  // namespace barman::test
