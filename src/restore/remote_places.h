// The directories of a restore onto another host: looked at, made and completed there by short
// shell scripts. What they need there: a POSIX shell, `ls`, `mkdir`, `rm`, `ln`, `mv`, `chmod`,
// `sync` and `tar`; `df`, when it is there, tells the space. To update what is there: also `cat`,
// `find`, `od`, `sha256sum`, `stat` and `xargs`, those of GNU or BusyBox.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "host/host.h"
#include "restore/build_plan.h"
#include "restore/restore_facts.h"
#include "restore/restore_marker.h"
#include "restore/restore_plan.h"

namespace barman::restore {

// Where --remote-ssh-command leads.
host::SshHost destination_host(const std::string& remote_ssh_command);

// As inspect_places(), there; nothing is changed. Throws `remote` when the host is not reached or
// lacks a program.
void inspect_remote_places(const host::Host& host, const RestoreRequest& request,
                           const Relocations& relocations, RestoreFacts& facts,
                           const Interrupt& interrupt);

// One of several, in the order of the request; see kInspect.
std::vector<DirectoryFacts> parse_remote_facts(const std::string& answer);

// The marker of a restore that was interrupted there; nullopt when there is none.
std::optional<RestoreMarker> find_remote_marker(const host::Host& host,
                                                const std::string& destination,
                                                const Interrupt& interrupt);

// The links of the plan's tablespaces, in a data directory that has none any more.
void link_remote_tablespaces(const host::Host& host, const RestorePlan& plan,
                             const Interrupt& interrupt);
void make_remote_directories(const host::Host& host,
                             const std::vector<std::filesystem::path>& directories,
                             const std::string& mode, const Interrupt& interrupt);
void set_remote_modes(const host::Host& host, const std::vector<std::filesystem::path>& paths,
                      const std::string& mode, const Interrupt& interrupt);

// The markers go away when everything in these directories is durable, then `waiting` in the first
// one gets its name `final`. Throws `remote`.
void complete_remote_places(const host::Host& host,
                            const std::vector<std::filesystem::path>& places,
                            const std::string& waiting, const std::string& final,
                            const Interrupt& interrupt);

}  // namespace barman::restore
