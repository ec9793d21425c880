#include "cli/option_specs.h"

namespace barman::cli {

Options operator+(Options left, const Options& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Options job_options() {
  return {
      {.names = {"jobs"},
       .short_names = "j",
       .kind = ValueKind::positive,
       .help = "number of files copied at the same time",
       .metavar = "NJOBS"},
      {.names = {"jobs-start-batch-period"},
       .kind = ValueKind::positive,
       .help = "no more than a batch of copies is begun in so many seconds, to spare sshd",
       .metavar = "SEC"},
      {.names = {"jobs-start-batch-size"},
       .kind = ValueKind::positive,
       .help = "how many copies are a batch",
       .metavar = "N"},
  };
}

Options retry_options() {
  return {
      {.names = {"retry-times"},
       .kind = ValueKind::non_negative,
       .help = "how often a failed copy is tried again",
       .metavar = "N"},
      {.names = {"retry-sleep"},
       .kind = ValueKind::non_negative,
       .help = "seconds to wait before a failed copy is tried again",
       .metavar = "SEC"},
      {.names = {"no-retry"},
       .help = "do not try a failed copy again",
       .target = "retry_times",
       .constant = "0"},
  };
}

OptionSpec bandwidth_option() {
  return {.names = {"bwlimit"},
          .kind = ValueKind::non_negative,
          .help = "largest transfer rate in kilobytes per second; 0 means no limit",
          .metavar = "KBPS"};
}

OptionSpec check_timeout_option() {
  return {.names = {"check-timeout"},
          .kind = ValueKind::non_negative,
          .help = "seconds after which the checks are given up; 0 means no limit",
          .metavar = "SEC"};
}

OptionSpec table_option() {
  return {.names = {"table"},
          .help = "show a table, when standard output is a terminal; without effect in JSON"};
}

Options flag_pair(std::string_view name, std::string_view negative_name, std::string_view help,
                  std::string_view negative_help) {
  const OptionSpec positive = {.names = {name}, .help = help};
  OptionSpec negative = {.names = {negative_name}, .help = negative_help, .constant = "false"};
  // The key of the positive option lives in static storage: names are literals.
  negative.target = name;
  return {positive, negative};
}

PositionalSpec one_server() {
  return {.key = "server_name", .metavar = "server_name", .help = "name of the server"};
}

PositionalSpec server_list() {
  return {.key = "server_name",
          .metavar = "server_name",
          .help = "names of the servers, or 'all' for each configured server",
          .arity = Arity::one_or_more};
}

PositionalSpec one_backup() {
  return {.key = "backup_id",
          .metavar = "backup_id",
          .help =
              "ID or name of the backup, or one of latest, last, oldest, first, latest-full, "
              "last-full, last-failed"};
}

}  // namespace barman::cli
