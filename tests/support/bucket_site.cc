#include "support/bucket_site.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <utility>

#include "support/object_server.h"

namespace barman::test {

void use_object_server() {
  for (const auto& [name, value] : ObjectServer::shared().environment()) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  ::setenv("AWS_ENDPOINT_URL_S3", ObjectServer::shared().endpoint().c_str(), 1);
}

CommandResult run_cloud(const std::string& bucket, const std::string& name,
                        const std::vector<std::string>& words) {
  CommandRequest request{.argv = {(barman_program().parent_path() / name).string(),
                                  "s3://" + bucket + "/path", "main"}};
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  return run_command(request);
}

Settings bucket_settings(const std::string& bucket, Settings more) {
  EXPECT_EQ(run_cloud(bucket, "barman-cloud-check-wal-archive").exit_code, 0);
  more["basebackups_directory"] = "s3://" + bucket + "/path/";
  return more;
}

BucketSite::BucketSite(std::string name, const Settings& more, int major)
    : IncrementalSite(major, bucket_settings(name, more)), bucket(std::move(name)) {}

void BucketSite::change(const std::string& word) const {
  postgres.query("UPDATE changing SET text = '" + word + "' WHERE id % 100 = 0");
  postgres.query("CREATE TABLE " + word + " AS SELECT g AS id FROM generate_series(1, 1000) g");
}

void BucketSite::expect_restored(const std::string& id, const std::vector<std::string>& options) {
  const auto rows = all_rows(postgres);
  wait_until_acknowledged();
  const Restored restored(*this, id, options);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  const PostgresServer again(
      {.data_directory = restored.data, .environment = barman.environment_for_restore_command()});
  again.wait_until("NOT pg_is_in_recovery()");
  EXPECT_EQ(all_rows(again), rows);
}

std::vector<std::string> BucketSite::objects_of(const std::string& id) {
  const CommandResult list = barman.run({"list-files", "--target", "data", "main", id});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  std::vector<std::string> names;
  const std::string prefix = "/" + id + "/";
  for (std::size_t begin = 0, end = 0; begin < list.out.size(); begin = end + 1) {
    end = list.out.find('\n', begin);
    const std::string line = list.out.substr(begin, end - begin);
    const std::size_t at = line.find(prefix);
    names.push_back(at == std::string::npos ? line : line.substr(at + prefix.size()));
  }
  return names;
}

}  // namespace barman::test
