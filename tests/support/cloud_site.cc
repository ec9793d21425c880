#include "support/cloud_site.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "support/privileges.h"

namespace barman::test {

CloudSite::CloudSite(std::string bucket) : bucket_(std::move(bucket)) {
  const CommandResult made = run("barman-cloud-check-wal-archive");
  if (made.exit_code != 0) throw std::runtime_error("no bucket: " + made.err);
}

std::string CloudSite::url() const { return fmt::format("s3://{}/path/", bucket_); }

std::filesystem::path CloudSite::program(const std::string& name) const {
  return barman_program().parent_path() / name;
}

CommandRequest CloudSite::request(const std::string& name, const std::vector<std::string>& words,
                                  const std::vector<std::string>& options) const {
  return request_at(server_.endpoint(), name, words, options);
}

CommandRequest CloudSite::request_at(const std::string& endpoint, const std::string& name,
                                     const std::vector<std::string>& words,
                                     const std::vector<std::string>& options) const {
  CommandRequest request{.argv = {program(name).string(), "--endpoint-url", endpoint},
                         .environment = server_.environment()};
  request.argv.insert(request.argv.end(), options.begin(), options.end());
  request.argv.insert(request.argv.end(), {"--", url(), "main"});
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  return request;
}

CommandResult CloudSite::run(const std::string& name, const std::vector<std::string>& words,
                             const std::vector<std::string>& options) const {
  return run_command(request(name, words, options));
}

std::string CloudSite::command_line(const std::string& name, const std::string& words) const {
  return fmt::format("{} --endpoint-url {} {} main {}", program(name).string(), server_.endpoint(),
                     url(), words);
}

std::vector<std::string> CloudSite::back_up_options(const PostgresServer& postgres) const {
  return {"-d", postgres.conninfo(), "--immediate-checkpoint"};
}

std::map<std::string, std::string> CloudSite::environment() const {
  std::map<std::string, std::string> environment = server_.environment();
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  environment["PATH"] =
      fmt::format("{}:{}", barman_program().parent_path().string(), path == nullptr ? "" : path);
  return environment;
}

}  // namespace barman::test
