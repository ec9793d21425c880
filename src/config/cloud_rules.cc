#include "config/cloud_rules.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace barman::config {
namespace {

constexpr std::size_t kCustomerKeySize = 32;
constexpr std::size_t kMaxKeyFileSize = 4096;

// "YYYY-MM-DDTHH:MM:SS.sssZ"
bool is_lock_date(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddZ";
  return text.size() == kShape.size() &&
         std::equal(text.begin(), text.end(), kShape.begin(), [](char c, char shape) {
           return shape == 'd' ? c >= '0' && c <= '9' : c == shape;
         });
}

bool is_outside(const std::optional<std::int64_t>& value, std::int64_t minimum,
                std::int64_t maximum) {
  return value && (*value < minimum || *value > maximum);
}

void check_snapshot_lock(const ServerConfig& config, std::vector<std::string>& problems) {
  const auto& mode = config.aws_snapshot_lock_mode;
  const auto& date = config.aws_snapshot_lock_expiration_date;
  if (mode && *mode != "governance" && *mode != "compliance")
    problems.push_back(
        fmt::format("aws_snapshot_lock_mode '{}' must be governance or compliance", *mode));
  if (mode && config.aws_snapshot_lock_duration.has_value() == date.has_value())
    problems.emplace_back(
        "exactly one of aws_snapshot_lock_duration and aws_snapshot_lock_expiration_date must be "
        "set with aws_snapshot_lock_mode");
  if (is_outside(config.aws_snapshot_lock_duration, 1, 36500))
    problems.emplace_back("aws_snapshot_lock_duration must be 1 to 36500 days");
  if (date && !is_lock_date(*date))
    problems.push_back(fmt::format(
        "aws_snapshot_lock_expiration_date '{}' must have the form YYYY-MM-DDTHH:MM:SS.sssZ",
        *date));
  if (is_outside(config.aws_snapshot_lock_cool_off_period, 1, 72))
    problems.emplace_back("aws_snapshot_lock_cool_off_period must be 1 to 72 hours");
  if (config.aws_snapshot_lock_cool_off_period && mode == "governance")
    problems.emplace_back(
        "aws_snapshot_lock_cool_off_period cannot be used with aws_snapshot_lock_mode governance");
}

// The number of bytes a base64 text stands for, nullopt when it is none.
std::optional<std::size_t> base64_size(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  if (digits.find_first_not_of(kAlphabet) != std::string_view::npos) return std::nullopt;
  return text.size() / 4 * 3 - padding;
}

std::optional<std::string> find_customer_key_problem(const std::string& uri) {
  constexpr std::string_view kScheme = "file://";
  if (!uri.starts_with(kScheme))
    return "SSE-C customer key must be provided as a file:// URI (e.g. file:///path/to/key.b64)";
  const std::string path = uri.substr(kScheme.size());
  if (!path.starts_with('/')) return fmt::format("SSE-C key file path must be absolute: {}", path);
  std::optional<std::string> content;
  try {
    content = find_and_read_file(path, kMaxKeyFileSize, Links::follow);
  } catch (const Error& error) {
    // The reason becomes a message of this server; the other servers go on.
    return fmt::format("Could not read SSE-C key file {}: {}", path, error.message());
  }
  if (!content) return fmt::format("SSE-C key file not found: {}", path);
  const auto size = base64_size(strip(*content));
  if (!size)
    return fmt::format("SSE-C key file {} does not contain a valid base64-encoded key", path);
  if (*size == kCustomerKeySize) return std::nullopt;
  return fmt::format("SSE-C key file {} must contain a 256-bit (32-byte) key, got {} bytes", path,
                     *size);
}

}  // namespace

std::vector<std::string> find_snapshot_problems(const ServerConfig& config) {
  std::vector<std::string> problems;
  if (!config.snapshot_provider) return problems;
  const std::string& provider = *config.snapshot_provider;
  if (provider == "gcp") {
    if (!config.gcp_project && !config.snapshot_gcp_project)
      problems.emplace_back("gcp_project option is required by snapshot_provider gcp");
  } else if (provider == "azure") {
    if (!config.azure_subscription_id)
      problems.emplace_back("azure_subscription_id option is required by snapshot_provider azure");
    const auto& credential = config.azure_credential;
    if (credential && *credential != "azure-cli" && *credential != "managed-identity" &&
        *credential != "default")
      problems.push_back(fmt::format(
          "azure_credential '{}' must be azure-cli, managed-identity or default", *credential));
  } else if (provider == "aws") {
    check_snapshot_lock(config, problems);
  } else {
    problems.push_back(fmt::format("'{}' is not one of aws, azure, gcp", provider));
  }
  return problems;
}

std::optional<std::string> find_object_encryption_problem(const ServerConfig& config) {
  if (config.aws_sse_customer_key) {
    if (config.aws_sse_kms_key_id)
      return "aws_sse_customer_key cannot be used together with aws_sse_kms_key_id";
    if (config.aws_encryption)
      return "aws_sse_customer_key cannot be used together with aws_encryption";
    return find_customer_key_problem(*config.aws_sse_customer_key);
  }
  if (config.aws_sse_kms_key_id && config.aws_encryption != "aws:kms")
    return "aws_encryption must be \"aws:kms\" if aws_sse_kms_key_id is specified";
  return std::nullopt;
}

std::optional<std::int64_t> object_lock_days(const ServerConfig& config) {
  constexpr std::int64_t kDaysOfWeek = 7;
  // The longest one: locked for too short a time is the worse mistake.
  constexpr std::int64_t kDaysOfMonth = 31;
  if (!config.aws_object_lock_mode) return std::nullopt;
  if (config.aws_object_lock_days) return config.aws_object_lock_days;
  const auto& policy = config.retention_policy;
  if (!policy || policy->kind != RetentionPolicy::Kind::recovery_window) return std::nullopt;
  switch (policy->unit) {
    case RetentionPolicy::Unit::days:
      return policy->count;
    case RetentionPolicy::Unit::weeks:
      return policy->count * kDaysOfWeek;
    case RetentionPolicy::Unit::months:
      return policy->count * kDaysOfMonth;
  }
  return std::nullopt;
}

std::optional<std::string> find_object_lock_problem(const ServerConfig& config) {
  constexpr std::int64_t kMaxDays = 36'500;
  if (!config.aws_object_lock_mode) {
    if (!config.aws_object_lock_days) return std::nullopt;
    return "aws_object_lock_days locks nothing without aws_object_lock_mode (governance or "
           "compliance)";
  }
  for (const std::string* const place : {&config.basebackups_directory, &config.wals_directory}) {
    if (is_cloud_url(*place) && !place->starts_with("s3://")) {
      return fmt::format("aws_object_lock_mode locks objects of S3 only, not of \"{}\"", *place);
    }
  }
  const auto days = object_lock_days(config);
  if (!days) {
    return "aws_object_lock_mode needs aws_object_lock_days, or a retention_policy that is a "
           "RECOVERY WINDOW";
  }
  if (*days > kMaxDays) {
    return fmt::format("objects cannot be locked for {} days: at most {}", *days, kMaxDays);
  }
  return std::nullopt;
}

std::optional<std::string> find_wal_bucket_problem(const ServerConfig& config) {
  // Names of objects tell how they are compressed, and what a command of the user makes has none.
  if (config.has_cloud_wals() && config.compression == "custom") {
    return "cloud WAL storage only supports in-memory compression algorithms (gzip, bzip2, xz, "
           "zstd, lz4, snappy). 'custom' is not supported";
  }
  return std::nullopt;
}

std::optional<std::string> find_bucket_settings_problem(const ServerConfig& config) {
  if (auto problem = find_wal_bucket_problem(config)) return problem;
  if (auto problem = find_object_lock_problem(config)) return problem;
  if (config.worm_mode && (config.has_cloud_wals() || config.has_cloud_basebackups())) {
    return "WORM mode is not supported when the backup or WAL destination is a cloud storage";
  }
  return std::nullopt;
}

}  // namespace barman::config
