#include "cli/server_factory.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace barman::cli {
namespace {

// A snapshot, or a rescued disk. Reading works there; what cannot be done is said, once a server.
void warn_of_read_only_catalogue(const CommandContext& context,
                                 const config::ServerConfig& config) {
  static std::mutex mutex;
  static std::set<std::string> told;
  struct statvfs system = {};
  if (::statvfs(config.backup_directory.c_str(), &system) != 0) return;
  if ((system.f_flag & ST_RDONLY) == 0) return;
  const std::lock_guard lock(mutex);
  if (!told.insert(config.name).second) return;
  context.reporter.warning(fmt::format(
      "The catalogue of server '{}' (\"{}\") is on a read-only file system: nothing can be "
      "locked, repaired or archived there. Make sure that nobody changes it from elsewhere.",
      config.name, config.backup_directory));
}

}  // namespace

server::Server make_server(const CommandContext& context, const config::ServerConfig& config) {
  std::error_code code;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) program = "barman";
  const config::GlobalConfig& global = context.configuration.global();
  warn_of_read_only_catalogue(context, config);
  return {config, global,
          server::ProgramContext{.program = std::move(program),
                                 .configuration_path = global.config_file,
                                 .interrupt = context.interrupt}};
}

}  // namespace barman::cli
