#include "output/diagnosis_views.h"

#include <utility>
#include <variant>

#include "base/secrets.h"
#include "output/backup_fields.h"
#include "output/server_views.h"
#include "version.h"
#include "wal/wal_file_name.h"

namespace barman::output {
namespace {

JsonValue options_json(const std::vector<facts::DiagnosedOption>& options, ConfigSources sources) {
  JsonValue json = JsonValue::object();
  for (const facts::DiagnosedOption& option : options) {
    JsonValue value = to_json(option.value);
    if (sources == ConfigSources::shown) {
      JsonValue both = JsonValue::object();
      both.add("source", option.source);
      both.add("value", std::move(value));
      value = std::move(both);
    }
    json.add(option.key, std::move(value));
  }
  return json;
}

JsonValue diagnosed_backups_json(const std::vector<catalogue::BackupInfo>& backups) {
  JsonValue json = JsonValue::object();
  for (const catalogue::BackupInfo& backup : backups) {
    json.add(backup.id.value, backup_fields(backup, TimeForm::iso));
  }
  return json;
}

JsonValue last_wals_json(const std::map<wal::TimelineId, wal_archive::WalIndexEntry>& wals) {
  JsonValue timelines = JsonValue::object();
  for (const auto& [timeline, entry] : wals) {
    JsonValue wal = JsonValue::object();
    wal.add("name", entry.name);
    wal.add("size", entry.size_bytes);
    wal.add("time", entry.mtime);
    wal.add("compression", entry.compression);
    wal.add("encryption", entry.encryption);
    timelines.add(wal::format_timeline(timeline), std::move(wal));
  }
  JsonValue json = JsonValue::object();
  json.add("last_archived_wal_per_timeline", std::move(timelines));
  return json;
}

void add_system_facts(JsonValue& system, const facts::SystemFacts& facts) {
  system.add("kernel_ver", facts.kernel);
  // No interpreter is involved; the keys are those that readers know.
  system.add("python_executable", "");
  system.add("python_ver", "");
  system.add("release", facts.release);
  system.add("rsync_ver", facts.rsync_version);
  system.add("ssh_ver", facts.ssh_version);
}

}  // namespace

JsonValue global_json(const facts::GlobalDiagnosis& diagnosis, ConfigSources sources) {
  JsonValue json = options_json(diagnosis.options, sources);
  json.add("errors_list", JsonValue(diagnosis.errors));
  return json;
}

JsonValue model_json(const std::vector<facts::DiagnosedOption>& options, ConfigSources sources) {
  JsonValue json = JsonValue::object();
  json.add("config", options_json(options, sources));
  return json;
}

JsonValue system_json(const facts::SystemFacts& facts, const Timestamp& now) {
  JsonValue system = JsonValue::object();
  system.add("barman_ver", std::string(kVersion));
  add_system_facts(system, facts);
  system.add("timestamp", format_iso(now, 'T'));
  return system;
}

JsonValue server_json(const facts::ServerDiagnosis& diagnosis, ConfigSources sources) {
  JsonValue status = JsonValue::object();
  for (const auto& [key, value] : diagnosis.live_values) status.add(key, to_json(value));
  JsonValue document = JsonValue::object();
  document.add("active_model", diagnosis.active_model);
  document.add("config", options_json(diagnosis.options, sources));
  document.add("status", std::move(status));
  if (diagnosis.remote_system) {
    JsonValue system = JsonValue::object();
    add_system_facts(system, *diagnosis.remote_system);
    document.add("system_info", std::move(system));
  }
  document.add("backups", diagnosis.backups ? diagnosed_backups_json(*diagnosis.backups)
                                            : JsonValue::object());
  document.add("wals",
               diagnosis.last_wals ? last_wals_json(*diagnosis.last_wals) : JsonValue::object());
  document.add("msg_list", JsonValue(diagnosis.messages));
  return document;
}

JsonValue without_secrets(const JsonValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.value())) return mask_secrets(*text);
  if (const auto* array = std::get_if<JsonValue::Array>(&value.value())) {
    JsonValue copy = JsonValue::array();
    for (const JsonValue& item : *array) copy.push_back(without_secrets(item));
    return copy;
  }
  if (const auto* object = std::get_if<JsonValue::Object>(&value.value())) {
    JsonValue copy = JsonValue::object();
    for (const JsonValue::Member& member : *object) {
      copy.add(member.key, without_secrets(member.value));
    }
    return copy;
  }
  return value;
}

}  // namespace barman::output
