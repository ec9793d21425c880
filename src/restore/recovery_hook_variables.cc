#include "restore/recovery_hook_variables.h"

#include <map>

#include "base/json_text.h"
#include "base/text.h"
#include "server/server_hooks.h"

namespace barman::restore {
namespace {

// With the blanks of Python's json.dumps(); values are JSON already.
std::string json_object(const std::map<std::string, std::string>& members) {
  if (members.empty()) return {};
  std::vector<std::string> parts;
  parts.reserve(members.size());
  for (const auto& [key, value] : members) parts.push_back(json_string(key) + ": " + value);
  return "{" + join(parts, ", ") + "}";
}

}  // namespace

std::string recover_options_json(const RestoreRequest& request) {
  const TargetRequest& target = request.target;
  std::map<std::string, std::string> members;
  const auto add = [&](const char* key, const std::optional<std::string>& value) {
    if (value && !value->empty()) members[key] = json_string(*value);
  };
  const auto add_flag = [&](const char* key, bool is_set) {
    if (is_set) members[key] = "true";
  };
  add("recovery_conf_filename", request.recovery_conf_filename);
  add("recovery_instance", request.snapshot_recovery_instance);
  add("recovery_option_port", request.recovery_option_port);
  add("target_action", target.action);
  add("target_lsn", target.lsn);
  add("target_name", target.name);
  add("target_time", target.time);
  add("target_xid", target.xid);
  add_flag("exclusive", target.exclusive);
  add_flag("standby_mode", request.standby_mode);
  add_flag("target_immediate", target.immediate);
  if (target.timeline) {
    const bool is_number = target.timeline->kind == wal::TimelineTarget::Kind::number;
    members["target_tli"] =
        is_number ? target.timeline->text() : json_string(target.timeline->text());
  }
  return json_object(members);
}

server::HookVariables hook_variables(const server::Server& server,
                                     const catalogue::BackupInfo& backup,
                                     const RestoreRequest& request,
                                     const Relocations& relocations) {
  std::map<std::string, std::string> tablespaces;
  for (const auto& [name, location] : relocations) tablespaces[name] = json_string(location);
  server::HookVariables variables =
      server::backup_hook_variables(server, server.catalogue().list_backups().backups, backup);
  variables["BARMAN_DESTINATION_DIRECTORY"] = request.destination;
  variables["BARMAN_TABLESPACES"] = json_object(tablespaces);
  variables["BARMAN_REMOTE_COMMAND"] = request.remote_ssh_command.value_or("");
  variables["BARMAN_RECOVER_OPTIONS"] = recover_options_json(request);
  return variables;
}

}  // namespace barman::restore
