#include <fmt/format.h>

#include "base/text.h"
#include "doctor/table_cures.h"

namespace barman::doctor {
namespace {

using check::CheckResult;

std::vector<std::string> option_line(const Site& site, std::string line) {
  return {fmt::format("[{}]", site.server), std::move(line)};
}

std::string words_of_details(const CheckResult& failure) {
  return failure.details.empty() ? failure.hint : join(failure.details, "; ");
}

}  // namespace

std::vector<Cure> directory_cures(const CheckResult& failure, const Site& site) {
  // An empty catalogue in its place would hide it.
  if (!site.absence_hint.empty()) {
    return {{.place = CurePlace::root_here,
             .cause = failure.hint,
             .lines = {"# " + site.absence_hint}}};
  }
  std::vector<std::string> lines;
  for (const server::DirectoryProblem& problem : site.directories) {
    lines.push_back(
        fmt::format("install -d -m 0700 -o {0} -g \"$(id -gn {0})\" {1}", site.user, problem.path));
  }
  if (lines.empty()) lines.push_back(fmt::format("ls -ld /var/lib/barman   # {}", failure.hint));
  return {{.place = CurePlace::root_here,
           .cause = failure.hint + ". Is the disk mounted?",
           .lines = std::move(lines),
           .action = Action::create_directories}};
}

std::vector<Cure> retention_cures(const CheckResult&, const Site& site) {
  return {{.place = CurePlace::configuration,
           .cause = "retention_policy is not understood: nothing is deleted",
           .lines = option_line(site, "retention_policy = RECOVERY WINDOW OF 7 DAYS")}};
}

std::vector<Cure> backup_cures(const CheckResult& failure, const Site& site) {
  if (failure.hint.find("not understood") != std::string::npos) {
    return {{.place = CurePlace::configuration,
             .cause = failure.hint,
             .lines = option_line(site, "minimum_redundancy = 1")}};
  }
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint,
           .lines = {fmt::format("barman backup --wait {}", site.server)}}};
}

std::vector<Cure> small_backup_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint + ": has somebody dropped much, or is the limit out of date?",
           .lines = {fmt::format("barman list-backups {}", site.server),
                     fmt::format("barman verify-backup {} latest", site.server)}}};
}

std::vector<Cure> failed_backup_cures(const CheckResult& failure, const Site& site) {
  std::vector<std::string> lines;
  for (const FailedBackup& backup : site.failed_backups) {
    lines.push_back(fmt::format("barman delete {} {}{}", site.server, backup.id,
                                backup.reason.empty() ? "" : "   # " + backup.reason));
  }
  if (lines.empty()) lines.push_back(fmt::format("barman list-backups {}", site.server));
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint + "; check says FAILED until they are deleted ('barman cron "
                                   "--remove-failed' does it when a later one is DONE)",
           .lines = std::move(lines)}};
}

std::vector<Cure> catalogue_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint,
           .lines = {fmt::format("barman catalogue-check {}", site.server)}}};
}

std::vector<Cure> encryption_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::here, .cause = failure.hint, .lines = {"gpg --list-keys"}},
          {.place = CurePlace::configuration,
           .cause = "the key must be one of those",
           .lines = option_line(site, "encryption_key_id = KEY")}};
}

std::vector<Cure> option_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::configuration,
           .cause = words_of_details(failure),
           .lines = {fmt::format("[{}]", site.server),
                     fmt::format("# correct it; 'man 5 barman' has the options, and 'barman "
                                 "diagnose --show-config-source' their files ({})",
                                 site.configuration_file)}}};
}

std::vector<Cure> exclusive_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::configuration,
           .cause = failure.hint,
           .lines = option_line(site, "backup_options = concurrent_backup")}};
}

std::vector<Cure> ssh_cures(const CheckResult& failure, const Site& site) {
  std::vector<std::string> words = split_blanks(site.ssh_command);
  std::vector<std::string> lines = {site.ssh_command + " true"};
  if (failure.label == "ssh" && !words.empty()) {
    words.front() = "ssh-copy-id";
    lines.emplace_back("[ -e ~/.ssh/id_ed25519 ] || ssh-keygen -t ed25519");
    lines.push_back(join(words, " "));
  }
  return {{.place = CurePlace::here, .cause = failure.hint, .lines = std::move(lines)}};
}

std::vector<Cure> label_cures(const CheckResult& failure, const Site&) {
  return {{.place = CurePlace::database_host,
           .cause = failure.hint,
           .lines = {"sudo systemctl start postgresql"}}};
}

std::vector<Cure> data_directory_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::root_here,
           .cause = failure.hint,
           .lines = {fmt::format("usermod -a -G postgres {}   # and pg_ctl/initdb -g: the group "
                                 "may read the data directory",
                                 site.user)}}};
}

}  // namespace barman::doctor
