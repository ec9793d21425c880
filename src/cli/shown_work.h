// Long work of a command: list-processes, status and show-backup tell elsewhere how far it is, and
// who interrupts it is told what it leaves behind and what goes on with it.
#pragma once

#include <string>
#include <utility>

#include "base/remains.h"
#include "cli/command_context.h"
#include "server/published_progress.h"
#include "server/server.h"

namespace barman::cli {

struct ShownWork {
  std::string task;     // "restore"
  std::string object;   // "into /srv/restored"
  std::string remains;  // after an interrupt, in sentences
};

// `work` gets the Progress.
template <typename Function>
decltype(auto) run_shown(const CommandContext& context, const server::Server& server,
                         const ShownWork& shown, Function&& work) {
  server::PublishedProgress progress(context.progress, server, shown.task, shown.object);
  return telling_what_remains(shown.remains,
                              [&] { return std::forward<Function>(work)(progress); });
}

}  // namespace barman::cli
