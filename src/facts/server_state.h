// Whether a configured server is in service.
#pragma once

#include "config/server_config.h"

namespace barman::facts {

enum class ServerState { active, inactive, disabled };

inline ServerState state_of(const config::ServerConfig& server) {
  if (!server.active) return ServerState::inactive;
  return server.disabled ? ServerState::disabled : ServerState::active;
}

}  // namespace barman::facts
