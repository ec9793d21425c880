#include "output/survey_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "output/server_views.h"

namespace barman::output {
namespace {

using check::Finding;
using check::RecoveryWindow;

std::string_view severity_text(Finding::Severity severity) {
  return severity == Finding::Severity::error ? "error" : "notice";
}

std::uint64_t unexpected_holes(const check::SurveyReport& report) {
  return static_cast<std::uint64_t>(
      std::count_if(report.holes.begin(), report.holes.end(),
                    [](const check::WalHole& hole) { return !hole.is_expected; }));
}

std::string window_text(const RecoveryWindow& window) {
  return fmt::format(
      "timeline {}: from {} (backup {}, LSN {}) to {} (WAL {}, LSN {}), {} backup{}",
      window.timeline.value, window.from_time ? format_iso(*window.from_time) : "unknown",
      window.first_backup.value, window.from_lsn ? wal::format_lsn(*window.from_lsn) : "unknown",
      format_iso(window.to_time), window.last_segment, wal::format_lsn(window.to_lsn),
      window.backup_count, window.backup_count == 1 ? "" : "s");
}

JsonValue window_json(const RecoveryWindow& window) {
  JsonValue json = JsonValue::object();
  json.add("timeline", window.timeline.value);
  json.add("first_backup", window.first_backup.value);
  json.add("backups", window.backup_count);
  json.add("from_time", window.from_time ? JsonValue(format_iso(*window.from_time)) : JsonValue());
  json.add("from_lsn",
           window.from_lsn ? JsonValue(wal::format_lsn(*window.from_lsn)) : JsonValue());
  json.add("to_segment", window.last_segment);
  json.add("to_lsn", wal::format_lsn(window.to_lsn));
  json.add("to_time", format_iso(window.to_time));
  return json;
}

JsonValue findings_json(const check::SurveyReport& report) {
  JsonValue findings = JsonValue::array();
  for (const Finding& finding : report.findings) {
    JsonValue entry = JsonValue::object();
    entry.add("severity", severity_text(finding.severity));
    entry.add("object", finding.object);
    entry.add("reason", finding.reason);
    entry.add("next_step", finding.next_step);
    findings.push_back(std::move(entry));
  }
  return findings;
}

JsonValue survey_json(const check::SurveyReport& report) {
  JsonValue json = JsonValue::object();
  json.add("status", report.has_errors() ? "damaged" : "ok");
  json.add("backups", report.backup_count);
  json.add("wal_files", report.wal_count);
  json.add("wal_size_bytes", report.wal_size_bytes);
  json.add("continuous", unexpected_holes(report) == 0);
  JsonValue windows = JsonValue::array();
  for (const RecoveryWindow& window : report.windows) windows.push_back(window_json(window));
  json.add("windows", std::move(windows));
  JsonValue holes = JsonValue::array();
  for (const check::WalHole& hole : report.holes) {
    JsonValue entry = JsonValue::object();
    entry.add("first", hole.first);
    entry.add("last", hole.last);
    entry.add("count", hole.count);
    entry.add("expected", hole.is_expected);
    holes.push_back(std::move(entry));
  }
  json.add("holes", std::move(holes));
  json.add("findings", findings_json(report));
  JsonValue not_looked_at = JsonValue::array();
  for (const std::string& text : report.not_looked_at) not_looked_at.push_back(text);
  json.add("not_looked_at", std::move(not_looked_at));
  return json;
}

}  // namespace

void write_survey(Reporter& reporter, std::string_view server, const check::SurveyReport& report) {
  write_server_header(reporter, server);
  reporter.result_line(fmt::format("\tbackups: {}", report.backup_count));
  reporter.result_line(fmt::format("\tWAL files: {}, {}", report.wal_count,
                                   human_size(static_cast<std::int64_t>(report.wal_size_bytes))));
  if (report.windows.empty()) reporter.result_line("\trecoverable: nothing");
  for (const RecoveryWindow& window : report.windows) {
    reporter.result_line("\trecoverable: " + window_text(window));
  }
  for (const check::WalHole& hole : report.holes) {
    reporter.result_line(fmt::format("\thole: {} to {}, {} segment{}{}", hole.first, hole.last,
                                     hole.count, hole.count == 1 ? "" : "s",
                                     hole.is_expected ? " (no backup needs it)" : ""));
  }
  for (const Finding& finding : report.findings) {
    const bool is_error = finding.severity == Finding::Severity::error;
    reporter.result_line(fmt::format("\t{}: {}: {}. {}",
                                     reporter.colored(to_upper(severity_text(finding.severity)),
                                                      is_error ? Color::red : Color::yellow),
                                     finding.object, finding.reason, finding.next_step));
  }
  for (const std::string& text : report.not_looked_at) {
    reporter.result_line("\tnot looked at: " + text);
  }
  const auto errors = std::count_if(
      report.findings.begin(), report.findings.end(),
      [](const Finding& finding) { return finding.severity == Finding::Severity::error; });
  reporter.result_line(errors == 0 ? "\tresult: " + reporter.colored("OK", Color::green)
                                   : fmt::format("\tresult: {} ({} error{})",
                                                 reporter.colored("DAMAGED", Color::red), errors,
                                                 errors == 1 ? "" : "s"));
  reporter.add_json(server, survey_json(report));
}

}  // namespace barman::output
