// The one place that knows which source belongs to which `backup_method`.
#pragma once

#include <memory>

#include "backup/backup_source.h"
#include "config/server_config.h"
#include "server/server.h"

namespace barman::backup {

// Throws `config` naming the option when the server's settings ask for a method or a destination
// that is not there. Called before anything is touched.
void require_source(const config::ServerConfig& config);
// The same for everything that the settings alone tell.
void require_supported(const config::ServerConfig& config);

// Both arguments must live longer. Throws as require_source().
std::unique_ptr<BackupSource> choose_source(const server::Server& server,
                                            const BackupRequest& request);

}  // namespace barman::backup
