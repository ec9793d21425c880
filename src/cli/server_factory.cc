#include "cli/server_factory.h"

#include <filesystem>
#include <system_error>

namespace barman::cli {

server::Server make_server(const CommandContext& context, const config::ServerConfig& config) {
  std::error_code code;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) program = "barman";
  const config::GlobalConfig& global = context.configuration.global();
  return {config, global,
          server::ProgramContext{.program = std::move(program),
                                 .configuration_path = global.config_file,
                                 .interrupt = context.interrupt}};
}

}  // namespace barman::cli
