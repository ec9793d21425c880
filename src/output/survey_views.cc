#include "output/survey_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/shown_time.h"
#include "base/text.h"
#include "output/server_views.h"

namespace barman::output {
namespace {

using verify::Finding;
using verify::RecoveryWindow;

std::string_view severity_text(Finding::Severity severity) {
  return severity == Finding::Severity::error ? "error" : "notice";
}

std::uint64_t unexpected_holes(const verify::SurveyReport& report) {
  return static_cast<std::uint64_t>(
      std::count_if(report.holes.begin(), report.holes.end(),
                    [](const verify::WalHole& hole) { return !hole.is_expected; }));
}

std::string received_text(const RecoveryWindow& window) {
  if (!window.received) return "";
  return fmt::format(", and with what was received to {} (WAL {}, LSN {})",
                     shown_time(window.received->to_time), window.received->last_file,
                     wal::format_lsn(window.received->to_lsn));
}

std::string window_text(const RecoveryWindow& window) {
  return fmt::format(
             "timeline {}: from {} (backup {}, LSN {}) to {} (WAL {}, LSN {}), {} backup{}",
             window.timeline.value, window.from_time ? shown_time(*window.from_time) : "unknown",
             window.first_backup.value,
             window.from_lsn ? wal::format_lsn(*window.from_lsn) : "unknown",
             shown_time(window.to_time), window.last_segment, wal::format_lsn(window.to_lsn),
             window.backup_count, window.backup_count == 1 ? "" : "s") +
         received_text(window) + (window.abandoned.empty() ? "" : " (" + window.abandoned + ")");
}

std::string count_of_backups(const std::vector<catalogue::BackupId>& ids) {
  constexpr std::size_t kShownIds = 4;
  std::string text = fmt::format("{} backup{}", ids.size(), ids.size() == 1 ? "" : "s");
  if (ids.empty() || ids.size() > kShownIds) return text;
  std::vector<std::string> names;
  for (const catalogue::BackupId& id : ids) names.push_back(id.value);
  return fmt::format("{} ({})", text, join(names, ", "));
}

std::string branch_text(const catalogue::BranchRow& row) {
  std::string text = fmt::format("timeline {}", row.timeline.value);
  if (row.parent) text += fmt::format(" from {}", wal::format_lsn(row.forked_at));
  if (row.is_present) {
    text += ", the present";
  } else if (row.left_at) {
    text += fmt::format(", left at {} for timeline {}", wal::format_lsn(*row.left_at),
                        row.left_for.value);
  } else if (row.history_problem.empty()) {
    text += ", abandoned";
  }
  if (!row.history_problem.empty()) text += ", " + row.history_problem;
  if (!row.backups.empty() || row.abandoned_backups.empty()) {
    text += ": " + count_of_backups(row.backups);
  } else {
    text += ":";
  }
  if (!row.abandoned_backups.empty()) {
    text += fmt::format("{} {} abandoned", row.backups.empty() ? "" : ",",
                        count_of_backups(row.abandoned_backups));
  }
  return text;
}

}  // namespace

std::vector<std::string> branch_lines(const std::vector<catalogue::BranchRow>& rows) {
  std::vector<std::string> lines;
  std::vector<bool> goes_on;  // at each depth, whether another branch follows there
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t depth = rows[i].depth;
    std::size_t next = i + 1;
    while (next < rows.size() && rows[next].depth > depth) ++next;
    goes_on.resize(depth + 1);
    goes_on[depth] = next < rows.size() && rows[next].depth == depth;
    std::string line;
    for (std::size_t level = 1; level < depth; ++level) line += goes_on[level] ? "|  " : "   ";
    if (depth > 0) line += goes_on[depth] ? "|- " : "`- ";
    lines.push_back(line + branch_text(rows[i]));
  }
  return lines;
}

namespace {

JsonValue ids_json(const std::vector<catalogue::BackupId>& ids) {
  JsonValue json = JsonValue::array();
  for (const catalogue::BackupId& id : ids) json.push_back(JsonValue(id.value));
  return json;
}

JsonValue branches_json(const std::vector<catalogue::BranchRow>& rows) {
  JsonValue json = JsonValue::array();
  for (const catalogue::BranchRow& row : rows) {
    JsonValue entry = JsonValue::object();
    entry.add("timeline", row.timeline.value);
    entry.add("parent", row.parent ? JsonValue(row.parent->value) : JsonValue());
    entry.add("forked_at", row.parent ? JsonValue(wal::format_lsn(row.forked_at)) : JsonValue());
    entry.add("present", row.is_present);
    entry.add("leads_to_present", row.is_on_living_path);
    entry.add("left_at", row.left_at ? JsonValue(wal::format_lsn(*row.left_at)) : JsonValue());
    entry.add("last_segment", row.last_segment.empty() ? JsonValue() : JsonValue(row.last_segment));
    entry.add("problem",
              row.history_problem.empty() ? JsonValue() : JsonValue(row.history_problem));
    entry.add("backups", ids_json(row.backups));
    entry.add("abandoned_backups", ids_json(row.abandoned_backups));
    json.push_back(std::move(entry));
  }
  return json;
}

JsonValue window_json(const RecoveryWindow& window) {
  JsonValue json = JsonValue::object();
  json.add("timeline", window.timeline.value);
  json.add("first_backup", window.first_backup.value);
  json.add("backups", window.backup_count);
  json.add("from_time", window.from_time ? JsonValue(shown_time(*window.from_time)) : JsonValue());
  json.add("from_lsn",
           window.from_lsn ? JsonValue(wal::format_lsn(*window.from_lsn)) : JsonValue());
  json.add("to_segment", window.last_segment);
  json.add("to_lsn", wal::format_lsn(window.to_lsn));
  json.add("to_time", shown_time(window.to_time));
  if (window.received) {
    json.add("received_to_file", window.received->last_file);
    json.add("received_to_lsn", wal::format_lsn(window.received->to_lsn));
    json.add("received_to_time", shown_time(window.received->to_time));
  }
  if (!window.abandoned.empty()) json.add("abandoned", window.abandoned);
  return json;
}

JsonValue findings_json(const verify::SurveyReport& report) {
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

JsonValue survey_json(const verify::SurveyReport& report) {
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
  for (const verify::WalHole& hole : report.holes) {
    JsonValue entry = JsonValue::object();
    entry.add("first", hole.first);
    entry.add("last", hole.last);
    entry.add("count", hole.count);
    entry.add("expected", hole.is_expected);
    holes.push_back(std::move(entry));
  }
  json.add("holes", std::move(holes));
  if (!report.branches.empty()) json.add("branches", branches_json(report.branches));
  json.add("findings", findings_json(report));
  JsonValue not_looked_at = JsonValue::array();
  for (const std::string& text : report.not_looked_at) not_looked_at.push_back(text);
  json.add("not_looked_at", std::move(not_looked_at));
  return json;
}

}  // namespace

void write_survey(Reporter& reporter, std::string_view server, const verify::SurveyReport& report) {
  write_server_header(reporter, server);
  reporter.result_line(fmt::format("\tbackups: {}", report.backup_count));
  reporter.result_line(fmt::format("\tWAL files: {}, {}", report.wal_count,
                                   human_size(static_cast<std::int64_t>(report.wal_size_bytes))));
  if (report.windows.empty()) reporter.result_line("\trecoverable: nothing");
  for (const RecoveryWindow& window : report.windows) {
    reporter.result_line("\trecoverable: " + window_text(window));
  }
  for (const std::string& line : branch_lines(report.branches)) {
    reporter.result_line("\tbranches: " + line);
  }
  for (const verify::WalHole& hole : report.holes) {
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
