#include "cli/configuration_man.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "command_line/roff.h"
#include "config/option_table.h"

namespace barman::cli {
namespace {

using config::Option;
using config::OptionType;
using config::Scope;

std::string words_text(std::string_view words) { return join(split_blanks(words), ", "); }

std::string type_text(const Option& option) {
  switch (option.type) {
    case OptionType::boolean:
      return "on or off";
    case OptionType::integer:
      return "a number";
    case OptionType::natural:
    case OptionType::count:
      return "a number that is not negative";
    case OptionType::positive:
      return "a number that is 1 or more";
    case OptionType::word:
    case OptionType::cased_word:
    case OptionType::one_word:
      return "one of: " + words_text(option.words);
    case OptionType::word_set:
      return "a comma separated list of: " + words_text(option.words);
    case OptionType::interval:
      return "a number of hours, days, weeks or months (\"7 days\")";
    case OptionType::size:
      return "a size with an optional unit k, Ki, M, Mi, G, Gi, T, Ti (\"30Gi\")";
    case OptionType::path:
      return "a path";
    case OptionType::absolute_path:
      return "an absolute path";
    case OptionType::location:
      return "a path or a cloud URL";
    case OptionType::slot:
      return "the name of a replication slot";
    case OptionType::list:
      return "a comma separated list";
    case OptionType::level:
      return "low, medium, high or a number";
    case OptionType::rate:
      return "kilobytes a second";
    case OptionType::tablespace_limits:
      return "NAME:KILOBYTES pairs separated by blanks";
    case OptionType::retention:
      return "REDUNDANCY n, or RECOVERY WINDOW OF n DAYS, WEEKS or MONTHS";
    case OptionType::hexadecimal:
      return "a hexadecimal number (\"0x1f8b\")";
    case OptionType::text:
      break;
  }
  return "text";
}

std::string scope_text(const Option& option) {
  std::vector<std::string> parts;
  if (has_scope(option.scopes, Scope::global)) parts.emplace_back("[barman]");
  if (has_scope(option.scopes, Scope::server)) parts.emplace_back("servers");
  if (has_scope(option.scopes, Scope::model)) parts.emplace_back("models");
  return join(parts, ", ");
}

std::string server_entry(const Option& option) {
  std::string text = fmt::format("{} Value: {}.", option.summary, type_text(option));
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
  for (const Option& option : config::server_options()) text += server_entry(option);
  return text + ".SH SEE ALSO\n.BR barman (1)\n";
}

}  // namespace barman::cli
