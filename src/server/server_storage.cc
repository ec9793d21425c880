#include "server/server_storage.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "config/cloud_rules.h"

namespace barman::server {
namespace {

constexpr std::uint64_t kBytesOfKilobyte = 1000;
constexpr std::chrono::seconds kImpatientSilence{10};
constexpr std::uint64_t kSegmentPart = std::uint64_t{24} << 20;

const std::string& location_of(const config::ServerConfig& config, ObjectsOf what) {
  return what == ObjectsOf::wal ? config.wals_directory : config.basebackups_directory;
}

std::optional<object_store::AzureCredential> azure_credential(const config::ServerConfig& config) {
  using object_store::AzureCredential;
  const std::string word = config.azure_credential.value_or("");
  if (word.empty()) return std::nullopt;
  if (word == "azure-cli") return AzureCredential::azure_cli;
  if (word == "managed-identity") return AzureCredential::managed_identity;
  if (word == "default") return AzureCredential::default_chain;
  throw Error(
      ErrorKind::config,
      fmt::format("azure_credential '{}' of server '{}' is none that is known", word, config.name),
      "Set azure_credential to azure-cli, managed-identity or default.");
}

// A bucket that locks keeps all versions: what is removed is removed in all of them, or it would
// stay for ever behind a mark. Without days nothing can be written, and all be read.
void set_lock(const config::ServerConfig& config, ObjectsOf what,
              object_store::StoreOptions& options) {
  using object_store::LockMode;
  if (!config.aws_object_lock_mode || !location_of(config, what).starts_with("s3://")) return;
  options.removes_versions = true;
  if (what == ObjectsOf::notes) return;
  options.lock = object_store::ObjectLockRule{
      .mode = config.aws_object_lock_mode == config::ObjectLockMode::governance
                  ? LockMode::governance
                  : LockMode::compliance,
      .days = config::object_lock_days(config).value_or(0)};
}

}  // namespace

object_store::StoreUrl bucket_url(const config::ServerConfig& config, ObjectsOf what) {
  const std::string& location = location_of(config, what);
  const auto provider = object_store::find_provider_of_url(location);
  if (!provider) {
    throw Error(ErrorKind::config,
                fmt::format("\"{}\", of server '{}', is the URL of no provider that is known",
                            location, config.name),
                "Write s3://BUCKET/PATH, gs://BUCKET/PATH or "
                "https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH.");
  }
  object_store::StoreUrl url = object_store::parse_store_url(location, *provider);
  if (!url.prefix.empty()) url.prefix += '/';
  url.prefix += config.name + (what == ObjectsOf::wal ? "/wals" : "/base");
  return url;
}

object_store::StoreOptions bucket_options(const config::ServerConfig& config, ObjectsOf what,
                                          const Interrupt& interrupt) {
  if (auto problem = config::find_object_encryption_problem(config)) {
    throw Error(ErrorKind::config, *std::move(problem),
                fmt::format("Change the settings of server '{}'.", config.name));
  }
  object_store::StoreOptions options;
  options.interrupt = interrupt;
  options.profile = config.aws_profile.value_or("");
  options.region = config.aws_region.value_or("");
  options.encryption = config.aws_encryption.value_or("");
  options.sse_kms_key_id = config.aws_sse_kms_key_id.value_or("");
  if (config.aws_sse_customer_key) {
    options.sse_customer_key = object_store::read_customer_key(*config.aws_sse_customer_key);
  }
  if (config.aws_read_timeout) {
    options.read_timeout = std::chrono::seconds(*config.aws_read_timeout);
  }
  set_lock(config, what, options);
  options.azure_credential = azure_credential(config);
  // A lower bound: the driver's own size is larger than what providers want at least.
  if (config.cloud_upload_min_chunk_size) {
    options.part_size_bytes = std::max(
        options.part_size_bytes,
        static_cast<std::uint64_t>(std::max<std::int64_t>(*config.cloud_upload_min_chunk_size, 0)));
  }
  if (what == ObjectsOf::wal) {
    // A segment of the usual size goes up in one request, however badly it is compressed.
    options.part_size_bytes = std::max(options.part_size_bytes, kSegmentPart);
    options.jobs = 1;
  }
  if (what == ObjectsOf::backups && config.bandwidth_limit) {
    options.max_bytes_per_second =
        static_cast<std::uint64_t>(std::max<std::int64_t>(*config.bandwidth_limit, 0)) *
        kBytesOfKilobyte;
  }
  return options;
}

ServerBuckets::ServerBuckets(const config::ServerConfig& config, Interrupt interrupt,
                             std::optional<std::chrono::milliseconds> connect_limit)
    : config_(config), interrupt_(std::move(interrupt)), connect_limit_(connect_limit) {}

std::shared_ptr<object_store::ObjectStore> ServerBuckets::find(ObjectsOf what) {
  if (!config::is_cloud_url(location_of(config_, what))) return nullptr;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<object_store::ObjectStore>& store = what == ObjectsOf::backups ? backups_
                                                      : what == ObjectsOf::notes ? notes_
                                                                                 : wal_;
  if (!store) {
    object_store::StoreOptions options = bucket_options(config_, what, interrupt_);
    options.connect_limit = connect_limit_;
    if (connect_limit_) {
      options.read_timeout =
          std::min(options.read_timeout.value_or(kImpatientSilence), kImpatientSilence);
    }
    store = object_store::open_store(bucket_url(config_, what), options);
  }
  return store;
}

}  // namespace barman::server
