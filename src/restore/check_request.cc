#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "postgres/backup_manifest.h"
#include "restore/build_plan.h"

namespace barman::restore {

using catalogue::BackupInfo;

namespace {

constexpr const char* kRemoteHint =
    "If you want to do a remote recovery you have to use the --remote-ssh-command option";

void refuse_relative(const std::optional<std::string>& path, std::string_view what) {
  if (!path || path->starts_with('/')) return;
  throw Error(
      ErrorKind::usage,
      fmt::format("Cannot parse {}: Invalid value : '{}' (must be an absolute path)", what, *path),
      "Give a path that begins with a slash.");
}

void check_staging(const RestoreRequest& request) {
  refuse_relative(request.staging.staging_path, "staging path");
  refuse_relative(request.staging.recovery_staging_path, "recovery staging path");
  refuse_relative(request.staging.local_staging_path, "local staging path");
  if (request.staging.staging_location == config::StagingLocation::remote &&
      !request.remote_ssh_command) {
    throw Error(ErrorKind::usage,
                "--staging-location as remote requires --remote-ssh-command to be set");
  }
}

std::string list_names(const BackupInfo& backup) {
  std::vector<std::string> names;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    names.push_back(tablespace.name);
  }
  return join(names, ", ");
}

Relocations parse_relocations(const RestoreRequest& request, const BackupInfo& backup) {
  Relocations relocations;
  for (const std::string& rule : request.tablespace_rules) {
    const std::size_t colon = rule.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == rule.size()) {
      throw Error(ErrorKind::usage, fmt::format("Invalid tablespace relocation rule '{}'", rule),
                  "The valid syntax for a relocation rule is NAME:LOCATION");
    }
    relocations[rule.substr(0, colon)] = rule.substr(colon + 1);
  }
  for (const auto& relocation : relocations) {
    const std::string& name = relocation.first;
    const bool is_known =
        std::any_of(backup.tablespaces.begin(), backup.tablespaces.end(),
                    [&](const catalogue::Tablespace& known) { return known.name == name; });
    if (is_known) continue;
    throw Error(ErrorKind::usage, fmt::format("Invalid tablespace name '{}'", name),
                backup.tablespaces.empty()
                    ? "The backup has no tablespaces."
                    : "Please use any of the following tablespaces: " + list_names(backup));
  }
  return relocations;
}

void check_delta(const RestoreRequest& request) {
  if (!request.delta_restore) return;
  if (request.remote_ssh_command &&
      request.staging.staging_location == config::StagingLocation::remote) {
    throw Error(ErrorKind::usage,
                "Cannot restore a backup remotely with delta mode when 'staging_location=remote'.");
  }
}

void check_snapshot(const RestoreRequest& request, const BackupInfo& backup) {
  const bool is_snapshot = backup.type() == catalogue::BackupType::snapshot;
  if (!is_snapshot && request.snapshot_recovery_instance) {
    throw Error(ErrorKind::usage,
                fmt::format("Backup {} is not a snapshot backup but the following snapshot "
                            "arguments have been used: --snapshot-recovery-instance",
                            backup.id.value));
  }
  if (!is_snapshot) return;
  if (!request.snapshot_recovery_instance) {
    throw Error(ErrorKind::usage,
                fmt::format("Backup {} is a snapshot backup and the following required arguments "
                            "have not been provided: --snapshot-recovery-instance",
                            backup.id.value));
  }
  if (!request.tablespace_rules.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("Backup {} is a snapshot backup therefore tablespace relocation rules "
                            "cannot be used.",
                            backup.id.value));
  }
}

void refuse_relative_places(const RestoreRequest& request, const BackupInfo& backup,
                            const Relocations& relocations) {
  const auto check = [](const std::string& path, std::string_view what) {
    if (path.starts_with('/')) return;
    throw Error(ErrorKind::usage, fmt::format("The {} is not an absolute path", what),
                "Give a path that begins with a slash.");
  };
  check(request.destination, fmt::format("destination directory '{}'", request.destination));
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    const std::string location = location_of(tablespace, relocations);
    check(location, fmt::format("location '{}' of tablespace '{}'", location, tablespace.name));
  }
}

// What this version cannot restore; nothing has been touched.
void refuse_unsupported(const BackupInfo& backup, const config::ServerConfig& config) {
  const auto refuse = [&](std::string_view reason, std::string_view hint) {
    throw Error(ErrorKind::config,
                fmt::format("Cannot restore from backup '{}' of server '{}': {}", backup.id.value,
                            config.name, reason),
                std::string(hint));
  };
  constexpr std::string_view kOtherBackup = "Restore a full, plain backup instead.";
  if (backup.type() == catalogue::BackupType::snapshot) {
    refuse("this version cannot restore snapshot backups", kOtherBackup);
  }
}

}  // namespace

Relocations check_request(const RestoreRequest& request, const BackupInfo& backup,
                          const config::ServerConfig& config) {
  check_staging(request);
  if (!backup.is_copy_done()) {
    throw Error(ErrorKind::conflict,
                fmt::format("Cannot restore from backup '{}' of server '{}': backup status is not "
                            "DONE",
                            request.backup, config.name),
                fmt::format("Run 'barman list-backups {}' to find a complete one.", config.name));
  }
  Relocations relocations = parse_relocations(request, backup);
  if (request.destination.find(':') != std::string::npos) {
    throw Error(ErrorKind::usage,
                "The destination directory parameter cannot contain the ':' character",
                kRemoteHint);
  }
  if (request.network_compression == NetworkCompression::always && !request.remote_ssh_command) {
    throw Error(ErrorKind::usage, "Network compression can only be used with remote recovery.",
                kRemoteHint);
  }
  check_delta(request);
  check_snapshot(request, backup);
  refuse_relative_places(request, backup, relocations);
  refuse_unsupported(backup, config);
  return relocations;
}

std::string location_of(const catalogue::Tablespace& tablespace, const Relocations& relocations) {
  const auto found = relocations.find(tablespace.name);
  return found != relocations.end() ? found->second : tablespace.location;
}

std::vector<copy::TreeCopy> list_trees(const RestoreFacts& facts, const std::string& destination,
                                       const Relocations& relocations) {
  std::vector<copy::TreeCopy> trees;
  for (const stored::BackupTree& tree : facts.content) {
    trees.push_back(
        {.source = tree.content,
         .destination = destination,
         .manifest_prefix = tree.manifest_prefix(),
         .label = "data directory",
         .is_data_directory = tree.is_data_directory(),
         .manifest_name = std::string(postgres::kBackupManifest) + "." + facts.backup.id.value});
    for (const catalogue::Tablespace& tablespace : facts.backup.tablespaces) {
      if (tablespace.oid != tree.oid) continue;
      trees.back().destination = location_of(tablespace, relocations);
      trees.back().label = "tablespace " + tablespace.name;
    }
  }
  return trees;
}

}  // namespace barman::restore
