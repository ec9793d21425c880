#include "cloud_cli/cloud_views.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "output/backup_fields.h"
#include "output/json_value.h"

namespace barman::cloud_cli {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using output::JsonValue;

constexpr std::int64_t kMicros = 1'000'000;

std::string without_fraction(const std::optional<Timestamp>& time) {
  if (!time) return "";
  Timestamp whole = *time;
  whole.microseconds = whole.seconds() * kMicros;
  return format_naive(whole);
}

std::string archival_status(const BackupInfo& backup, const catalogue::Annotations& annotations) {
  if (backup.status != BackupStatus::done) {
    return std::string(catalogue::status_text(backup.status));
  }
  const auto keep = annotations.keeps.find(backup.id);
  if (keep == annotations.keeps.end()) return "";
  return "KEEP:" + to_upper(catalogue::keep_text(keep->second));
}

std::string list_row(std::string_view id, std::string_view end_time, std::string_view begin_wal,
                     std::string_view status, std::string_view name) {
  return fmt::format("{:<20}{:<25}{:<30}{:<17}{:<20}\n", id, end_time, begin_wal, status, name);
}

// The fields in alphabetical order, then the ID, then times in ISO form.
JsonValue json_of(const BackupInfo& backup) {
  JsonValue fields = output::backup_fields(backup, output::TimeForm::ctime);
  auto members = std::get<JsonValue::Object>(fields.value());
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  JsonValue object = JsonValue::object();
  for (JsonValue::Member& member : members) {
    if (member.key != "backup_id") object.add(member.key, std::move(member.value));
  }
  object.add("backup_id", backup.id.value);
  if (backup.begin_time) object.add("begin_time_iso", format_iso(*backup.begin_time, 'T'));
  if (backup.end_time) object.add("end_time_iso", format_iso(*backup.end_time, 'T'));
  return object;
}

std::string line_of(const JsonValue& value) {
  return output::dump(value, {.order = output::KeyOrder::as_added}) + "\n";
}

// The rows of show.
class ShowText {
 public:
  void title(const std::string& id) { text_ += fmt::format("Backup {}:\n", id); }
  // Nothing without a value.
  void row(std::string_view label, const std::optional<std::string>& value) {
    if (value) text_ += fmt::format("  {:<23}: {}\n", label, *value);
  }
  void inner_row(std::string_view label, const std::optional<std::string>& value) {
    if (value) text_ += fmt::format("    {:<21}: {}\n", label, *value);
  }
  void section(std::string_view name) { text_ += fmt::format("  {}:\n", name); }
  void blank() { text_ += "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

template <typename T>
std::optional<std::string> text_of_number(const std::optional<T>& value) {
  return value ? std::optional(fmt::format("{}", *value)) : std::nullopt;
}

std::optional<std::string> text_of_lsn(const std::optional<wal::Lsn>& lsn) {
  return lsn ? std::optional(wal::format_lsn(*lsn)) : std::nullopt;
}

std::optional<std::string> text_of_time(const std::optional<Timestamp>& time) {
  return time ? std::optional(format_iso(*time)) : std::nullopt;
}

void show_server(const BackupInfo& backup, ShowText& text) {
  if (!backup.data_checksums && !backup.summarize_wal) return;
  text.section("Server information");
  text.inner_row("Checksums", backup.data_checksums);
  text.inner_row("WAL summarizer", backup.summarize_wal);
  text.blank();
}

void show_base_backup(const BackupInfo& backup, ShowText& text) {
  text.section("Base backup information");
  text.inner_row("Backup Method", backup.mode);
  if (backup.timeline) text.inner_row("Timeline", std::to_string(backup.timeline->value));
  text.inner_row("Begin WAL", backup.begin_wal);
  text.inner_row("End WAL", backup.end_wal);
  text.inner_row("Begin time", text_of_time(backup.begin_time));
  text.inner_row("End time", text_of_time(backup.end_time));
  if (const auto seconds = backup.copy_stat("copy_time")) {
    text.inner_row("Copy time", human_duration(*seconds));
  }
  text.inner_row("Begin Offset", text_of_number(backup.begin_offset));
  text.inner_row("End Offset", text_of_number(backup.end_offset));
  text.inner_row("Begin LSN", text_of_lsn(backup.begin_xlog));
  text.inner_row("End LSN", text_of_lsn(backup.end_xlog));
  text.blank();
}

void show_tablespaces(const BackupInfo& backup, ShowText& text) {
  if (backup.tablespaces.empty()) return;
  text.section("Tablespaces");
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    text.inner_row(tablespace.name,
                   fmt::format("{} (oid: {})", tablespace.location, tablespace.oid));
  }
  text.blank();
}

}  // namespace

std::string cloud_list_text(const cloud::CloudBackups& backups) {
  std::string text = list_row("Backup ID", "End Time", "Begin Wal", "Archival Status", "Name");
  for (const BackupInfo& backup : backups.list.backups) {
    text +=
        list_row(backup.id.value, without_fraction(backup.end_time), backup.begin_wal.value_or(""),
                 archival_status(backup, backups.annotations), backup.backup_name.value_or(""));
  }
  return text;
}

std::string cloud_list_json(const cloud::CloudBackups& backups) {
  JsonValue list = JsonValue::array();
  for (const BackupInfo& backup : backups.list.backups) list.push_back(json_of(backup));
  JsonValue document = JsonValue::object();
  document.add("backups_list", std::move(list));
  return line_of(document);
}

std::string cloud_show_text(const BackupInfo& backup) {
  ShowText text;
  const bool is_complete = backup.is_copy_done();
  text.title(backup.id.value);
  text.row("Backup Name", backup.backup_name);
  text.row("Server Name", backup.server_name);
  text.row("System Id", backup.systemid);
  text.row("Status", std::string(catalogue::status_text(backup.status)));
  if (is_complete) {
    text.row("PostgreSQL Version", text_of_number(backup.version));
    text.row("PGDATA directory", backup.pgdata);
    if (backup.cluster_size) {
      text.row("Estimated Cluster Size", human_size(*backup.cluster_size));
    }
  }
  text.blank();
  show_server(backup, text);
  if (is_complete) {
    show_tablespaces(backup, text);
    show_base_backup(backup, text);
  }
  text.row("Error", backup.error);
  return text.take();
}

std::string cloud_show_json(const BackupInfo& backup) {
  JsonValue document = JsonValue::object();
  document.add(backup.server_name.value_or("cloud"), json_of(backup));
  return line_of(document);
}

}  // namespace barman::cloud_cli
