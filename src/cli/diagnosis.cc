#include "cli/diagnosis.h"

#include <sys/utsname.h>

#include <map>
#include <set>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/secrets.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "config/option_table.h"
#include "config/rendering.h"
#include "output/backup_fields.h"
#include "output/server_views.h"
#include "version.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::cli {
namespace {

namespace fs = std::filesystem;
using output::JsonValue;

JsonValue with_source(JsonValue value, std::string source, ConfigSources sources) {
  if (sources == ConfigSources::hidden) return value;
  JsonValue both = JsonValue::object();
  both.add("source", std::move(source));
  both.add("value", std::move(value));
  return both;
}

// Options whose text is a secret as a whole: a key, or a command line that prints a passphrase.
JsonValue masked_option(std::string_view key, const config::OptionValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr || text->empty()) return output::to_json(value);
  return config::mask_secret_option(key, *text);
}

// KEY=value lines of /etc/os-release, without quotes.
std::map<std::string, std::string> read_os_release() {
  std::map<std::string, std::string> facts;
  constexpr std::size_t kMostBytes = 65536;
  for (const std::string& line :
       split(find_and_read_file("/etc/os-release", kMostBytes, Links::follow).value_or(""), '\n')) {
    const std::size_t sign = line.find('=');
    if (sign == std::string::npos) continue;
    std::string_view value = strip(std::string_view(line).substr(sign + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    facts.emplace(line.substr(0, sign), value);
  }
  return facts;
}

// As lsb_release prints it.
std::string release_text() {
  std::map<std::string, std::string> facts = read_os_release();
  const std::string name = facts["NAME"];
  return fmt::format("Distributor ID:\t{}\nDescription:\t{}\nRelease:\t{}\nCodename:\t{}",
                     name.substr(0, name.find(' ')), facts["PRETTY_NAME"], facts["VERSION_ID"],
                     facts["VERSION_CODENAME"]);
}

std::string kernel_text() {
  utsname name = {};
  if (::uname(&name) != 0) return "";
  return fmt::format("{} {} {} {} {} GNU/Linux", name.sysname, name.nodename, name.release,
                     name.version, name.machine);
}

// The first line that a program prints about itself; empty when it is not installed.
std::string program_version(const std::vector<std::string>& argv) {
  try {
    const ProcessResult result =
        run_process({.argv = argv, .environment = {}, .standard_input = {}});
    const std::string& text =
        result.standard_output.empty() ? result.standard_error : result.standard_output;
    return result.exit_code == 0 ? text.substr(0, text.find('\n')) : "";
  } catch (const Error&) {
    // Not being there is what the empty text tells.
    return "";
  }
}

// From the files themselves: the index may be what is broken.
JsonValue last_wals(const server::Server& server) {
  JsonValue timelines = JsonValue::object();
  const wal_archive::WalArchive archive(server);
  for (const auto& [timeline, last] : archive.list_last_segments()) {
    const auto entry = archive.inspect(last);
    if (!entry) continue;
    JsonValue wal = JsonValue::object();
    wal.add("name", entry->name);
    wal.add("size", entry->size_bytes);
    wal.add("time", entry->mtime);
    wal.add("compression", entry->compression);
    wal.add("encryption", entry->encryption);
    timelines.add(wal::format_timeline(timeline), std::move(wal));
  }
  JsonValue wals = JsonValue::object();
  wals.add("last_archived_wal_per_timeline", std::move(timelines));
  return wals;
}

JsonValue list_backups(const server::Server& server, JsonValue& messages) {
  JsonValue backups = JsonValue::object();
  const catalogue::BackupList list = server.catalogue().list_backups();
  for (const catalogue::BackupInfo& backup : list.backups) {
    backups.add(backup.id.value, output::backup_fields(backup, output::TimeForm::iso));
  }
  for (const catalogue::BrokenBackup& broken : list.broken) {
    messages.push_back(fmt::format("backup {} is left out: {}", broken.id.value, broken.reason));
  }
  return backups;
}

JsonValue iso_time(const std::optional<Timestamp>& time) {
  return time ? JsonValue(format_iso(in_local_zone(*time), 'T')) : JsonValue();
}

// As show-servers has them, but for the values that a program reads here.
JsonValue live_values(const server::Server& server, const check::ServerFacts& facts) {
  JsonValue status = JsonValue::object();
  for (const auto& [key, value] : check::list_live_values(server, facts)) {
    status.add(key, output::to_json(value));
  }
  if (facts.size_bytes) status.add("current_size", static_cast<double>(*facts.size_bytes));
  if (facts.slot) {
    const std::optional<wal::Lsn>& lsn = facts.slot->restart_lsn;
    status.add("replication_slot",
               JsonValue::Array{facts.slot->name, facts.slot->active,
                                lsn ? JsonValue(wal::format_lsn(*lsn)) : JsonValue()});
  }
  if (facts.archiver) {
    status.add("last_archived_time", iso_time(facts.archiver->last_archived_time));
    status.add("last_failed_time", iso_time(facts.archiver->last_failed_time));
    status.add("stats_reset", iso_time(facts.archiver->stats_reset));
  }
  return status;
}

}  // namespace

JsonValue diagnose_configuration(const config::Configuration& configuration,
                                 ConfigSources sources) {
  const config::GlobalConfig& global = configuration.global();
  std::map<std::string, JsonValue> values;
  for (const auto& [key, text] : global.raw) values[key] = masked_option(key, {text});
  values["barman_lock_directory"] = global.barman_lock_directory;
  values["lock_directory_cleanup"] = global.lock_directory_cleanup;
  values["config_changes_queue"] = global.config_changes_queue;
  JsonValue document = JsonValue::object();
  for (auto& [key, value] : values) {
    document.add(key, with_source(std::move(value), configuration.global_source(key), sources));
  }
  JsonValue errors = JsonValue::array();
  for (const config::PathConflict& conflict : configuration.global_errors()) {
    errors.push_back(conflict.text);
  }
  document.add("errors_list", std::move(errors));
  return document;
}

JsonValue diagnose_models(const config::Configuration& configuration, ConfigSources sources) {
  JsonValue models = JsonValue::object();
  for (const auto& [name, model] : configuration.models()) {
    JsonValue options = JsonValue::object();
    const auto add = [&, &section = name](std::string_view key, JsonValue value) {
      options.add(
          std::string(key),
          with_source(std::move(value), configuration.section_source(section, key), sources));
    };
    for (const config::Option& option : config::server_options()) {
      if (!config::has_scope(option.scopes, config::Scope::model)) continue;
      const auto value = model.values.find(option.name);
      add(option.name,
          value == model.values.end()
              ? JsonValue()
              : masked_option(option.name, config::exported_value(option, value->second)));
    }
    add("cluster", model.cluster);
    add("model", true);
    JsonValue document = JsonValue::object();
    document.add("config", std::move(options));
    models.add(name, std::move(document));
  }
  return models;
}

JsonValue diagnose_system() {
  JsonValue system = JsonValue::object();
  system.add("barman_ver", std::string(kVersion));
  system.add("kernel_ver", kernel_text());
  // No interpreter is involved; the keys are those that readers know.
  system.add("python_executable", "");
  system.add("python_ver", "");
  system.add("release", release_text());
  system.add("rsync_ver", program_version({"rsync", "--version"}));
  system.add("ssh_ver", program_version({"ssh", "-V"}));
  system.add("timestamp", format_iso(now_local(), 'T'));
  return system;
}

JsonValue diagnose_server(const server::Server& server, const config::Configuration& configuration,
                          const check::ServerFacts& facts, ConfigSources sources) {
  const config::ServerConfig& config = server.config();
  JsonValue options = JsonValue::object();
  for (const auto& [key, value] : config::list_exported_options(config)) {
    options.add(key,
                with_source(masked_option(key, value), configuration.source(config, key), sources));
  }
  JsonValue messages = JsonValue(config.messages);
  JsonValue document = JsonValue::object();
  document.add("active_model", config.active_model);
  document.add("config", std::move(options));
  document.add("status", live_values(server, facts));
  const auto add_part = [&](const char* key, const auto& make) {
    try {
      document.add(key, make());
    } catch (const Error& error) {
      // A directory that cannot be read is part of the diagnosis.
      if (error.kind() == ErrorKind::interrupted) throw;
      messages.push_back(error.describe());
      document.add(key, JsonValue::object());
    }
  };
  add_part("backups", [&] { return list_backups(server, messages); });
  add_part("wals", [&] { return last_wals(server); });
  document.add("msg_list", std::move(messages));
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

}  // namespace barman::cli
