// Row 19b: whether the buckets of a server can be used.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "check/check_run.h"
#include "config/cloud_rules.h"
#include "object_store/object_store.h"
#include "server/server_storage.h"

namespace barman::check {
namespace {

// Asks with a store of its own, that does not try again for long: the check has a limit.
void ask_bucket(const CheckRun& run, server::ObjectsOf what) {
  const config::ServerConfig& config = run.server.config();
  object_store::StoreOptions options = server::bucket_options(config, what, run.server.interrupt());
  options.max_attempts = 2;
  const auto patience = std::chrono::duration_cast<std::chrono::seconds>(run.deadline.item());
  options.read_timeout = std::max(std::chrono::seconds(1), patience);
  object_store::open_store(server::bucket_url(config, what), options)->check_bucket();
}

std::optional<std::string> find_bucket_problem(const CheckRun& run, server::ObjectsOf what,
                                               std::string_view name) {
  // What is wrong is the answer, whatever it is.
  try {
    ask_bucket(run, what);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return fmt::format(
        "Could not connect to the cloud provider for {} storage. Check your credentials and "
        "configuration: {}",
        name, error.describe());
  }
  return std::nullopt;
}

// In Barman's words.
std::optional<std::string> find_backup_settings_problem(const config::ServerConfig& config) {
  if (config.backup_method != config::BackupMethod::postgres &&
      config.backup_method != config::BackupMethod::local_to_cloud) {
    return "cloud backup destination is only supported with 'backup_method = postgres' or "
           "'backup_method = local-to-cloud'";
  }
  return std::nullopt;
}

}  // namespace

void check_cloud_storage(const CheckRun& run, const std::string& unread) {
  constexpr const char* kLabel = "cloud storage configuration";
  const config::ServerConfig& config = run.server.config();
  if (!config.has_cloud_basebackups() && !config.has_cloud_wals()) return;
  std::optional<std::string> problem = config::find_bucket_settings_problem(config);
  if (!problem && config.has_cloud_basebackups()) {
    problem = find_backup_settings_problem(config);
    if (!problem) problem = find_bucket_problem(run, server::ObjectsOf::backups, "backup");
  }
  if (!problem && config.has_cloud_wals()) {
    problem = find_bucket_problem(run, server::ObjectsOf::wal, "WAL");
  }
  // It may answer the one question and not the other.
  if (!problem && !unread.empty()) {
    problem = "The bucket of the backups cannot be listed: " + unread;
  }
  if (problem) {
    run.fail(kLabel, *problem);
  } else {
    run.pass(kLabel);
  }
}

}  // namespace barman::check
