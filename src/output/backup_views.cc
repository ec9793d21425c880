#include "output/backup_views.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "output/row_writer.h"
#include "output/size_text.h"

namespace barman::output {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using catalogue::RetentionStatus;

constexpr std::string_view kTimelineWarning =
    "WAL information is inaccurate due to multiple timelines interacting with this backup";

std::string percentage(double ratio) { return fmt::format("{:.2f}%", ratio * 100); }
std::string hourly_rate(double per_second) { return fmt::format("{:.2f}/hour", per_second * 3600); }
std::string epoch_text(Timestamp time) { return fmt::to_string(time.seconds()); }

std::string ctime_text(const std::optional<Timestamp>& time) {
  return time ? format_ctime(*time) : "unknown";
}

// What does not stand out needs no word in the list.
std::string_view list_retention(RetentionStatus status) {
  return status == RetentionStatus::valid ? "-" : catalogue::retention_text(status);
}

std::string list_line(std::string_view server, const BackupListRow& row) {
  std::string line = fmt::format("{} {}", server, row.id.value);
  if (row.name) line += fmt::format(" '{}'", *row.name);
  line += fmt::format(" - {} - ", catalogue::type_letter(row.type));
  if (!row.sizes) return line.append(catalogue::status_text(row.status));
  line += fmt::format("{} - Size: {} - WAL Size: {}", ctime_text(row.sizes->end_time),
                      size_text(row.sizes->size_bytes), size_text(row.sizes->wal_size_bytes));
  if (row.status == BackupStatus::waiting_for_wals) {
    line.append(" - ").append(catalogue::status_text(row.status));
  }
  const std::string_view retention = list_retention(row.retention);
  return retention == "-" ? line : line.append(" - ").append(retention);
}

JsonValue list_json(const BackupListRow& row) {
  JsonValue json = JsonValue::object();
  json.add("backup_id", row.id.value);
  json.add("backup_type", catalogue::type_text(row.type));
  json.add("status", catalogue::status_text(row.status));
  if (row.name) json.add("backup_name", *row.name);
  if (!row.sizes) return json;
  const std::optional<Timestamp>& end = row.sizes->end_time;
  json.add("end_time", end ? JsonValue(format_ctime(*end)) : JsonValue());
  json.add("end_time_timestamp", end ? JsonValue(epoch_text(*end)) : JsonValue());
  json.add("size", size_text(row.sizes->size_bytes));
  json.add("size_bytes", row.sizes->size_bytes);
  json.add("wal_size", size_text(row.sizes->wal_size_bytes));
  json.add("wal_size_bytes", row.sizes->wal_size_bytes);
  json.add("retention_status", list_retention(row.retention));
  return json;
}

// The figures that text and JSON share.
struct CopyFigures {
  double seconds = 0;
  double analysis_seconds = 0;
  std::int64_t workers = 1;
  std::int64_t bytes_per_second = 0;
};

std::int64_t stored_bytes(const BackupInfo& backup) {
  return backup.deduplicated_size.value_or(backup.size.value_or(0));
}

std::optional<CopyFigures> copy_figures(const BackupInfo& backup) {
  const double seconds = backup.copy_stat("copy_time").value_or(0);
  if (seconds <= 0) return std::nullopt;
  return CopyFigures{
      .seconds = seconds,
      .analysis_seconds = backup.copy_stat("analysis_time").value_or(0),
      .workers = static_cast<std::int64_t>(backup.copy_stat("number_of_workers").value_or(1)),
      .bytes_per_second =
          static_cast<std::int64_t>(static_cast<double>(stored_bytes(backup)) / seconds)};
}

// What was not copied because an earlier backup has it.
struct SavedResources {
  std::int64_t size_bytes = 0;
  double ratio = 0;
};

std::optional<SavedResources> saved_resources(const BackupInfo& backup) {
  const catalogue::BackupType type = backup.type();
  if (type != catalogue::BackupType::rsync && type != catalogue::BackupType::incremental) {
    return std::nullopt;
  }
  const std::int64_t whole_bytes = backup.cluster_size.value_or(backup.size.value_or(0));
  const std::int64_t compared_bytes = type == catalogue::BackupType::rsync
                                          ? backup.size.value_or(0)
                                          : backup.cluster_size.value_or(0);
  SavedResources saved;
  if (compared_bytes > 0 && backup.deduplicated_size.value_or(0) > 0) {
    saved.ratio =
        1 - static_cast<double>(*backup.deduplicated_size) / static_cast<double>(compared_bytes);
    saved.size_bytes = static_cast<std::int64_t>(static_cast<double>(whole_bytes) * saved.ratio);
  }
  return saved;
}

std::optional<std::string> shown_compression(const BackupInfo& backup) {
  return backup.compression == "none" ? std::nullopt : backup.compression;
}

bool is_postgres_method(const BackupInfo& backup) {
  return catalogue::source_of(backup) == catalogue::SourceKind::postgres_stream;
}

std::string previous_text(const BackupDetails& details) {
  return details.previous ? details.previous->value : "- (this is the oldest base backup)";
}
std::string next_text(const BackupDetails& details) {
  return details.next ? details.next->value : "- (this is the latest base backup)";
}
std::string retention_row(const BackupDetails& details) {
  return details.retention ? std::string(catalogue::retention_text(*details.retention))
                           : "not enforced";
}

std::vector<std::string> timeline_texts(const BackupDetails& details) {
  std::vector<std::string> texts;
  for (const wal::TimelineId timeline : details.reachable_timelines) {
    texts.push_back(fmt::to_string(timeline.value));
  }
  return texts;
}
std::vector<std::string> id_texts(const std::vector<catalogue::BackupId>& ids) {
  std::vector<std::string> texts;
  for (const catalogue::BackupId& id : ids) texts.push_back(id.value);
  return texts;
}
std::optional<std::string> iso_text(const std::optional<Timestamp>& time) {
  return time ? std::optional(format_iso(*time)) : std::nullopt;
}
std::optional<std::string> lsn_text(const std::optional<wal::Lsn>& lsn) {
  return lsn ? std::optional(wal::format_lsn(*lsn)) : std::nullopt;
}
std::optional<std::uint32_t> timeline_number(const BackupInfo& backup) {
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  return timeline ? std::optional(timeline->value) : std::nullopt;
}
std::optional<std::string> last_wal(const BackupDetails& details) {
  return details.wal.last ? std::optional(details.wal.last->name) : std::nullopt;
}

void write_general(RowWriter& rows, std::string_view server, const BackupInfo& backup) {
  rows.line(fmt::format("Backup {}:", backup.id.value));
  rows.top_if("Backup Name", backup.backup_name);
  rows.top("Server Name", server);
  rows.top_if("System Id", backup.systemid);
  rows.top("Status", catalogue::status_text(backup.status));
  if (backup.is_copy_done()) {
    rows.top("PostgreSQL Version", text_or_none(backup.version));
    rows.top("PGDATA directory", text_or_none(backup.pgdata));
    if (backup.cluster_size) rows.top("Estimated Cluster Size", human_size(*backup.cluster_size));
  }
  rows.end_section();
}

void write_server_information(RowWriter& rows, const BackupInfo& backup) {
  const bool has_checksums = !backup.data_checksums.value_or("").empty();
  const bool has_summarizer = !backup.summarize_wal.value_or("").empty();
  if (!has_checksums && !has_summarizer) return;
  rows.begin_section("Server information");
  if (has_checksums) rows.nested("Checksums", *backup.data_checksums);
  if (has_summarizer) rows.nested("WAL summarizer", *backup.summarize_wal);
  rows.end_section();
}

void write_tablespaces(RowWriter& rows, const BackupInfo& backup) {
  if (backup.tablespaces.empty()) return;
  rows.begin_section("Tablespaces");
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    rows.nested(tablespace.name, fmt::format("{} (oid: {})", tablespace.location, tablespace.oid));
  }
  rows.end_section();
}

void write_copy(RowWriter& rows, const BackupInfo& backup) {
  const std::optional<CopyFigures> copy = copy_figures(backup);
  if (!copy) return;
  std::string time = human_duration(copy->seconds);
  if (copy->analysis_seconds >= 1) {
    time += fmt::format(" + {} startup", human_duration(copy->analysis_seconds));
  }
  std::string throughput = human_size(copy->bytes_per_second) + "/s";
  if (copy->workers > 1) throughput += fmt::format(" ({} jobs)", copy->workers);
  rows.nested("Copy time", time);
  rows.nested("Estimated throughput", throughput);
}

void write_base_information(RowWriter& rows, const BackupDetails& details) {
  const BackupInfo& backup = details.backup;
  const wal_archive::WalStatistics& wal = details.wal;
  rows.begin_section("Base backup information");
  rows.nested("Backup Method", text_or_none(backup.mode));
  if (backup.encryption) rows.nested("Encryption", *backup.encryption);
  if (is_postgres_method(backup)) rows.nested("Backup Type", catalogue::type_text(backup.type()));
  const std::int64_t size_bytes = stored_bytes(backup);
  std::string size = human_size(size_bytes);
  if (wal.wal_size > 0) {
    size += fmt::format(" ({} with WALs)",
                        human_size(size_bytes + static_cast<std::int64_t>(wal.wal_size)));
  }
  rows.nested("Backup Size", size);
  if (shown_compression(backup)) rows.nested("Backup Compression", *backup.compression);
  if (wal.wal_size > 0) rows.nested("WAL Size", size_text(wal.wal_size));
  if (const std::optional<SavedResources> saved = saved_resources(backup)) {
    rows.nested("Resources saved",
                fmt::format("{} ({})", human_size(saved->size_bytes), percentage(saved->ratio)));
  }
  rows.nested("Timeline", text_or_none(timeline_number(backup)));
  if (!details.abandoned.empty()) rows.nested("Branch", details.abandoned);
  rows.nested("Begin WAL", text_or_none(backup.begin_wal));
  rows.nested("End WAL", text_or_none(backup.end_wal));
  if (wal.wal_num > 0) rows.nested("Number of WALs", fmt::to_string(wal.wal_num));
  if (wal.wal_compression_ratio > 0) {
    rows.nested("WAL compression ratio", percentage(wal.wal_compression_ratio));
  }
  rows.nested("Begin time", text_or_none(iso_text(backup.begin_time)));
  rows.nested("End time", text_or_none(iso_text(backup.end_time)));
  write_copy(rows, backup);
  rows.nested("Begin Offset", text_or_none(backup.begin_offset));
  rows.nested("End Offset", text_or_none(backup.end_offset));
  rows.nested("Begin LSN", text_or_none(lsn_text(backup.begin_xlog)));
  rows.nested("End LSN", text_or_none(lsn_text(backup.end_xlog)));
  rows.end_section();
}

void write_wal_information(RowWriter& rows, const BackupDetails& details) {
  const wal_archive::WalStatistics& wal = details.wal;
  rows.begin_section("WAL information");
  rows.nested("Number of files", fmt::to_string(wal.wal_until_next_num));
  rows.nested("Disk usage", size_text(wal.wal_until_next_size));
  if (wal.wals_per_second > 0) rows.nested("WAL rate", hourly_rate(wal.wals_per_second));
  if (wal.wal_until_next_compression_ratio > 0) {
    rows.nested("Compression ratio", percentage(wal.wal_until_next_compression_ratio));
  }
  rows.nested("Last available", text_or_none(last_wal(details)));
  if (!details.reachable_timelines.empty()) {
    rows.nested("Reachable timelines", join(timeline_texts(details), ", "));
  }
  rows.end_section();
}

void write_catalog_information(RowWriter& rows, const BackupDetails& details) {
  rows.begin_section("Catalog information");
  rows.nested("Retention Policy", retention_row(details));
  rows.nested("Previous Backup", previous_text(details));
  rows.nested("Next Backup", next_text(details));
  if (!details.reachable_timelines.empty()) {
    rows.line("");
    rows.line(fmt::format("WARNING: {}", kTimelineWarning));
  }
  if (details.chain) {
    rows.nested("Root Backup", details.chain->root.value);
    rows.nested("Parent Backup", details.chain->parent.value);
    rows.nested("Backup chain size", fmt::to_string(details.chain->size));
  }
  if (is_postgres_method(details.backup) && !details.children.empty()) {
    rows.nested("Children Backup(s)", join(id_texts(details.children), ","));
  }
}

void write_details_text(Reporter& reporter, std::string_view server, const BackupDetails& details) {
  RowWriter rows(reporter);
  write_general(rows, server, details.backup);
  write_server_information(rows, details.backup);
  rows.top_if("Error", details.backup.error);
  if (!details.backup.is_copy_done()) return;
  write_tablespaces(rows, details.backup);
  write_base_information(rows, details);
  write_wal_information(rows, details);
  write_catalog_information(rows, details);
}

// "size": "22.4 MiB", "size_bytes": 23498832.
void add_size(JsonValue& json, const std::string& key, std::int64_t size_bytes) {
  json.add(key, human_size(size_bytes));
  json.add(key + "_bytes", size_bytes);
}
void add_time(JsonValue& json, const std::string& key, const std::optional<Timestamp>& time) {
  json.add(key, iso_text(time));
  json.add(key + "_timestamp", time ? JsonValue(epoch_text(*time)) : JsonValue());
}

void add_copy(JsonValue& json, const BackupInfo& backup) {
  const std::optional<CopyFigures> copy = copy_figures(backup);
  if (!copy) return;
  json.add("copy_time", human_duration(copy->seconds));
  json.add("copy_time_seconds", copy->seconds);
  if (copy->analysis_seconds >= 1) {
    json.add("analysis_time", human_duration(copy->analysis_seconds));
    json.add("analysis_time_seconds", copy->analysis_seconds);
  }
  json.add("number_of_workers", copy->workers);
  json.add("throughput", human_size(copy->bytes_per_second) + "/s");
  json.add("throughput_bytes", copy->bytes_per_second);
}

JsonValue base_information_json(const BackupDetails& details) {
  const BackupInfo& backup = details.backup;
  const wal_archive::WalStatistics& wal = details.wal;
  JsonValue json = JsonValue::object();
  json.add("backup_method", backup.mode);
  json.add("compression", shown_compression(backup));
  json.add("encryption", backup.encryption);
  const std::int64_t size_bytes = stored_bytes(backup);
  add_size(json, "backup_size", size_bytes);
  add_size(json, "backup_size_with_wals", size_bytes + static_cast<std::int64_t>(wal.wal_size));
  add_size(json, "wal_size", static_cast<std::int64_t>(wal.wal_size));
  json.add("wal_num", wal.wal_num);
  if (wal.wal_compression_ratio > 0) {
    json.add("wal_compression_ratio", percentage(wal.wal_compression_ratio));
  }
  if (const std::optional<SavedResources> saved = saved_resources(backup)) {
    add_size(json, "resources_saved", saved->size_bytes);
    json.add("resources_saved_percentage", percentage(saved->ratio));
  }
  json.add("timeline", timeline_number(backup));
  json.add("begin_wal", backup.begin_wal);
  json.add("end_wal", backup.end_wal);
  add_time(json, "begin_time", backup.begin_time);
  add_time(json, "end_time", backup.end_time);
  add_copy(json, backup);
  json.add("begin_offset", backup.begin_offset);
  json.add("end_offset", backup.end_offset);
  json.add("begin_lsn", lsn_text(backup.begin_xlog));
  json.add("end_lsn", lsn_text(backup.end_xlog));
  if (!details.abandoned.empty()) json.add("branch", details.abandoned);
  return json;
}

JsonValue wal_information_json(const BackupDetails& details) {
  const wal_archive::WalStatistics& wal = details.wal;
  JsonValue json = JsonValue::object();
  json.add("no_of_files", wal.wal_until_next_num);
  add_size(json, "disk_usage", static_cast<std::int64_t>(wal.wal_until_next_size));
  json.add("last_available", last_wal(details));
  const bool has_rate = wal.wals_per_second > 0;
  json.add("wal_rate", has_rate ? JsonValue(hourly_rate(wal.wals_per_second)) : JsonValue(0));
  json.add("wal_rate_per_second", has_rate ? JsonValue(wal.wals_per_second) : JsonValue(0));
  json.add("compression_ratio", wal.wal_until_next_compression_ratio > 0
                                    ? JsonValue(percentage(wal.wal_until_next_compression_ratio))
                                    : JsonValue(0));
  json.add("timelines", timeline_texts(details));
  if (!details.reachable_timelines.empty()) json.add("_WARNING", kTimelineWarning);
  return json;
}

JsonValue catalog_information_json(const BackupDetails& details) {
  JsonValue json = JsonValue::object();
  json.add("retention_policy", retention_row(details));
  json.add("previous_backup", previous_text(details));
  json.add("next_backup", next_text(details));
  if (details.chain) {
    json.add("root_backup_id", details.chain->root.value);
    json.add("parent_backup_id", details.chain->parent.value);
    json.add("chain_size", details.chain->size);
  }
  if (is_postgres_method(details.backup)) {
    json.add("children_backup_ids",
             details.children.empty() ? JsonValue() : JsonValue(id_texts(details.children)));
  }
  return json;
}

JsonValue tablespaces_json(const BackupInfo& backup) {
  JsonValue json = JsonValue::array();
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    JsonValue item = JsonValue::object();
    item.add("name", tablespace.name);
    item.add("location", tablespace.location);
    item.add("oid", tablespace.oid);
    json.push_back(std::move(item));
  }
  return json;
}

JsonValue details_json(const BackupDetails& details) {
  const BackupInfo& backup = details.backup;
  JsonValue json = JsonValue::object();
  json.add("backup_id", backup.id.value);
  json.add("status", catalogue::status_text(backup.status));
  if (backup.backup_name) json.add("backup_name", *backup.backup_name);
  if (backup.systemid) json.add("system_id", *backup.systemid);
  JsonValue server = JsonValue::object();
  server.add("data_checksums", backup.data_checksums);
  server.add("summarize_wal", backup.summarize_wal);
  json.add("server_information", std::move(server));
  if (!backup.is_copy_done()) {
    json.add("error", backup.error);
    return json;
  }
  // Of a usable one: corrupt pages that PostgreSQL found.
  if (backup.error) json.add("error", *backup.error);
  json.add("backup_type", catalogue::type_text(backup.type()));
  if (backup.cluster_size) add_size(json, "cluster_size", *backup.cluster_size);
  json.add("pgdata_directory", backup.pgdata);
  json.add("postgresql_version", backup.version);
  json.add("tablespaces", tablespaces_json(backup));
  json.add("base_backup_information", base_information_json(details));
  json.add("wal_information", wal_information_json(details));
  json.add("catalog_information", catalog_information_json(details));
  return json;
}

}  // namespace

void write_backup_list(Reporter& reporter, std::string_view server,
                       const std::vector<BackupListRow>& rows, ListStyle style) {
  if (reporter.is_json()) {
    JsonValue list = JsonValue::array();
    for (const BackupListRow& row : rows) {
      list.push_back(style == ListStyle::minimal ? JsonValue(row.id.value) : list_json(row));
    }
    reporter.add_json(server, std::move(list));
    return;
  }
  for (const BackupListRow& row : rows) {
    reporter.result_line(style == ListStyle::minimal ? row.id.value : list_line(server, row));
  }
}

void write_backup_details(Reporter& reporter, std::string_view server,
                          const BackupDetails& details) {
  write_details_text(reporter, server, details);
  reporter.add_json(server, details_json(details));
}

}  // namespace barman::output
