// The hosts of scripts/two-hosts, for the life of this object: namespaces of this machine with
// Debian's PostgreSQL, the built programs in /usr/local/bin, and a network between them.
//
//   if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
//   TwoHosts hosts("backup", {"backup", "pg"});
//   hosts.run("barman", "backup", "barman check main");
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/temp_dir.h"

namespace barman::test {

class TwoHosts {
 public:
  static constexpr const char* kUnavailable =
      "namespaces and overlays need root, Debian's PostgreSQL (15 or 17), and iproute2";
  static bool is_available();
  // Of Debian 12 "15", else of Debian 13 "17"; empty where neither is.
  static std::string postgres_major();

  // Throws with what the script says when the set-up fails.
  TwoHosts(const std::string& setup, const std::vector<std::string>& hosts);
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;
  // Everything on them ends.
  ~TwoHosts();

  // In a login shell of that user; both outputs are in `out`, in the order in which they came.
  CommandResult run(const std::string& user, const std::string& host, const std::string& command,
                    const std::string& input = "") const;

 private:
  TempDir directory_;
  std::optional<BackgroundCommand> maker_;
  std::map<std::string, std::string> pids_;
};

}  // namespace barman::test
