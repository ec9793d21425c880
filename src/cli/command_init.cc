#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/configuration_changes.h"
#include "doctor/examine_server.h"
#include "doctor/new_server.h"

namespace barman::cli {
namespace {

namespace fs = std::filesystem;

std::string ask_for_host() {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw Error(ErrorKind::usage, "the host of PostgreSQL is not known",
                "Name it: barman init SERVER --host HOST.");
  }
  std::cerr << "Host of PostgreSQL (a name, an address, or the directory of its socket): ";
  std::string host;
  std::getline(std::cin, host);
  if (host.empty()) throw Error(ErrorKind::usage, "no host was given", "Name it with --host.");
  return host;
}

doctor::NewServer read_new_server(const ParsedArguments& arguments) {
  doctor::NewServer server;
  server.name = arguments.get("new_server");
  const auto take = [&](const char* key, std::string& value) {
    if (const auto text = arguments.find(key)) value = *text;
    if (value.find('\n') != std::string::npos)
      throw Error(ErrorKind::usage, fmt::format("the value of --{} has more than one line", key));
  };
  take("host", server.host);
  take("port", server.port);
  take("dbname", server.database);
  take("user", server.user);
  take("streaming_user", server.streaming_user);
  take("method", server.method);
  take("ssh_user", server.ssh_user);
  take("slot_name", server.slot_name);
  take("retention_policy", server.retention_policy);
  return server;
}

void refuse_name(const CommandContext& context, const std::string& name) {
  if (!config::Configuration::is_possible_section_name(name) || name == "barman" || name == "all") {
    throw Error(ErrorKind::usage, fmt::format("'{}' cannot be the name of a server", name),
                "Use letters, digits, '-', '_' and '.'.");
  }
  if (context.configuration.find_server(name) == nullptr) return;
  throw Error(ErrorKind::conflict, fmt::format("server '{}' is configured already", name),
              fmt::format("'barman doctor {}' tells what it needs.", name));
}

fs::path file_of(const CommandContext& context, const std::string& name) {
  const config::GlobalConfig& global = context.configuration.global();
  if (!global.configuration_files_directory) {
    throw Error(
        ErrorKind::config,
        fmt::format("there is no configuration_files_directory in \"{}\"", global.config_file),
        "Add 'configuration_files_directory = /etc/barman.d' to its section [barman] and "
        "make that directory, or put what 'barman init --print' prints at its end.");
  }
  return fs::path(*global.configuration_files_directory) / (name + ".conf");
}

// The same section again, for who may write it elsewhere.
std::string printing_command(const CommandContext& context, const doctor::NewServer& server) {
  const auto word = [](const std::string& text) {
    const bool is_plain =
        !text.empty() &&
        text.find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@") ==
            std::string::npos;
    return is_plain ? text : shell_quote(text);
  };
  const std::string& file = context.configuration.global().config_file;
  std::string text = "barman ";
  if (file != "/etc/barman.conf") text += "-c " + word(file) + " ";
  text += fmt::format("init {} --host {}", word(server.name), word(server.host));
  for (const char* const key : {"port", "dbname", "user", "streaming_user", "method", "ssh_user",
                                "slot_name", "retention_policy"}) {
    if (const auto value = context.arguments.find(key))
      text += fmt::format(" --{} {}", replace_all(key, "_", "-"), word(*value));
  }
  return text + " --print";
}

void write_section(const CommandContext& context, const fs::path& path,
                   const doctor::NewServer& server) {
  try {
    AtomicFile file(path, 0644, ".new");
    file.write(doctor::section_text(server));
    file.commit(IfTaken::refuse);
  } catch (const SystemError& error) {
    if (error.error_number() == ENOENT) {
      throw Error(ErrorKind::config,
                  fmt::format("configuration_files_directory \"{}\" is not there",
                              path.parent_path().string()),
                  fmt::format("Make it (as root: mkdir {}), and run this again.",
                              shell_quote(path.parent_path().string())));
    }
    if (error.error_number() != EACCES && error.error_number() != EROFS) throw;
    throw Error(ErrorKind::permission, error.describe(),
                fmt::format("Run: {} | sudo tee {}", printing_command(context, server),
                            shell_quote(path.string())));
  }
}

// As `barman check SERVER`.
void check_new_server(CommandContext& context, const std::string& name) {
  const config::Configuration configuration = reload_configuration(context);
  const CommandSpec& spec = *find_command("check");
  ParsedArguments arguments(spec.name, command_line::ArgumentSpec{.options = spec.options,
                                                                  .positionals = spec.positionals});
  arguments.command = spec.name;
  arguments.append("server_name", name);
  CommandContext checking = {.configuration = configuration,
                             .reporter = context.reporter,
                             .progress = context.progress,
                             .interrupt = context.interrupt,
                             .arguments = arguments};
  run_check(checking);
}

}  // namespace

void run_init(CommandContext& context) {
  doctor::NewServer server = read_new_server(context.arguments);
  refuse_name(context, server.name);
  if (server.host.empty()) server.host = ask_for_host();
  output::Reporter& reporter = context.reporter;
  if (context.arguments.is_set("print")) {
    reporter.result_line(doctor::section_text(server));
    return;
  }
  const fs::path path = file_of(context, server.name);
  write_section(context, path, server);
  reporter.info(
      fmt::format("The section of server '{}' is in \"{}\".", server.name, path.string()));
  reporter.result_line("");
  for (const std::string& line :
       doctor::preparation(server, doctor::own_address(server.host, server.port)))
    reporter.result_line(line);
  reporter.result_line("");
  check_new_server(context, server.name);
  reporter.result_line(
      fmt::format("Next: barman doctor {0}, until nothing is left; then: barman "
                  "backup --wait {0}",
                  server.name));
}

}  // namespace barman::cli
