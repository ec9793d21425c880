#include "config/server_config.h"

#include <array>
#include <cstddef>
#include <initializer_list>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::config {

namespace {

template <std::size_t size, typename Enum>
std::string_view word_of(const std::array<std::string_view, size>& words, Enum word) {
  return words.at(static_cast<std::size_t>(word));
}

std::optional<std::string> first_text(const ServerConfig& config,
                                      std::initializer_list<std::string_view> options) {
  for (const std::string_view option : options) {
    if (const UnusableValue* value = config.find_unusable(option)) return value->text;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(BackupMethod method) {
  constexpr std::array<std::string_view, 5> kWords = {"rsync", "postgres", "local-rsync",
                                                      "snapshot", "local-to-cloud"};
  return word_of(kWords, method);
}

std::string_view to_text(BackupCompression compression) {
  constexpr std::array<std::string_view, 5> kWords = {"gzip", "lz4", "zstd", "xz", "none"};
  return word_of(kWords, compression);
}

std::string_view to_text(CompressionSide side) {
  constexpr std::array<std::string_view, 2> kWords = {"client", "server"};
  return word_of(kWords, side);
}

std::string_view to_text(Encryption encryption) {
  constexpr std::array<std::string_view, 2> kWords = {"none", "gpg"};
  return word_of(kWords, encryption);
}

std::string_view to_text(RetentionMode mode) {
  constexpr std::array<std::string_view, 1> kWords = {"auto"};
  return word_of(kWords, mode);
}

std::string Interval::clock_text() const {
  const std::int64_t days = hours / 24;
  const std::string clock = fmt::format("{}:00:00", hours % 24);
  if (days == 0) return clock;
  return fmt::format("{} day{}, {}", days, days == 1 ? "" : "s", clock);
}

std::string Interval::human_text() const { return human_duration(static_cast<double>(seconds())); }

std::string RetentionPolicy::text() const {
  if (kind == Kind::redundancy) return fmt::format("REDUNDANCY {}", count);
  std::string_view unit_text = "DAYS";
  if (unit == Unit::weeks) unit_text = "WEEKS";
  if (unit == Unit::months) unit_text = "MONTHS";
  return fmt::format("RECOVERY WINDOW OF {} {}", count, unit_text);
}

const UnusableValue* ServerConfig::find_unusable(std::string_view option) const {
  const auto found = unusable_values.find(option);
  return found == unusable_values.end() ? nullptr : &found->second;
}

std::optional<std::string> ServerConfig::find_retention_doubt() const {
  // Without a policy the others decide about nothing.
  if (!retention_policy && find_unusable("retention_policy") == nullptr) return std::nullopt;
  if (auto text = first_text(*this, {"retention_policy", "retention_policy_mode",
                                     "wal_retention_policy", "minimum_redundancy"})) {
    return text;
  }
  if (!unread_file) return std::nullopt;
  return fmt::format("configuration file {} is not read, and may ask for longer retention",
                     *unread_file);
}

std::optional<std::string> ServerConfig::find_deletion_doubt() const {
  return first_text(*this, {"minimum_redundancy"});
}

// Data in clear where it was to be encrypted cannot be taken back.
std::optional<std::string> ServerConfig::find_backup_doubt() const {
  return first_text(*this, {"backup_method", "encryption"});
}

bool is_cloud_url(std::string_view path) { return path.find("://") != std::string_view::npos; }

bool ServerConfig::has_cloud_basebackups() const { return is_cloud_url(basebackups_directory); }

bool ServerConfig::has_cloud_wals() const { return is_cloud_url(wals_directory); }

std::string ServerConfig::xlogdb_location() const {
  const bool is_in_cloud = has_cloud_wals() && xlogdb_directory.starts_with(wals_directory);
  return is_in_cloud ? meta_directory() : xlogdb_directory;
}

std::optional<std::string> ServerConfig::effective_wal_streaming_conninfo() const {
  return wal_streaming_conninfo ? wal_streaming_conninfo : streaming_conninfo;
}

std::optional<std::string> ServerConfig::effective_wal_conninfo() const {
  if (wal_conninfo) return wal_conninfo;
  return wal_streaming_conninfo ? wal_streaming_conninfo : conninfo;
}

}  // namespace barman::config
