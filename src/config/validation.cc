#include "config/validation.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/secrets.h"
#include "base/text.h"
#include "config/cloud_rules.h"
#include "config/resolution.h"
#include "postgres/versions.h"

namespace barman::config {
namespace {

bool is_rsync(const ServerConfig& config) {
  return config.backup_method == BackupMethod::rsync ||
         config.backup_method == BackupMethod::local_rsync;
}

class Validator {
 public:
  Validator(ServerConfig& config, const ConninfoCheck& check_conninfo)
      : config_(config), check_conninfo_(check_conninfo) {}

  void run() {
    if (!config_.is_passive()) {
      check_connections();
      check_archivers();
      // Of a method that is not understood nothing can be said, and nobody has asked for rsync.
      if (config_.find_unusable("backup_method") == nullptr) check_method();
    }
    check_destinations();
    name_unavailable_method();
    warn_of_immutable_index();
  }

 private:
  // An inactive server takes nothing in: the problem is told, but what the server holds stays
  // usable.
  void add_problem(std::string text) {
    config_.messages.push_back(std::move(text));
    if (config_.active) config_.disabled = true;
  }

  void check_connection(std::string_view label, std::string_view option,
                        const std::optional<std::string>& conninfo) {
    if (!conninfo) {
      add_problem(
          fmt::format("{}: Missing '{}' parameter for server '{}'", label, option, config_.name));
    } else if (check_conninfo_ && check_conninfo_(*conninfo)) {
      add_problem(
          fmt::format("{}: Cannot connect to postgres: \"{}\" is not a valid connection string",
                      label, mask_conninfo(*conninfo)));
    }
  }

  void check_connections() {
    check_connection("PostgreSQL connection", "conninfo", config_.conninfo);
    if (config_.backup_method == BackupMethod::postgres || config_.streaming_archiver)
      check_connection("Streaming connection", "streaming_conninfo", config_.streaming_conninfo);
  }

  void check_archivers() {
    if (config_.archiver) return;
    if (config_.streaming_archiver) {
      if (!config_.slot_name || !config_.streaming_conninfo)
        add_problem(
            "Streaming-only archiver requires 'streaming_conninfo' and 'slot_name' options to be "
            "properly configured");
      return;
    }
    if (!config_.active) return;
    config_.warnings.push_back(
        fmt::format("No archiver enabled for server '{}'. Please turn on 'archiver', "
                    "'streaming_archiver' or both",
                    config_.name));
    config_.warnings.emplace_back("Forcing 'archiver = on'");
    config_.archiver = true;
  }

  void refuse_options(std::string_view method,
                      std::initializer_list<std::pair<std::string_view, bool>> options) {
    for (const auto& [name, is_set] : options)
      if (is_set)
        add_problem(fmt::format("{} option is not supported by {} backup_method", name, method));
  }

  void check_method() {
    switch (config_.backup_method) {
      case BackupMethod::rsync:
      case BackupMethod::local_rsync:
        check_ssh_command();
        refuse_options("rsync", {{"backup_compression", config_.backup_compression.has_value()}});
        break;
      case BackupMethod::postgres:
        refuse_options("postgres",
                       {{"tablespace_bandwidth_limit", !config_.tablespace_bandwidth_limit.empty()},
                        {"reuse_backup", config_.reuses_backup()},
                        {"network_compression", config_.network_compression}});
        check_compression();
        break;
      case BackupMethod::snapshot:
        check_ssh_command();
        check_snapshot_options();
        break;
      case BackupMethod::local_to_cloud:
        check_compressor();
        break;
    }
    if (config_.active) complete_backup_options();
    warn_of_ineffective_options();
  }

  // Accepted, since Barman's files have them, but nothing becomes of them.
  void warn_of_ineffective_options() {
    if (config_.warehousepg_dbid)
      config_.backup_warnings.push_back(fmt::format(
          "'warehousepg_dbid' of server '{}' has no effect: segments of WarehousePG are "
          "backed up like PostgreSQL, without an internal.auto.conf of their own.",
          config_.name));
    if (!config_.combine_mode.empty() && config_.combine_mode != "copy")
      config_.backup_warnings.push_back(
          fmt::format("'combine_mode = {}' of server '{}' has no effect: incremental backups are "
                      "combined while they are restored, without a staging area.",
                      config_.combine_mode, config_.name));
  }

  // What such a method lacks is not worth correcting.
  void name_unavailable_method() {
    const bool is_unavailable = config_.backup_method == BackupMethod::snapshot;
    if (!is_unavailable || config_.is_passive() || config_.messages.empty()) return;
    config_.messages.insert(
        config_.messages.begin(),
        fmt::format("backup_method = {} is not available in this version. Set backup_method = "
                    "postgres and streaming_conninfo, backup_method = rsync and ssh_command, or, "
                    "on the host of PostgreSQL, backup_method = local-rsync",
                    to_text(config_.backup_method)));
  }

  void check_ssh_command() {
    if (config_.backup_method != BackupMethod::local_rsync) {
      if (!config_.ssh_command)
        add_problem(fmt::format(
            "Missing or invalid ssh_command in barman configuration for server {}", config_.name));
    } else if (config_.ssh_command) {
      add_problem(fmt::format(
          "Local copy requires ssh_command in barman configuration to be empty for server {}",
          config_.name));
    }
  }

  // Exclusive backups went away with PostgreSQL 15; the method decides what is possible at all.
  void complete_backup_options() {
    BackupOptions& options = config_.backup_options;
    if (config_.backup_method == BackupMethod::postgres) {
      if (options.exclusive_backup)
        config_.warnings.emplace_back(
            "'exclusive_backup' is not a valid backup_option using postgres backup_method. "
            "Overriding with 'concurrent_backup'.");
      options.exclusive_backup = false;
      options.concurrent_backup = true;
    } else if ((is_rsync(config_) || config_.backup_method == BackupMethod::snapshot) &&
               !options.exclusive_backup && !options.concurrent_backup) {
      config_.backup_warnings.push_back(
          fmt::format("No backup strategy set for server '{}' (using default 'concurrent_backup').",
                      config_.name));
      options.concurrent_backup = true;
    }
  }

  void check_level(std::string_view algorithm, std::int64_t minimum, std::int64_t maximum,
                   bool accepts_default) {
    const auto level = config_.backup_compression_level;
    if (!level || (*level >= minimum && *level <= maximum) || (accepts_default && *level == -1))
      return;
    add_problem(fmt::format(
        "backup_compression_level {} is not supported by {} backup_compression (must be {} to {})",
        *level, algorithm, minimum, maximum));
  }

  void check_compression() {
    if (config_.backup_compression && config_.backup_compression_format == BackupFormat::plain &&
        config_.backup_compression_location != CompressionSide::server)
      add_problem(fmt::format(
          "backup_compression_format plain is not compatible with "
          "backup_compression_location {}",
          config_.backup_compression_location ? to_text(*config_.backup_compression_location)
                                              : "None"));
    check_compressor();
  }

  // Whoever compresses: the client of a stream, its server, or what reads the files.
  void check_compressor() {
    if (!config_.backup_compression) return;
    const BackupCompression compression = *config_.backup_compression;
    const std::string_view algorithm = to_text(compression);
    switch (compression) {
      case BackupCompression::gzip:
        check_level(algorithm, 1, 9, true);
        break;
      case BackupCompression::lz4:
        check_level(algorithm, 0, 12, false);
        break;
      case BackupCompression::zstd:
        check_level(algorithm, -131072, 22, false);
        break;
      case BackupCompression::xz:
        check_level(algorithm, 1, 9, false);
        if (config_.backup_method == BackupMethod::postgres &&
            config_.backup_compression_location == CompressionSide::server) {
          add_problem(
              "backup_compression xz is not known to PostgreSQL: leave out "
              "backup_compression_location = server");
        }
        break;
      case BackupCompression::none:
        check_level(algorithm, 0, 0, false);
        break;
    }
    const auto workers = config_.backup_compression_workers;
    if (!workers) return;
    if (compression != BackupCompression::zstd && compression != BackupCompression::xz) {
      add_problem(fmt::format(
          "backup_compression_workers is not supported by {} backup_compression", algorithm));
    } else if (*workers < 0) {
      add_problem("backup_compression_workers must not be negative");
    }
  }

  void check_snapshot_options() {
    refuse_options("snapshot",
                   {{"backup_compression", config_.backup_compression.has_value()},
                    {"bandwidth_limit", config_.bandwidth_limit.value_or(0) != 0},
                    {"network_compression", config_.network_compression},
                    {"tablespace_bandwidth_limit", !config_.tablespace_bandwidth_limit.empty()},
                    {"reuse_backup", config_.reuses_backup()}});
    for (const auto& [name, is_set] : std::initializer_list<std::pair<std::string_view, bool>>{
             {"snapshot_disks", !config_.snapshot_disks.empty()},
             {"snapshot_instance", config_.snapshot_instance.has_value()},
             {"snapshot_provider", config_.snapshot_provider.has_value()}})
      if (!is_set)
        add_problem(fmt::format("{} option is required by snapshot backup_method", name));
    for (const std::string& reason : find_snapshot_problems(config_)) {
      add_problem(fmt::format("Error initialising snapshot provider {}: {}",
                              *config_.snapshot_provider, reason));
    }
  }

  void check_destinations() {
    // Each place by itself may be a bucket or a directory: only a backup that does not pass through
    // this host's disks needs both.
    const bool all_cloud = config_.has_cloud_basebackups() && config_.has_cloud_wals();
    if (!all_cloud && !config_.is_passive() &&
        config_.backup_method == BackupMethod::local_to_cloud) {
      add_problem(
          fmt::format("basebackups_directory and wals_directory must be cloud URLs with "
                      "local-to-cloud backup_method for server {}",
                      config_.name));
    }
    // Without valid encryption settings not even the catalogue can be read: this counts for
    // inactive servers, too.
    if (config_.has_cloud_wals() ||
        (config_.has_cloud_basebackups() && config_.backup_method == BackupMethod::postgres)) {
      if (auto reason = find_object_encryption_problem(config_))
        disable_server(config_, std::move(*reason));
    }
  }

  // Each archived segment changes it.
  void warn_of_immutable_index() {
    if (!config_.worm_mode || config_.has_cloud_wals()) return;
    const std::string index = config_.xlogdb_location() + "/";
    if (!index.starts_with(config_.wals_directory + "/") &&
        !index.starts_with(config_.basebackups_directory + "/")) {
      return;
    }
    config_.backup_warnings.push_back(fmt::format(
        "'worm_mode' is on for server '{}', and xlogdb_directory ({}) is on the storage that is "
        "immutable: the index of the WAL could not be changed there. Set xlogdb_directory to a "
        "directory on ordinary storage.",
        config_.name, config_.xlogdb_location()));
  }

  ServerConfig& config_;
  const ConninfoCheck& check_conninfo_;
};

struct UsedPath {
  std::string server;
  std::string_view option;
};

// Where directories really are, links resolved as far as they exist. The directory above is looked
// at once for all that it holds: thousands of servers share one.
class RealPaths {
 public:
  std::string find(const std::string& path) {
    std::error_code code;
    std::filesystem::path plain = std::filesystem::absolute(path, code);
    while (plain.has_relative_path() && !plain.has_filename()) plain = plain.parent_path();
    const std::filesystem::path name = plain.filename();
    if (code || name.empty() || name == "." || name == ".." ||
        std::filesystem::is_symlink(std::filesystem::symlink_status(plain, code))) {
      return resolve(plain);
    }
    const auto [above, is_new] = above_.try_emplace(plain.parent_path().string());
    if (is_new) above->second = resolve(plain.parent_path());
    return (std::filesystem::path(above->second) / name).string();
  }

 private:
  static std::string resolve(const std::filesystem::path& absolute) {
    std::error_code code;
    std::filesystem::path real = std::filesystem::weakly_canonical(absolute, code);
    if (code) real = absolute.lexically_normal();
    std::string text = real.string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
  }

  std::map<std::string, std::string> above_;
};

// The path as configured, and where it leads if a symbolic link is on its way.
std::string shown_path(const std::string& path, const std::string& real) {
  std::error_code code;
  std::string plain = std::filesystem::absolute(path, code).lexically_normal().string();
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain == real ? path : fmt::format("{} (symlink to: {})", path, real);
}

}  // namespace

void validate_server(ServerConfig& config, const ConninfoCheck& check_conninfo) {
  Validator(config, check_conninfo).run();
}

std::vector<PathConflict> find_path_conflicts(ServerMap& servers) {
  static constexpr std::array<std::pair<std::string_view, std::string ServerConfig::*>, 6>
      kDirectories = {{{"backup_directory", &ServerConfig::backup_directory},
                       {"basebackups_directory", &ServerConfig::basebackups_directory},
                       {"errors_directory", &ServerConfig::errors_directory},
                       {"incoming_wals_directory", &ServerConfig::incoming_wals_directory},
                       {"streaming_wals_directory", &ServerConfig::streaming_wals_directory},
                       {"wals_directory", &ServerConfig::wals_directory}}};
  std::vector<PathConflict> conflicts;
  // The options that conflict, by server and other server.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> also;
  std::map<std::string, UsedPath> used;
  RealPaths real_paths;
  for (auto& [name, server] : servers) {
    for (const auto& [option, member] : kDirectories) {
      const std::string& path = server.*member;
      if (is_cloud_url(path)) continue;
      const std::string real = real_paths.find(path);
      const auto [position, is_free] = used.try_emplace(real, UsedPath{name, option});
      if (is_free) continue;
      const UsedPath& other = position->second;
      const std::string subject =
          fmt::format("Conflicting path: {}={}", option, shown_path(path, real));
      if (other.server == name) {
        disable_server(server, fmt::format("{} conflicts with '{}' for server '{}'", subject,
                                           other.option, name));
        continue;
      }
      // One of a pair is enough: who shares backup_directory shares all that is below it.
      std::vector<std::string>& others = also[{name, other.server}];
      if (others.empty()) {
        conflicts.push_back({fmt::format("{} for server '{}' conflicts with '{}' for server '{}'",
                                         subject, name, other.option, other.server),
                             name, other.server});
      }
      others.emplace_back(option);
    }
  }
  for (PathConflict& conflict : conflicts) {
    std::vector<std::string>& others = also.at({conflict.server, conflict.other_server});
    others.erase(others.begin());
    if (!others.empty()) conflict.text += fmt::format(" (and so on: {})", join(others, ", "));
    disable_server(servers.find(conflict.server)->second, conflict.text);
    disable_server(servers.find(conflict.other_server)->second, conflict.text);
  }
  return conflicts;
}

std::optional<std::string> find_version_problem(const ServerConfig& config, int postgres_version) {
  constexpr int kFirstVersionThatCompresses = postgres::kVersion15;
  const bool compresses_on_server = config.backup_method == BackupMethod::postgres &&
                                    config.backup_compression.has_value() &&
                                    config.backup_compression_location == CompressionSide::server;
  if (!compresses_on_server || postgres_version >= kFirstVersionThatCompresses) return std::nullopt;
  return "backup_compression_location = server requires PostgreSQL 15 or later";
}

std::optional<std::string> find_encryption_problem(const ServerConfig& config) {
  if (config.encryption != Encryption::gpg) return std::nullopt;
  if (!config.encryption_key_id) return "encryption_key_id is not set";
  // Archives in a bucket are what they are, whatever is set for those of a disk.
  if (config.has_cloud_basebackups()) return std::nullopt;
  if (config.backup_method != BackupMethod::postgres)
    return "encryption needs backup_method = postgres";
  if (!config.backup_compression) return "encryption needs backup_compression (none is allowed)";
  if (config.backup_compression_format == BackupFormat::plain)
    return "encryption needs backup_compression_format = tar";
  return std::nullopt;
}

}  // namespace barman::config
