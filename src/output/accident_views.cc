#include "output/accident_views.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "accident/undo.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "output/server_views.h"
#include "output/size_text.h"
#include "output/text_table.h"

namespace barman::output {
namespace {

using accident::Accident;
using accident::AccidentKind;
using accident::ChangedRelation;

constexpr std::size_t kShownRelations = 10;

std::string_view accident_kind_word(AccidentKind kind) {
  switch (kind) {
    case AccidentKind::dropped:
      return "dropped";
    case AccidentKind::truncated:
      return "truncated";
    case AccidentKind::rewritten:
      return "rewritten";
    case AccidentKind::rows_changed:
      return "rows_changed";
    case AccidentKind::database_dropped:
      return "database_dropped";
  }
  return "";
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string rows_text(std::uint64_t deleted, std::uint64_t updated) {
  std::vector<std::string> parts;
  if (deleted > 0) parts.push_back(counted(deleted, "row") + " deleted");
  if (updated > 0) parts.push_back(counted(updated, "row") + " updated");
  return join(parts, ", ");
}

std::string file_text(const wal::FileOfRelation& file) {
  return fmt::format("{}/{}/{}", file.tablespace, file.database, file.number);
}

std::optional<std::uint64_t> known_size(const Accident& accident) {
  std::optional<std::uint64_t> sum;
  for (const ChangedRelation& relation : accident.relations) {
    if (relation.is_dropped && relation.size_bytes) sum = sum.value_or(0) + *relation.size_bytes;
  }
  return sum;
}

std::string database_text(const Accident& accident) {
  if (!accident.database_name.empty()) return printable(accident.database_name);
  return accident.database == 0 ? "" : fmt::format("with OID {}", accident.database);
}

std::string headline(const Accident& accident) {
  const std::string files = counted(accident.dropped_files, "relation file");
  std::string text;
  switch (accident.kind) {
    case AccidentKind::dropped:
      text = "DROPPED: " + files;
      if (accident.is_without_table) text += " (of no table, as far as can be told: an index …)";
      break;
    case AccidentKind::truncated:
      text = "TRUNCATED: " + files;
      break;
    case AccidentKind::rewritten:
      text = "rewritten, nothing is lost: " + files;
      break;
    case AccidentKind::rows_changed:
      return "ROWS: " + rows_text(accident.deleted_rows, accident.updated_rows);
    case AccidentKind::database_dropped:
      return "DROPPED: database " + database_text(accident);
  }
  if (const auto size = known_size(accident)) {
    text += fmt::format(", {} in backup {}", size_text(*size), accident.backup_id);
  }
  const std::string rows = rows_text(accident.deleted_rows, accident.updated_rows);
  return rows.empty() ? text : text + "; " + rows;
}

std::string relation_text(const ChangedRelation& relation) {
  std::vector<std::string> parts;
  if (!relation.kind.empty()) parts.push_back(relation.kind);
  if (relation.size_bytes) parts.push_back(size_text(*relation.size_bytes));
  const std::string rows = rows_text(relation.deleted_rows, relation.updated_rows);
  if (!rows.empty()) parts.push_back(rows);
  std::string text =
      relation.name.empty() ? "file " + file_text(relation.file) : printable(relation.name);
  return parts.empty() ? text : fmt::format("{} ({})", text, join(parts, ", "));
}

// Quoted only where a shell would take it apart.
std::string server_word(const std::string& server) {
  const bool is_plain = std::ranges::all_of(server, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  return is_plain ? server : shell_quote(server);
}

// Of what was hit; who looks for a table wants to know that it may be one of these.
std::string unnamed_text(const Accident& accident) {
  const auto count = std::ranges::count_if(
      accident.relations, [](const ChangedRelation& relation) { return relation.name.empty(); });
  if (count == 0) return "";
  const std::string why =
      accident.backup_id.empty()
          ? "no backup has them, and the WAL that was read does not name them"
          : fmt::format(
                "backup {} does not have them, or cannot be read, and the WAL that was read "
                "does not name them: an earlier --from may",
                accident.backup_id);
  return fmt::format("not named: {} ({})", counted(static_cast<std::uint64_t>(count), "file"), why);
}

void write_accident(Reporter& reporter, const std::string& server, const Accident& accident) {
  std::string title =
      fmt::format("{}: LSN {}", shown_time(accident.time), wal::format_lsn(accident.stop_before));
  if (accident.transaction != 0) title += fmt::format(", transaction {}", accident.transaction);
  if (accident.kind != AccidentKind::database_dropped && accident.database != 0) {
    title += ", database " + database_text(accident);
  }
  reporter.result_line("\t" + title);
  reporter.result_line("\t\t" + headline(accident));
  for (std::size_t i = 0; i < std::min(accident.relations.size(), kShownRelations); ++i) {
    reporter.result_line("\t\t\t" + relation_text(accident.relations[i]));
  }
  if (accident.relations.size() > kShownRelations) {
    reporter.result_line(
        fmt::format("\t\t\tand {} more", accident.relations.size() - kShownRelations));
  }
  if (accident.kind == AccidentKind::rewritten) return;
  if (const std::string text = unnamed_text(accident); !text.empty())
    reporter.result_line("\t\t" + text);
  if (accident.backup_id.empty()) {
    reporter.result_line("\t\tno backup leads to the moment before it");
    return;
  }
  reporter.result_line("\t\tbefore it: barman " +
                       join(accident::undo_words(accident, server_word(server)), " "));
  if (accident.is_prepared) {
    reporter.result_line(fmt::format(
        "\t\tand there, since the transaction was prepared and holds its locks: ROLLBACK PREPARED "
        "with what SELECT gid FROM pg_prepared_xacts WHERE transaction = '{}' tells",
        accident.transaction));
  }
}

JsonValue relation_json(const ChangedRelation& relation) {
  JsonValue json = JsonValue::object();
  json.add("file", file_text(relation.file));
  json.add("name", relation.name.empty() ? JsonValue() : JsonValue(relation.name));
  json.add("kind", relation.kind.empty() ? JsonValue() : JsonValue(relation.kind));
  json.add("dropped", relation.is_dropped);
  json.add("deleted_rows", relation.deleted_rows);
  json.add("updated_rows", relation.updated_rows);
  json.add("size_bytes", relation.size_bytes);
  return json;
}

JsonValue accident_json(const std::string& server, const Accident& accident) {
  JsonValue json = JsonValue::object();
  json.add("kind", accident_kind_word(accident.kind));
  json.add("time", shown_time(accident.time));
  json.add("lsn", wal::format_lsn(accident.stop_before));
  json.add("timeline", accident.timeline.value);
  json.add("xid", accident.transaction == 0 ? JsonValue() : JsonValue(accident.transaction));
  json.add("prepared", accident.is_prepared);
  json.add("database_oid", accident.database);
  json.add("database",
           accident.database_name.empty() ? JsonValue() : JsonValue(accident.database_name));
  json.add("deleted_rows", accident.deleted_rows);
  json.add("updated_rows", accident.updated_rows);
  json.add("dropped_files", accident.dropped_files);
  json.add("created_files", accident.created_files);
  json.add("known_size_bytes", known_size(accident));
  JsonValue relations = JsonValue::array();
  for (const ChangedRelation& relation : accident.relations) {
    relations.push_back(relation_json(relation));
  }
  json.add("relations", std::move(relations));
  const bool can_be_undone = !accident.backup_id.empty();
  json.add("backup", can_be_undone ? JsonValue(accident.backup_id) : JsonValue());
  std::vector<std::string> words = accident::undo_words(accident, server);
  words.insert(words.begin(), "barman");
  json.add("command", can_be_undone ? JsonValue(words) : JsonValue());
  return json;
}

JsonValue time_json(const std::optional<Timestamp>& time) {
  return time ? JsonValue(shown_time(*time)) : JsonValue();
}

bool is_shown(const Accident& accident, const AccidentQuestion& question) {
  return question.shows_all || accident.kind != AccidentKind::rewritten;
}

std::string range_text(const accident::AccidentFilter& filter) {
  std::string text;
  if (filter.from) text += " from " + shown_time(*filter.from);
  if (filter.to) text += " to " + shown_time(*filter.to);
  return text;
}

}  // namespace

void write_accidents(Reporter& reporter, const std::string& server,
                     const accident::AccidentReport& report, const AccidentQuestion& question) {
  write_server_header(reporter, server);
  if (report.segment_count == 0) {
    reporter.result_line("\tno WAL is there to be read");
  } else {
    reporter.result_line(fmt::format("\tread: {} to {} ({}){}", report.first_segment,
                                     report.last_segment, counted(report.segment_count, "segment"),
                                     range_text(question.filter)));
  }
  JsonValue accidents = JsonValue::array();
  std::size_t shown = 0;
  for (const Accident& accident : report.accidents) {
    if (!is_shown(accident, question)) continue;
    ++shown;
    write_accident(reporter, server, accident);
    accidents.push_back(accident_json(server, accident));
  }
  if (shown == 0 && report.segment_count > 0) {
    reporter.result_line(
        fmt::format("\tno relation was dropped or truncated, and no transaction changed {} or more",
                    counted(question.filter.min_rows, "row")));
  }
  for (const std::string& text : report.unread) reporter.result_line("\tnot known: " + text);
  if (shown == 0 || question.names_time) {
    for (const std::string& text : report.beyond) reporter.result_line("\tnot here: " + text);
  }
  JsonValue json = JsonValue::object();
  json.add("from", time_json(question.filter.from));
  json.add("to", time_json(question.filter.to));
  json.add("min_rows", question.filter.min_rows);
  json.add("first_segment",
           report.first_segment.empty() ? JsonValue() : JsonValue(report.first_segment));
  json.add("last_segment",
           report.last_segment.empty() ? JsonValue() : JsonValue(report.last_segment));
  json.add("segments", report.segment_count);
  json.add("counted_from",
           report.counted_from ? JsonValue(wal::format_lsn(*report.counted_from)) : JsonValue());
  json.add("accidents", std::move(accidents));
  json.add("unread", JsonValue(report.unread));
  json.add("beyond", JsonValue(report.beyond));
  reporter.add_json(server, std::move(json));
}

}  // namespace barman::output
