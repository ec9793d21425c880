// A bucket of one test on the shared object store, and the programs for buckets as scripts call
// them.
//
//   const CloudSite site("story");
//   ASSERT_EQ(site.run("barman-cloud-backup", {}, site.back_up_options(postgres)).exit_code, 0);
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/object_server.h"
#include "support/postgres_server.h"

namespace barman::test {

class CloudSite {
 public:
  // Makes the bucket.
  explicit CloudSite(std::string bucket);

  std::string url() const;
  std::filesystem::path program(const std::string& name) const;
  // As the programs get it, with `words` behind the URL and the server name ("main").
  CommandRequest request(const std::string& name, const std::vector<std::string>& words = {},
                         const std::vector<std::string>& options = {}) const;
  // The same at another endpoint: a proxy in front of the store.
  CommandRequest request_at(const std::string& endpoint, const std::string& name,
                            const std::vector<std::string>& words = {},
                            const std::vector<std::string>& options = {}) const;
  CommandResult run(const std::string& name, const std::vector<std::string>& words = {},
                    const std::vector<std::string>& options = {}) const;
  // For postgresql.conf.
  std::string command_line(const std::string& name, const std::string& words) const;
  std::vector<std::string> back_up_options(const PostgresServer& postgres) const;
  const ObjectServer& server() const { return server_; }
  // Of a PostgreSQL whose settings name the programs as users do: the keys, and a PATH.
  std::map<std::string, std::string> environment() const;

 private:
  const ObjectServer& server_ = ObjectServer::shared();
  std::string bucket_;
};

}  // namespace barman::test
