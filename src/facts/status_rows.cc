#include "facts/status_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "wal_transfer/slot_care.h"

namespace barman::facts {
namespace {

using catalogue::BackupInfo;
using config::ServerConfig;

class Rows {
 public:
  void add(std::string key, std::string label, std::string message) {
    rows_.push_back(
        {.key = std::move(key), .label = std::move(label), .message = std::move(message)});
  }
  void add_if(std::string key, std::string label, const std::optional<std::string>& message) {
    if (message) add(std::move(key), std::move(label), *message);
  }
  std::vector<StatusRow> take() { return std::move(rows_); }

 private:
  std::vector<StatusRow> rows_;
};

std::string truth(bool value) { return value ? "True" : "False"; }

void add_postgres_rows(Rows& rows, const ServerFacts& facts) {
  if (!facts.version_text) {
    rows.add("pg_version", "PostgreSQL version", "FAILED trying to get PostgreSQL version");
    return;
  }
  rows.add("pg_version", "PostgreSQL version", *facts.version_text);
  if (facts.is_in_recovery) {
    rows.add("is_in_recovery", "Cluster state",
             *facts.is_in_recovery ? "in archive recovery" : "in production");
  }
  if (facts.size_bytes) {
    rows.add("current_size", "Current data size",
             human_size(static_cast<std::int64_t>(*facts.size_bytes)));
  }
  if (facts.settings) {
    rows.add_if("data_directory", "PostgreSQL Data directory", facts.settings->data_directory);
  }
  if (facts.wal_position) {
    rows.add_if("current_xlog", "Current WAL segment", facts.wal_position->wal_name);
  }
}

std::string last_archived_text(const postgres::ArchiverStatistics& archiver) {
  if (!archiver.last_archived_wal) return "No WAL segment shipped yet";
  if (!archiver.last_archived_time) return *archiver.last_archived_wal;
  return fmt::format("{}, at {}", *archiver.last_archived_wal,
                     format_ctime(*archiver.last_archived_time));
}

std::string failures_text(const postgres::ArchiverStatistics& archiver) {
  if (archiver.failed_count == 0 || !archiver.last_failed_wal || !archiver.last_failed_time) {
    return fmt::to_string(archiver.failed_count);
  }
  return fmt::format("{} ({} at {})", archiver.failed_count, *archiver.last_failed_wal,
                     format_ctime(*archiver.last_failed_time));
}

void add_archiver_rows(Rows& rows, const ServerFacts& facts) {
  if (!facts.settings || !facts.settings->archive_mode) return;
  const std::string command = facts.settings->archive_command.value_or("");
  const bool is_set = !command.empty() && command != "(disabled)";
  rows.add("archive_command", "PostgreSQL 'archive_command' setting",
           is_set ? command : "FAILED (please set it accordingly to documentation)");
  if (!facts.archiver) return;
  rows.add("last_archived_wal", "Last archived WAL", last_archived_text(*facts.archiver));
  rows.add("failed_count", "Failures of WAL archiver", failures_text(*facts.archiver));
  const double rate = facts.archiver->current_archived_wals_per_second.value_or(0);
  if (rate > 0) {
    rows.add("server_archived_wals_per_hour", "Server WAL archiving rate",
             fmt::format("{:.2f}/hour", rate * 3600));
  }
}

std::string retention_text(const ServerConfig& config) {
  if (config.retention_policy && config.unread_file)
    return fmt::format("not enforced (configuration file {} is not read)", *config.unread_file);
  if (config.find_retention_doubt()) return "not enforced (a setting is not understood)";
  if (!config.retention_policy) return "not enforced";
  return fmt::format("enforced (mode: {}, retention: {}, WAL retention: {})",
                     to_text(config.retention_policy_mode), config.retention_policy->text(),
                     to_upper(config.wal_retention_policy));
}

void add_backup_rows(Rows& rows, const ServerConfig& config,
                     const std::vector<BackupInfo>& backups) {
  const auto is_usable = [](const BackupInfo& backup) { return backup.is_copy_done(); };
  const auto is_done = [](const BackupInfo& backup) {
    return backup.status == catalogue::BackupStatus::done;
  };
  const auto done = std::count_if(backups.begin(), backups.end(), is_done);
  const auto roots = std::count_if(backups.begin(), backups.end(), [&](const BackupInfo& backup) {
    return is_done(backup) && !backup.is_incremental();
  });
  const auto first = std::find_if(backups.begin(), backups.end(), is_usable);
  const auto last = std::find_if(backups.rbegin(), backups.rend(), is_usable);
  rows.add("backups_number", "No. of available backups", fmt::to_string(done));
  rows.add("first_backup", "First available backup",
           first == backups.end() ? "None" : first->id.value);
  rows.add("last_backup", "Last available backup",
           last == backups.rend() ? "None" : last->id.value);
  if (config.find_unusable("minimum_redundancy") != nullptr) {
    rows.add("minimum_redundancy", "Minimum redundancy requirements",
             fmt::format("FAILED ({}/unknown: the setting is not understood)", roots));
    return;
  }
  rows.add("minimum_redundancy", "Minimum redundancy requirements",
           fmt::format("{} ({}/{})", roots < config.minimum_redundancy ? "FAILED" : "satisfied",
                       roots, config.minimum_redundancy));
}

}  // namespace

std::vector<StatusRow> make_status_rows(const ServerConfig& config,
                                        const std::optional<ServerFacts>& facts,
                                        const std::vector<BackupInfo>& backups,
                                        const std::optional<WalFlow>& flow) {
  Rows rows;
  rows.add_if("description", "Description", config.description);
  rows.add("active", "Active", truth(config.active));
  rows.add("disabled", "Disabled", truth(config.disabled));
  rows.add("active_model", "Active configuration model", config.active_model.value_or("None"));
  if (facts) {
    add_postgres_rows(rows, *facts);
    if (config.archiver) add_archiver_rows(rows, *facts);
  }
  rows.add("passive_node", "Passive node", truth(config.is_passive()));
  rows.add("retention_policies", "Retention policies", retention_text(config));
  add_backup_rows(rows, config, backups);
  rows.add_if("primary_ssh_command", "SSH command to primary server", config.primary_ssh_command);
  // Behind the lines that every version has.
  if (flow) {
    std::string receiver = describe_receiver(*flow);
    if (const auto loss =
            facts && facts->slot ? wal_transfer::describe_slot_loss(*facts->slot) : std::nullopt) {
      receiver += "; " + *loss + ". " + wal_transfer::slot_loss_next_step(config.name);
    }
    if (!receiver.empty()) rows.add("wal_receiver", "WAL receiver", receiver);
    rows.add("wal_positions", "WAL positions", describe_positions(*flow));
    rows.add("wal_queue", "WAL queue", describe_queue(*flow));
  }
  return rows.take();
}

std::string describe_branches(const catalogue::Branches& branches,
                              const std::vector<BackupInfo>& backups) {
  std::vector<std::string> abandoned;
  for (const BackupInfo& backup : backups) {
    if (backup.is_copy_done() && branches.standing_of(backup).is_abandoned()) {
      abandoned.push_back(backup.id.value);
    }
  }
  if (abandoned.empty()) return "";
  constexpr std::size_t kShown = 4;
  const std::size_t count = abandoned.size();
  if (count > kShown) abandoned.resize(kShown);
  return fmt::format("the present is timeline {}, and {} backup{} not lead there: {}{}",
                     branches.present()->value, count, count == 1 ? " does" : "s do",
                     join(abandoned, ", "), count > kShown ? ", ..." : "");
}

}  // namespace barman::facts
