// receive-wal as a unit of systemd: `barman-receive-wal@SERVER.service`, as Debian's package of
// Barman names it. A unit is started again when it fails, and its log
// is in the journal.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "server/server.h"

namespace barman::server {

// Where systemd is looked for; other places are for tests.
struct SystemdHost {
  std::filesystem::path runtime_directory = "/run/systemd/system";
  std::filesystem::path processes = "/proc";
  std::string systemctl = "systemctl";
};

// The unit that would run the receiver of this server. nullopt without systemd, for a name that
// cannot be part of a unit, and when the configuration in use is not the one that a command without
// -c finds: the unit has no -c and would serve other servers.
std::optional<std::string> find_receiver_unit(const Server& server, const SystemdHost& host = {});

// The receiver unit that a process belongs to.
std::optional<std::string> find_unit_of_process(pid_t pid, const SystemdHost& host = {});

enum class UnitAction { start, stop };
// False when systemctl fails; the log tells why.
bool control_unit(const std::string& unit, UnitAction action, const SystemdHost& host = {});

}  // namespace barman::server
