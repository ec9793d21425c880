// Rules among the options of cloud providers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/server_config.h"

namespace barman::config {

// Why the snapshot provider could not be used; empty while snapshot_provider is unset.
std::vector<std::string> find_snapshot_problems(const ServerConfig& config);

// What is wrong with aws_encryption, aws_sse_kms_key_id and aws_sse_customer_key, whose key file is
// read.
std::optional<std::string> find_object_encryption_problem(const ServerConfig& config);

// For how many days objects are locked when they are written; nullopt when they are not.
std::optional<std::int64_t> object_lock_days(const ServerConfig& config);
// What is wrong with aws_object_lock_mode and aws_object_lock_days.
std::optional<std::string> find_object_lock_problem(const ServerConfig& config);

// Why WAL cannot be archived into the bucket of wals_directory, and why `check` fails for a bucket,
// with these settings; in Barman's words.
std::optional<std::string> find_wal_bucket_problem(const ServerConfig& config);
std::optional<std::string> find_bucket_settings_problem(const ServerConfig& config);

}  // namespace barman::config
