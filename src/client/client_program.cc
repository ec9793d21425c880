#include "client/client_program.h"

#include <fmt/format.h>

#include "version.h"

namespace barman::client {

using command_line::ValueKind;

command_line::ProgramSpec client_program(std::string_view name) {
  return {.name = name,
          .version = fmt::format("{} {}", name, kVersion),
          .help_style = command_line::HelpStyle::brief,
          .reading = command_line::Reading::getopt,
          .usage_exit_code = kExitFailure,
          .failure_exit_code = kExitFailure,
          .see_also = {"barman (1)", "barman-put-wal (1)", "barman-get-wal (1)"}};
}

std::vector<command_line::OptionSpec> with_connection_options(
    const std::vector<command_line::OptionSpec>& own) {
  std::vector<command_line::OptionSpec> options = {
      {.names = {"help"},
       .short_names = "h",
       .kind = ValueKind::help,
       .help = "show this help and exit"},
      {.names = {"version"},
       .short_names = "V",
       .kind = ValueKind::version,
       .help = "show the version and exit"},
      {.names = {"user"},
       .short_names = "U",
       .kind = ValueKind::text,
       .help = "user of ssh on the Barman host (barman)",
       .metavar = "USER"},
      {.names = {"port"},
       .kind = ValueKind::text,
       .help = "port of ssh on the Barman host",
       .metavar = "PORT"},
      {.names = {"config"},
       .short_names = "c",
       .kind = ValueKind::text,
       .help = "configuration file on the Barman host",
       .metavar = "FILE"}};
  options.insert(options.end(), own.begin(), own.end());
  return options;
}

std::vector<command_line::PositionalSpec> with_barman_positionals(
    const std::vector<command_line::PositionalSpec>& own) {
  std::vector<command_line::PositionalSpec> positionals = {
      {.key = "barman_host",
       .metavar = "BARMAN_HOST",
       .help = "the host of Barman",
       .words = "hosts"},
      {.key = "server_name",
       .metavar = "SERVER_NAME",
       .help = "name of the server in Barman's configuration"}};
  positionals.insert(positionals.end(), own.begin(), own.end());
  return positionals;
}

RemoteBarman remote_barman(const command_line::ParsedArguments& arguments) {
  return {.host = arguments.get("barman_host"),
          .user = arguments.find("user").value_or("barman"),
          .port = arguments.find("port"),
          .config_file = arguments.find("config"),
          .server = arguments.get("server_name")};
}

}  // namespace barman::client
