#include "output/archive_views.h"

#include <fmt/format.h>

#include "base/hint.h"
#include "output/server_views.h"

namespace barman::output {

void write_archive_check(Reporter& reporter, std::string_view server,
                         const std::optional<std::string>& problem) {
  write_server_header(reporter, server);
  if (problem) {
    reporter.add_json(server, JsonValue::object());
    reporter.error(with_hint(
        fmt::format("WAL archive check failed for server {}: {}", server, *problem),
        "The archive has WAL already. A new cluster needs a server of its own, or 'barman "
        "follow-upgrade' after pg_upgrade; after a failover give --timeline."));
    return;
  }
  const std::string passed = fmt::format("WAL archive check for server {} passed", server);
  reporter.result_line(" - " + passed);
  reporter.add_json(server, passed);
}

void write_wal_range_check(Reporter& reporter, std::string_view server,
                           const CheckedWalRange& range,
                           const std::optional<std::vector<std::string>>& missing) {
  write_server_header(reporter, server);
  JsonValue document = JsonValue::object();
  document.add("begin_wal", range.begin_wal);
  document.add("end_wal", range.end_wal);
  if (missing) {
    reporter.debug(
        fmt::format("\tChecking WAL sequence from {} to {}", range.begin_wal, range.end_wal));
    document.add("missing_wals", *missing);
  }
  reporter.add_json(server, std::move(document));
  const std::string title = fmt::format("\tWAL sequence check for server {}: ", server);
  if (!missing) {
    reporter.error(
        fmt::format("No backup found for server '{}': cannot determine WAL segment size", server));
  } else if (missing->empty()) {
    reporter.result_line(title + "all segments are present");
  } else {
    reporter.result_line(fmt::format("{}{} missing segment(s):", title, missing->size()));
    for (const std::string& name : *missing) reporter.result_line("\t\t" + name);
    reporter.error(fmt::format(
        "WAL sequence check failed for server '{}': {} missing segment(s) in range {}..{}", server,
        missing->size(), range.begin_wal, range.end_wal));
  }
}

void write_processes(Reporter& reporter, std::string_view server,
                     const std::vector<catalogue::ServerProcess>& processes,
                     const std::vector<std::string>& work) {
  JsonValue list = JsonValue::array();
  reporter.result_line(processes.empty() && work.empty()
                           ? fmt::format("No active subprocesses found for server {}.", server)
                           : fmt::format("Active subprocesses for server {}:", server));
  for (const catalogue::ServerProcess& process : processes) {
    reporter.result_line(fmt::format("{} {}", process.pid, process.task));
    JsonValue entry = JsonValue::object();
    entry.add("name", process.task);
    entry.add("pid", process.pid);
    list.push_back(std::move(entry));
  }
  for (const std::string& line : work) reporter.result_line(line);
  reporter.add_json(server, std::move(list));
}

}  // namespace barman::output
