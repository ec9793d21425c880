// A server whose base backups live in a bucket of the object store of the tests, as
// "s3://BUCKET/path/main/...".
#pragma once

#include <string>
#include <vector>

#include "support/incremental_site.h"

namespace barman::test {

// Keys and endpoint, as the environment of a service has them, for all programs that are started
// from now on.
void use_object_server();

// One of the programs for buckets, on the objects of server "main".
CommandResult run_cloud(const std::string& bucket, const std::string& name,
                        const std::vector<std::string>& words = {});

// Of the section of a server whose backups live in that bucket, which is made.
Settings bucket_settings(const std::string& bucket, Settings more = {});

// An incremental site whose backups are in a bucket, and whose WAL is on this host.
struct BucketSite : IncrementalSite {
  explicit BucketSite(std::string name, const Settings& more = {}, int major = kUsualMajor);

  // Rows, and a table of that name.
  void change(const std::string& word) const;
  void expect_restored(const std::string& id, const std::vector<std::string>& options = {});
  // Below the prefix of the backup: "data.tar".
  std::vector<std::string> objects_of(const std::string& id);

  const std::string bucket;
};

}  // namespace barman::test
