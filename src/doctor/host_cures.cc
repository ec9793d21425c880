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

// What stands between two texts; "" when they are not there.
std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string::npos) return "";
  const std::size_t start = from + begin.size();
  const std::size_t to = text.find(end, start);
  return to == std::string::npos ? "" : text.substr(start, to - start);
}

// "[pg]:2222" as ssh-keyscan wants it.
std::string scan_arguments(const std::string& host) {
  const std::string name = between(host, "[", "]:");
  if (name.empty()) return shell_quote(host);
  return fmt::format("-p {} {}", host.substr(host.rfind(':') + 1), shell_quote(name));
}

// ssh says "Host key for [pg]:2222 has changed", or "No ED25519 host key is known for ...".
Cure host_key_cure(const CheckResult& failure, const Site& site) {
  std::string host = between(failure.hint, "Host key for ", " has changed");
  const bool is_changed = !host.empty() || failure.hint.find("HAS CHANGED") != std::string::npos;
  if (host.empty()) host = between(failure.hint, "host key is known for ", " and you");
  if (host.empty()) host = site.database_host;
  Cure cure = {
      .place = CurePlace::here,
      .cause = is_changed ? fmt::format("{} has another host key than the known one: it was "
                                        "installed anew, or somebody stands in between",
                                        host)
                          : fmt::format("the host key of {} is not known here", host),
      .lines = {"# its fingerprints, on that host itself: for key in "
                "/etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done",
                fmt::format("ssh-keyscan {} 2>/dev/null | ssh-keygen -lf -   # must be the "
                            "same ones",
                            scan_arguments(host))}};
  if (is_changed) {
    // "Offending ED25519 key in /home/barman/.ssh/known_hosts:3"
    std::string file = between(failure.hint, "Offending ", ":");
    file = file.find(" key in ") == std::string::npos ? "" : file.substr(file.find(" key in ") + 8);
    cure.lines.push_back(fmt::format("ssh-keygen {}-R {}",
                                     file.empty() ? "" : "-f " + shell_quote(file) + " ",
                                     shell_quote(host)));
  }
  std::vector<std::string> words = split_blanks(site.ssh_command);
  if (!words.empty()) words.front() += " -o StrictHostKeyChecking=accept-new";
  cure.lines.push_back(join(words, " ") + " true");
  return cure;
}

std::vector<Cure> not_listening_for_ssh(const CheckResult& failure, const Site& site) {
  return {
      {.place = CurePlace::database_host,
       .cause = failure.hint,
       .lines = {"sudo systemctl status ssh   # does it run?",
                 "sudo ss -ltnp | grep sshd   # on which port?",
                 fmt::format("sudo ufw allow from {} to any port 22 proto tcp   # if there is a "
                             "firewall",
                             site.own_address.empty() ? "ADDRESS_OF_BARMAN" : site.own_address)}}};
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
    if (problem.defect == server::DirectoryDefect::read_only) {
      lines.push_back(
          fmt::format("mount -o remount,rw \"$(findmnt -n -o TARGET -T {})\"   # if "
                      "'dmesg' tells of no damaged disk",
                      problem.path));
      continue;
    }
    if (problem.defect == server::DirectoryDefect::forbidden) {
      lines.push_back(fmt::format("namei -l {}   # whose is each part of it?", problem.path));
    }
    if (problem.defect == server::DirectoryDefect::other_kind) {
      lines.push_back(fmt::format("ls -l {0} && mv {0} {0}.moved-away", problem.path));
    }
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

std::vector<Cure> abandoned_backup_cures(const CheckResult& failure, const Site&) {
  return {{.place = CurePlace::psql,
           .cause = failure.hint,
           .lines = {"SELECT pg_stop_backup(true, false);"}}};
}

std::vector<Cure> exclusive_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::configuration,
           .cause = failure.hint,
           .lines = option_line(site, "backup_options = concurrent_backup")}};
}

std::vector<Cure> ssh_cures(const CheckResult& failure, const Site& site) {
  if (failure.label != "ssh") {
    return {{.place = CurePlace::here,
             .cause = failure.hint,
             .lines = {site.ssh_command + " true   # must print nothing"}}};
  }
  const auto says = [&](std::string_view words) {
    return failure.hint.find(words) != std::string::npos;
  };
  if (says("Host key verification failed") || says("IDENTIFICATION HAS CHANGED"))
    return {host_key_cure(failure, site)};
  for (const char* const words :
       {"Connection refused", "timed out", "No route to host", "Could not resolve"}) {
    if (says(words)) return not_listening_for_ssh(failure, site);
  }
  std::vector<std::string> words = split_blanks(site.ssh_command);
  if (words.empty()) words.emplace_back();
  words.front() = "ssh-copy-id";
  Cure cure = {.place = CurePlace::here, .cause = failure.hint};
  if (says("Permission denied"))
    cure.cause =
        fmt::format("the key of user {} is not accepted there: {}", site.user, failure.hint);
  cure.lines = {"[ -e ~/.ssh/id_ed25519 ] || ssh-keygen -t ed25519", join(words, " "),
                site.ssh_command + " true   # must succeed without a question"};
  return {cure};
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
