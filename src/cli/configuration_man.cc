#include "cli/configuration_man.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "command_line/roff.h"
#include "config/option_table.h"
#include "config/option_words.h"

namespace barman::cli {
namespace {

using config::Option;
using config::Scope;

std::string scope_text(const Option& option) {
  std::vector<std::string> parts;
  if (has_scope(option.scopes, Scope::global)) parts.emplace_back("[barman]");
  if (has_scope(option.scopes, Scope::server)) parts.emplace_back("servers");
  if (has_scope(option.scopes, Scope::model)) parts.emplace_back("models");
  return join(parts, ", ");
}

std::string server_entry(const Option& option) {
  std::string text = fmt::format("{} Value: {}.", option.summary, config::allowed_values(option));
  if (!option.default_text.empty()) text += fmt::format(" Default: {}.", option.default_text);
  return command_line::man_entry(option.name,
                                 text + fmt::format(" Allowed in: {}.", scope_text(option)));
}

constexpr std::string_view kForm =
    "The files are in INI form: sections in brackets, and lines \"option = value\". Lines that "
    "begin "
    "with # or ; are comments, a line that begins with a blank continues the value before it. "
    "%(option)s stands for the value of another option. The section [barman] holds global options "
    "and defaults of servers; each other section is a server, or a model when it has \"model = "
    "true\".";

}  // namespace

std::string configuration_man_page() {
  std::string text = command_line::man_header("barman", 5);
  text += ".SH NAME\nbarman \\- configuration files of barman(1)\n";
  text += fmt::format(
      ".SH DESCRIPTION\n{}\n.PP\n{}\n",
      command_line::roff("barman reads one main file: that of --config, or of the environment "
                         "variable BARMAN_CONFIG_FILE, or the first that can be read of "
                         "~/.barman.conf, /etc/barman.conf and /etc/barman/barman.conf; then all "
                         "files *.conf in configuration_files_directory, in the order of their "
                         "names. Later values replace earlier ones."),
      command_line::roff(kForm));
  text += ".SH GLOBAL OPTIONS\n" + command_line::roff("In the section [barman] only:") + "\n";
  for (const config::GlobalOption& option : config::global_options()) {
    std::string help(option.summary);
    if (!option.default_text.empty()) help += fmt::format(" Default: {}.", option.default_text);
    text += command_line::man_entry(option.name, help);
  }
  text += ".SH OPTIONS OF SERVERS\n";
  for (const Option& option : config::server_options()) {
    // Others are no options of files.
    if (option.scopes != Scope::none) text += server_entry(option);
  }
  return text + ".SH SEE ALSO\n.BR barman (1)\n";
}

}  // namespace barman::cli
