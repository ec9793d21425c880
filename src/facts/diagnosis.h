// What `diagnose` tells: everything known about the configuration, the host and each server. What
// is broken is left out or told in `messages`; nothing here fails because of one server. The
// document is made of it in output/diagnosis_views.h.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "config/configuration.h"
#include "config/rendering.h"
#include "facts/server_facts.h"
#include "host/host.h"
#include "server/server.h"
#include "wal/lsn.h"
#include "wal_archive/wal_index.h"

namespace barman::facts {

// Keys and commands that print a passphrase are masked.
struct DiagnosedOption {
  std::string key;
  config::OptionValue value;
  // The file that defines it, or "default".
  std::string source;
};

struct GlobalDiagnosis {
  std::vector<DiagnosedOption> options;
  // Servers that share a directory.
  std::vector<std::string> errors;
};
GlobalDiagnosis diagnose_configuration(const config::Configuration& configuration);

// The options of each model; null where it sets none.
std::map<std::string, std::vector<DiagnosedOption>> diagnose_models(
    const config::Configuration& configuration);

// The host and what runs there.
struct SystemFacts {
  std::string kernel;
  // As lsb_release prints it.
  std::string release;
  // The first line that the program prints about itself; "" when it is not installed.
  std::string rsync_version;
  std::string ssh_version;
};
SystemFacts gather_system_facts();
// The same of another host, which needs a shell for it; nullopt when it has not answered in time,
// or lets nobody ask.
std::optional<SystemFacts> find_system_facts(const host::Host& host, std::chrono::seconds limit);

struct ServerDiagnosis {
  std::optional<std::string> active_model;
  std::vector<DiagnosedOption> options;
  // As show-servers has them, but for the values that a program reads here.
  config::ShownOptions live_values;
  // nullopt: they could not be read.
  std::optional<std::vector<catalogue::BackupInfo>> backups;
  // The last one of each timeline, from the files themselves: the index may be what is broken.
  std::optional<std::map<wal::TimelineId, wal_archive::WalIndexEntry>> last_wals;
  std::vector<std::string> messages;
  // The host that ssh_command leads to.
  std::optional<SystemFacts> remote_system;
};
// `facts` are those of gather_server_facts().
ServerDiagnosis diagnose_server(const server::Server& server,
                                const config::Configuration& configuration,
                                const ServerFacts& facts);

}  // namespace barman::facts
