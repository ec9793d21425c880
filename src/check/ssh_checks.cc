#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/rsync_run.h"
#include "base/error.h"
#include "base/process.h"
#include "base/secrets.h"
#include "base/text.h"
#include "check/check_run.h"
#include "host/host.h"

namespace barman::check {
namespace {

constexpr int kTimedOut = 124;      // of timeout(1)
constexpr int kNoConnection = 255;  // of ssh(1)

struct CheckedHost {
  host::SshRoute route;
  std::string hint;
};

std::optional<CheckedHost> checked_host(const config::ServerConfig& config) {
  if (config.disabled) return std::nullopt;
  const auto with_options = [](const std::string& command) {
    return command + " " + backup::kSshOptions;
  };
  if (config.is_passive()) {
    return CheckedHost{.route = {.command = with_options(*config.primary_ssh_command),
                                 .title = "the primary node",
                                 .option = "primary_ssh_command"},
                       .hint = "Barman primary node"};
  }
  if (config.backup_method != config::BackupMethod::rsync || !config.ssh_command) {
    return std::nullopt;
  }
  return CheckedHost{.route = {.command = with_options(*config.ssh_command),
                               .title = "the host of PostgreSQL",
                               .option = "ssh_command"},
                     .hint = "PostgreSQL server"};
}

// Lists without descending; nothing, or why it cannot.
std::optional<Error> ask_rsync(const CheckRun& run, const std::string& directory,
                               const std::vector<std::string>& options,
                               const std::function<void(const backup::ListedFile&)>& on_file) {
  const facts::Deadline deadline(std::chrono::ceil<std::chrono::seconds>(run.deadline.item()));
  backup::RsyncRun rsync(*run.server.config().ssh_command, false, [&] {
    if (deadline.has_passed()) throw Error(ErrorKind::connection, "rsync has not answered in time");
  });
  std::vector<std::string> all = {"--no-recursive", "--dirs"};
  all.insert(all.end(), options.begin(), options.end());
  try {
    rsync.list(directory, all, on_file);
    return std::nullopt;
  } catch (const Error& error) {  // The caller tells it.
    if (error.kind() == ErrorKind::interrupted) throw;
    return error;
  }
}

// Of the restrictions that authorized_keys there has for the key.
bool is_of_key(const std::optional<Error>& refusal) {
  return refusal && refusal->kind() == ErrorKind::permission;
}

// PostgreSQL is down, and may have been backed up by an exclusive backup: it begins its recovery
// there, if it finds the file.
void check_remote_label(const CheckRun& run) {
  if (run.sql.is_available()) return;
  const std::vector<catalogue::BackupInfo> backups = run.server.catalogue().list_backups().backups;
  // One that has failed early does not know it.
  const auto known = std::find_if(backups.rbegin(), backups.rend(),
                                  [](const auto& backup) { return backup.pgdata.has_value(); });
  if (known == backups.rend()) return;
  const std::string& data = *known->pgdata;
  bool is_there = false;
  ask_rsync(
      run, data, {"--include=/backup_label", "--exclude=/*"},
      [&](const backup::ListedFile& file) { is_there = is_there || file.name == "backup_label"; });
  if (!is_there) return;
  run.fail(
      "backup_label",
      fmt::format("PostgreSQL does not answer, and there is \"{}/backup_label\": start it, or, "
                  "unless that is a restored cluster, remove the file first",
                  data));
}

}  // namespace

void check_ssh(const CheckRun& run) {
  const std::optional<CheckedHost> checked = checked_host(run.server.config());
  if (!checked) return;
  const host::SshHost host(checked->route);
  const double seconds = std::chrono::duration<double>(run.deadline.item()).count();
  std::vector<std::string> argv = {"timeout", "--kill-after=1", fmt::format("{:.1f}", seconds)};
  for (const std::string& word : host.command({"true"})) argv.push_back(word);
  const ProcessResult result = run_process({.argv = argv});
  if (result.exit_code == kTimedOut) {
    return run.fail("ssh", fmt::format("'{}' has not answered within {:.1f} seconds. Try it by "
                                       "hand, as the user that runs barman",
                                       host.describe(), seconds));
  }
  const bool is_rsync = !run.server.config().is_passive();
  const bool is_talking = result.exit_code == 0 && !result.standard_output.empty();
  std::optional<Error> refusal;
  if (is_rsync && result.exit_code != kNoConnection && !is_talking) {
    // The files of the host do not matter: whether all of them may be read does.
    refusal = ask_rsync(run, "/", {"--exclude=/*"}, [](const backup::ListedFile&) {});
  }
  // A key for rsync only may refuse "true".
  const bool is_reached = result.exit_code == 0 || (is_rsync && !refusal);
  if (result.exit_code == kNoConnection || !(is_reached || is_of_key(refusal))) {
    const std::string reason = join(split_blanks(mask_passwords(result.standard_error)), " ");
    return run.fail("ssh",
                    fmt::format("Connection failed using '{}' return code {}{}", host.describe(),
                                result.exit_code, reason.empty() ? "" : ": " + reason));
  }
  if (refusal) return run.fail("ssh", fmt::format("{}. {}", refusal->describe(), refusal->hint()));
  run.pass("ssh", checked->hint);
  if (is_talking) {
    return run.fail(
        "ssh output clean",
        "the configured ssh_command must not add anything to the remote command output");
  }
  if (is_rsync) check_remote_label(run);
}

}  // namespace barman::check
