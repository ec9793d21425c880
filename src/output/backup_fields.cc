#include "output/backup_fields.h"

#include <cstdint>
#include <string>
#include <variant>

#include "base/timestamp.h"
#include "catalogue/python_literal.h"
#include "wal/lsn.h"

namespace barman::output {
namespace {

using catalogue::BackupInfo;
using catalogue::PythonValue;

JsonValue from_python(const PythonValue& value) {
  if (const catalogue::PythonDict* dict = value.as_dict()) {
    JsonValue object = JsonValue::object();
    for (const catalogue::PythonItem& item : dict->items) {
      const std::string* key = item.key.as_text();
      object.add(key != nullptr ? *key : catalogue::repr_python(item.key), from_python(item.value));
    }
    return object;
  }
  if (const std::vector<PythonValue>* items = value.as_sequence()) {
    JsonValue array = JsonValue::array();
    for (const PythonValue& item : *items) array.push_back(from_python(item));
    return array;
  }
  if (const bool* flag = std::get_if<bool>(&value.value)) return *flag;
  if (const std::int64_t* integer = std::get_if<std::int64_t>(&value.value)) return *integer;
  if (const double* number = std::get_if<double>(&value.value)) return *number;
  if (const std::string* text = value.as_text()) return *text;
  return nullptr;
}

JsonValue time_or_null(const std::optional<Timestamp>& time, TimeForm form) {
  if (!time) return nullptr;
  return form == TimeForm::ctime ? format_ctime(*time) : format_iso(in_local_zone(*time), 'T');
}

JsonValue lsn_or_null(const std::optional<wal::Lsn>& lsn) {
  if (!lsn) return nullptr;
  return wal::format_lsn(*lsn);
}

JsonValue children_of(const BackupInfo& backup) {
  JsonValue ids;
  for (const catalogue::BackupId& id : backup.children_backup_ids) ids.push_back(id.value);
  return ids;
}

JsonValue tablespaces_of(const BackupInfo& backup) {
  JsonValue list;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    list.push_back(JsonValue::Array{tablespace.name, tablespace.oid, tablespace.location});
  }
  return list;
}

JsonValue included_files_of(const BackupInfo& backup) {
  if (backup.included_files.empty()) return nullptr;
  return backup.included_files;
}

void add_positions(JsonValue& fields, const BackupInfo& backup, TimeForm times) {
  fields.add("begin_offset", backup.begin_offset);
  fields.add("begin_time", time_or_null(backup.begin_time, times));
  fields.add("begin_wal", backup.begin_wal);
  fields.add("begin_xlog", lsn_or_null(backup.begin_xlog));
  fields.add("end_offset", backup.end_offset);
  fields.add("end_time", time_or_null(backup.end_time, times));
  fields.add("end_wal", backup.end_wal);
  fields.add("end_xlog", lsn_or_null(backup.end_xlog));
  fields.add("timeline", backup.timeline ? JsonValue(backup.timeline->value) : JsonValue());
}

void add_cluster(JsonValue& fields, const BackupInfo& backup) {
  fields.add("cluster_size", backup.cluster_size);
  fields.add("config_file", backup.config_file);
  fields.add("data_checksums", backup.data_checksums);
  fields.add("hba_file", backup.hba_file);
  fields.add("ident_file", backup.ident_file);
  fields.add("included_files", included_files_of(backup));
  fields.add("pgdata", backup.pgdata);
  fields.add("server_name", backup.server_name);
  fields.add("summarize_wal", backup.summarize_wal);
  fields.add("systemid", backup.systemid);
  fields.add("tablespaces", tablespaces_of(backup));
  fields.add("version", backup.version);
  fields.add("xlog_segment_size", backup.xlog_segment_size.bytes);
}

}  // namespace

JsonValue backup_fields(const BackupInfo& backup, TimeForm times) {
  JsonValue fields = JsonValue::object();
  add_positions(fields, backup, times);
  add_cluster(fields, backup);
  fields.add("backup_id", backup.id.value);
  fields.add("backup_label", backup.backup_label
                                 ? JsonValue(catalogue::repr_python(*backup.backup_label))
                                 : JsonValue());
  if (backup.backup_name) fields.add("backup_name", *backup.backup_name);
  fields.add("children_backup_ids", children_of(backup));
  fields.add("compression", backup.compression);
  fields.add("copy_stats", backup.copy_stats ? from_python(*backup.copy_stats) : JsonValue());
  fields.add("deduplicated_size", backup.deduplicated_size);
  fields.add("encryption", backup.encryption);
  fields.add("error", backup.error);
  fields.add("mode", backup.mode);
  fields.add("parent_backup_id",
             backup.parent_backup_id ? JsonValue(backup.parent_backup_id->value) : JsonValue());
  fields.add("size", backup.size);
  if (backup.snapshots_info) fields.add("snapshots_info", from_python(*backup.snapshots_info));
  fields.add("status", catalogue::status_text(backup.status));
  return fields;
}

void write_backup_fields(Reporter& reporter, const BackupInfo& backup) {
  if (!reporter.is_json()) return;
  const JsonValue fields = backup_fields(backup, TimeForm::ctime);
  for (const JsonValue::Member& member : std::get<JsonValue::Object>(fields.value())) {
    reporter.add_json(member.key, member.value);
  }
}

}  // namespace barman::output
