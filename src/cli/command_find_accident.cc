#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "accident/find_accidents.h"
#include "accident/live_names.h"
#include "accident/name_accidents.h"
#include "accident/undo.h"
#include "base/error.h"
#include "base/hint.h"
#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "output/accident_views.h"
#include "wal_archive/read_branches.h"

namespace barman::cli {
namespace {

constexpr std::size_t kMostReaders = 8;
constexpr std::int64_t kUsualMinRows = 10000;
constexpr std::int64_t kUsualHours = 24;
constexpr std::int64_t kHour = 3600LL * 1'000'000;

std::optional<Timestamp> moment_option(const ParsedArguments& arguments, std::string_view option) {
  const std::optional<std::string> text = arguments.find(std::string(option));
  if (!text) return std::nullopt;
  const std::optional<ParsedTimestamp> parsed = parse_timestamp(*text);
  if (!parsed) {
    const std::string wrong = find_wrong_part(*text);
    throw Error(ErrorKind::usage,
                fmt::format("--{}: '{}' is not a time{}", option, *text,
                            wrong.empty() ? "" : ": there is no " + wrong),
                "Give it like '2026-11-21 14:05:00', with +01:00 behind it for another zone than "
                "that of this host.");
  }
  return parsed->time;
}

output::AccidentQuestion read_question(CommandContext& context, const server::Server& server) {
  output::AccidentQuestion question = {.filter = {.from = moment_option(context.arguments, "from"),
                                                  .to = moment_option(context.arguments, "to")}};
  accident::AccidentFilter& filter = question.filter;
  question.names_time = filter.from || filter.to;
  filter.min_rows = static_cast<std::uint64_t>(
      context.arguments.find_integer("min_rows").value_or(kUsualMinRows));
  question.shows_all = context.arguments.is_set("all");
  if (!filter.from) {
    Timestamp from = filter.to.value_or(server.clock().now());
    from.microseconds -= kUsualHours * kHour;
    filter.from = from;
  }
  if (filter.to && *filter.to < *filter.from) {
    throw Error(ErrorKind::usage, "--to is a time before --from", "Exchange the two.");
  }
  return question;
}

void keep_database(const std::optional<std::string>& database,
                   std::vector<accident::Accident>& accidents) {
  if (!database) return;
  std::erase_if(accidents, [&](const accident::Accident& accident) {
    return accident.database_name != *database && std::to_string(accident.database) != *database;
  });
}

wal::SegmentSize segment_size_of(const catalogue::BackupList& list, const server::Server& server) {
  const auto newest =
      std::find_if(list.backups.rbegin(), list.backups.rend(),
                   [](const catalogue::BackupInfo& backup) { return backup.is_copy_done(); });
  if (newest != list.backups.rend()) return newest->xlog_segment_size;
  if (const auto size = accident::find_segment_size(server)) return *size;
  throw Error(
      ErrorKind::not_found,
      fmt::format("Server '{}' has neither a backup nor WAL that could be read", server.name()),
      fmt::format("'barman check {}' tells why no WAL arrives.", server.name()));
}

// What happened is told all the same, since somebody may have a copy elsewhere.
void warn_of_no_backup(CommandContext& context, const catalogue::BackupList& list,
                       const server::Server& server) {
  const bool has_one = std::ranges::any_of(
      list.backups, [](const catalogue::BackupInfo& backup) { return backup.is_copy_done(); });
  if (has_one) return;
  context.reporter.warning(with_hint(
      fmt::format("Server '{}' has no backup: what is listed cannot be restored with it, and "
                  "relations have names only as far as the WAL or PostgreSQL tell them",
                  server.name()),
      fmt::format("Take one with 'barman backup {}', for what comes next.", server.name())));
}

}  // namespace

void run_find_accident(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const output::AccidentQuestion question = read_question(context, server);
  const catalogue::KnownBackups known = server.catalogue().load();
  const catalogue::BackupList& list = known.list;
  const accident::WalHistory history(server, segment_size_of(list, server));
  const std::size_t workers =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostReaders);
  warn_of_no_backup(context, list, server);
  const ShownWork work = {
      .task = "find-accident",
      .object = "",
      .remains = fmt::format("Nothing was changed, and nothing is known yet: 'barman "
                             "find-accident {}' begins anew; --from and --to read less WAL.",
                             server.name())};
  accident::AccidentReport report = run_shown(context, server, work, [&](Progress& progress) {
    accident::AccidentReport found =
        accident::find_accidents(history, question.filter, workers, progress);
    accident::choose_backups(list, known.annotations,
                             wal_archive::read_branches(server, list.backups), found.accidents);
    accident::name_accidents(server, found.names, found.accidents);
    accident::ask_for_names(server, found.accidents);
    accident::name_by_reading_through(server, found.names, found.accidents, progress);
    return found;
  });
  keep_database(context.arguments.find("database"), report.accidents);
  output::write_accidents(context.reporter, config->name, report, question);
  // What could not be read may have held what was looked for.
  if (!report.unread.empty()) context.reporter.mark_failed();
}

}  // namespace barman::cli
