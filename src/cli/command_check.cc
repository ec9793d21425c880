#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/hint.h"
#include "base/text.h"
#include "check/check_server.h"
#include "cli/bounded_work.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "facts/disk_space.h"
#include "facts/server_state.h"
#include "output/check_report.h"
#include "output/terminal.h"

namespace barman::cli {
namespace {

// After this the check is in a step that knows no time limit, a call into a file system or the
// archiving of WAL that has piled up: each question to PostgreSQL ends long before. WAL that is
// being archived is as safe as when the program is killed.
constexpr std::chrono::seconds kGrace{5};

class GatedMessages final : public Messages {
 public:
  GatedMessages(Messages& messages, const Gate& gate) : messages_(messages), gate_(gate) {}

  void debug(const std::string& text) override {
    gate_([&] { messages_.debug(text); });
  }
  void info(const std::string& text) override {
    gate_([&] { messages_.info(text); });
  }
  void warning(const std::string& text) override {
    gate_([&] { messages_.warning(text); });
  }
  void error(const std::string& text) override {
    gate_([&] { messages_.error(text); });
  }
  void exception(const std::string& text) override {
    gate_([&] { messages_.exception(text); });
  }

 private:
  Messages& messages_;
  const Gate& gate_;
};

// For people; "" when nobody can tell: what cannot be read is a row of check.
std::string space_text(const server::Server& server) {
  try {
    const auto space = facts::find_disk_space(server, server.catalogue().list_backups().backups);
    return space ? facts::describe_space(*space) : std::string();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return "";
  }
}

// Programs read the hints of Barman. A new server has nothing to ship before its first switch.
std::string hint_for_people(const check::CheckResult& result, const std::string& server) {
  if (result.ok || result.label != "WAL archive") return result.hint;
  return fmt::format(
      "{}; of a new server, ask for the first file: barman switch-wal --force "
      "--archive {}",
      result.hint, server);
}

// True when something has failed on a server that is in use.
bool check_one(CommandContext& context, const config::ServerConfig& config,
               output::CheckReport& report) {
  const auto server = std::make_shared<server::Server>(make_server(context, config));
  // Nothing that looks into the catalogue would tell the truth, or must make a new one there.
  if (const auto absence = server->find_absence(catalogue::NewCatalogue::is_made)) {
    report.add(
        {.label = "directories", .hint = with_hint_inside(absence->describe(), absence->hint())});
    report.end_server({});
    return config.active;
  }
  const std::chrono::seconds limit(
      context.arguments.find_integer("check_timeout").value_or(config.check_timeout));
  output::CheckPerformance performance;
  bool has_failed = false;
  const bool wants_space = is_for_people(context);
  std::string space;
  // Nothing of this function but copies and what the gate guards: it may be left behind.
  const bool is_done =
      run_bounded(limit.count() > 0 ? limit + kGrace : limit, [server, limit, wants_space, &context,
                                                               &report, &performance, &space,
                                                               &has_failed](const Gate& gate) {
        GatedMessages messages(context.reporter, gate);
        check::check_server(*server, limit, messages, [&](const check::CheckResult& result) {
          gate([&] {
            report.add({.label = result.label,
                        .ok = result.ok,
                        .hint = wants_space ? hint_for_people(result, server->name()) : result.hint,
                        .details = result.details});
            has_failed = has_failed || !result.ok;
          });
        });
        const std::string room = wants_space ? space_text(*server) : std::string();
        const check::SizeFacts facts = check::measure_last_backup(*server);
        gate([&] {
          space = room;
          performance = {.backup_size_bytes = facts.backup_size_bytes,
                         .wal_size_bytes = facts.wal_size_bytes};
        });
      });
  if (!is_done) {
    report.add({.label = "check timeout",
                .hint = fmt::format("barman check command timed out: a step did not end. Either a "
                                    "file system does not answer (look at the mounts of "
                                    "barman_home), or very much WAL waits to be archived (run "
                                    "'barman archive-wal {}')",
                                    config.name)});
  }
  report.end_server(performance);
  if (!space.empty()) context.reporter.result_line("\tdisk: " + space);
  return config.active && (has_failed || !is_done);
}

// For people only: programs read what check has always printed.
void tell_cure(CommandContext& context, const std::vector<std::string>& servers) {
  if (servers.empty() || context.reporter.format() != output::OutputFormat::console) return;
  if (!output::find_terminal(STDOUT_FILENO)) return;
  context.reporter.result_line("cure: barman doctor " + join(servers, " "));
}

}  // namespace

void run_check(CommandContext& context) {
  if (context.arguments.is_set("nagios")) context.reporter.use_nagios();
  output::CheckReport report(context.reporter);
  std::vector<std::string> failed;
  for_each_server(context, [&](const config::ServerConfig& config) {
    report.begin_server(config.name, facts::state_of(config));
    if (check_one(context, config, report)) failed.push_back(config.name);
  });
  tell_cure(context, failed);
}

}  // namespace barman::cli
