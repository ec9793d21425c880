#include "cli/option_specs.h"

namespace barman::cli {
namespace {

constexpr ServerPolicy kAnyServers = {.arity = ServerArity::multiple};
constexpr ServerPolicy kJudgedServers = {.arity = ServerArity::multiple, .must_have_all = true};

CommandSpec check_spec() {
  return {
      .name = "check",
      .summary = "check that servers can be backed up",
      .description =
          "Looks at configuration, connections, WAL and backups of each server, a line for each "
          "item. The exit code is 1 when one is FAILED; 'barman doctor' tells what cures it. Of "
          "all servers it is an error, too, when a file of the configuration cannot be read: the "
          "servers in it are not looked at.",
      .servers = kJudgedServers,
      .options = {{.names = {"nagios"},
                   .help =
                       "print one line for all servers, with the exit codes of a Nagios plugin"},
                  check_timeout_option()},
      .positionals = {server_list()}};
}

CommandSpec replication_status_spec() {
  return {.name = "replication-status",
          .summary = "show the clients that stream from servers",
          .description =
              "Standbys and receivers of WAL, as pg_stat_replication of the server has them: what "
              "each has received, written to disk and replayed, and how far it is behind.",
          .servers = {.arity = ServerArity::multiple,
                      .inactive = ServerAction::skip,
                      .disabled = ServerAction::refuse,
                      .passive = ServerAction::skip},
          .options = {{.names = {"minimal"}, .help = "one line a client"},
                      {.names = {"target"},
                       .kind = ValueKind::choice,
                       .help = "standbys that take queries (hot-standby), programs that receive "
                               "WAL as barman does "
                               "(wal-streamer), or all",
                       .choices = {"all", "hot-standby", "wal-streamer"},
                       .default_text = "all"},
                      {.names = {"source"},
                       .kind = ValueKind::choice,
                       .help = "ask the server that is backed up (backup-host), or the one that "
                               "its WAL comes from "
                               "(wal-host, where wal_conninfo is set)",
                       .choices = {"backup-host", "wal-host"},
                       .default_text = "backup-host"}},
          .positionals = {server_list()}};
}

CommandSpec catalogue_check_spec() {
  return {.name = "catalogue-check",
          .summary =
              "check that all backups and WAL files of servers are there, and show what can "
              "be recovered",
          .description =
              "Compares what the catalogue promises with what lies on disk: the files of each "
              "backup with its manifest (by size; with --deep by checksum), chains of incremental "
              "backups, and the WAL archive with its index, from the first backup to the last "
              "file. Then it tells to which moments a restore is possible: one continuous window "
              "a timeline, or the holes in it. Nothing is changed. The exit code is 1 when "
              "something is missing or damaged; each finding names the next step.",
          .servers = kAnyServers,
          .options = {{.names = {"deep"},
                       .help = "read every file of the backups and compare it with its checksum"}},
          .positionals = {server_list()}};
}

CommandSpec doctor_spec() {
  return {
      .name = "doctor",
      .summary = "tell what cures each failed check, as lines to paste",
      .description =
          "Looks at servers as check does, without changing anything, and prints for all that "
          "fails the cause and the cure, in the order in which it is done: commands for a shell "
          "of this host or of the host of PostgreSQL, SQL for psql (a restart is told), lines "
          "for pg_hba.conf with the address of this host, lines for the configuration. --sql "
          "prints the SQL of the superuser alone, for psql -f; it has no passwords and may be "
          "run again. --apply creates directories and the replication slot, and starts "
          "receive-wal; nothing else. What is worth having without being a failure is told as "
          "such. "
          "Of several servers there is a line each first. The exit code is 0 when there is nothing "
          "to cure, else "
          "1. What depends on a connection is told when that works: run it again afterwards.",
      .servers = kJudgedServers,
      .options = {{.names = {"sql"}, .help = "print a script for psql only"},
                  {.names = {"apply"},
                   .help = "do what needs no root: directories, replication slot, receiver"},
                  check_timeout_option()},
      .positionals = {server_list()}};
}

CommandSpec follow_upgrade_spec() {
  return {
      .name = "follow-upgrade",
      .summary = "go on with the cluster that pg_upgrade made; keep the old one's backups",
      .description =
          "For a server whose connection leads to another cluster than its catalogue: after "
          "pg_upgrade, or after an initdb on purpose. The directories of the catalogue get "
          "another name, main-15-old for example, and a section of that name with active = false "
          "and all other settings of the server: its backups stay listed and restorable, with "
          "their WAL, and nothing deletes them but a person. Under the old name an empty "
          "catalogue begins, with the slot and receive-wal. WAL of the two never meets. Nothing "
          "is done where the catalogue is that of the cluster; after an interruption, run it "
          "again. On a passive node it follows what its primary node did. If you did not upgrade, "
          "conninfo leads to the wrong cluster: correct it instead.",
      .servers = {.arity = ServerArity::single,
                  .inactive = ServerAction::refuse,
                  .disabled = ServerAction::refuse},
      .needs = {.files = LocalFiles::backups_and_wals,
                .refusal = "Backups or WAL of server '{server}' lie in object storage, where "
                           "nothing can get another name",
                .next_step = "Give the new cluster a section of its own, and set active = false "
                             "in the old one: its backups stay restorable."},
      .options = {{.names = {"old-name"},
                   .kind = ValueKind::text,
                   .help = "name of the old catalogue (SERVER-VERSION-old)",
                   .metavar = "NAME"},
                  {.names = {"dry-run"}, .help = "change nothing; tell what would be done"}},
      .positionals = {one_server()}};
}

OptionSpec new_server_option(std::string_view name, std::string_view help,
                             std::string_view metavar) {
  return {.names = {name}, .kind = ValueKind::text, .help = help, .metavar = metavar};
}

CommandSpec init_spec() {
  return {
      .name = "init",
      .summary = "configure a new server, and tell what its PostgreSQL needs",
      .description =
          "Writes the section of a server that is backed up by streaming (or rsync) into "
          "configuration_files_directory, prints the roles, the lines of pg_hba.conf and of "
          ".pgpass that go with it, and ends with check. Asks for the host on a terminal.",
      .options = {new_server_option("host", "host of PostgreSQL", "HOST"),
                  new_server_option("port", "its port (5432)", "PORT"),
                  new_server_option("dbname", "database to connect to (postgres)", "NAME"),
                  new_server_option("user", "role for SQL (barman)", "ROLE"),
                  new_server_option("streaming-user", "role for replication (streaming_barman)",
                                    "ROLE"),
                  {.names = {"method"},
                   .kind = ValueKind::choice,
                   .help = "how backups are taken (postgres)",
                   .choices = {"postgres", "rsync"}},
                  new_server_option("ssh-user", "user of ssh there, for rsync (postgres)", "USER"),
                  new_server_option("slot-name", "replication slot (barman)", "SLOT"),
                  new_server_option("retention-policy", "what is kept (RECOVERY WINDOW OF 7 DAYS)",
                                    "POLICY"),
                  {.names = {"print"},
                   .help = "print the section, write nothing and check nothing"}},
      .positionals = {
          {.key = "new_server", .metavar = "server_name", .help = "name of the new server"}}};
}

std::vector<CommandSpec> configuration_specs() {
  return {
      {.name = "config-switch",
       .summary = "apply a model to a server, or remove it",
       .description =
           "A model is a section of the configuration with model = true and cluster = NAME: a set "
           "of "
           "options for all servers of that cluster, for example after a switchover. Its options "
           "take the place of those of the server until another one, or --reset.",
       .servers = kAnyServer,
       .options = {{.names = {"reset"}, .help = "remove the active model"}},
       .positionals = {one_server(),
                       {.key = "model_name",
                        .metavar = "model_name",
                        .help = "name of the model",
                        .arity = Arity::optional}}},
      {.name = "config-update",
       .summary = "change configuration options",
       .description =
           "For programs that manage servers: the changes go to .barman.auto.conf in barman_home, "
           "which is read last; files that people write are not touched. A running receive-wal is "
           "started anew with them.",
       .positionals = {{.key = "json_changes",
                        .metavar = "json_changes",
                        .help = "the changes: '[{\"scope\": \"server\", \"server_name\": \"main\", "
                                "\"check_timeout\": \"60\"}]'"}}},
      {.name = "diagnose",
       .summary = "print everything known about all servers as JSON",
       .description =
           "For a report to somebody who cannot look: this host, the configuration, what each "
           "PostgreSQL and each backup says. Passwords are masked. 'barman status' and 'barman "
           "check' are for reading.",
       .options = {{.names = {"show-config-source"},
                    .help = "show for each option the file that defines it"}}},
  };
}

std::vector<CommandSpec> process_specs() {
  return {
      {.name = "cron",
       .summary = "do what is due: archive WAL, stream WAL, enforce retention policies",
       .description =
           "To be run once a minute, by cron or by a timer of systemd. For each active server it "
           "starts receive-wal where that is not running, archives the WAL that has arrived, marks "
           "backups FAILED whose process died, and deletes what the retention policy does not need "
           "any more. --dry-run does nothing of this: it prints for each server which backups and "
           "WAL files the policy would delete, which ones it keeps, and why. While a file of the "
           "configuration cannot be read, which is an error, nothing is deleted: it may ask for "
           "longer retention.",
       .servers = {.must_have_all = true},
       .options = {{.names = {"keep-descriptors"},
                    .help = "leave standard output and error to the processes it starts"},
                   {.names = {"remove-failed"},
                    .help = "also delete FAILED backups that are older than one that is DONE"},
                   {.names = {"dry-run"},
                    .help = "change nothing; show what the retention policies would delete, what "
                            "they keep, and why"}}},
      {.name = "list-processes",
       .aliases = {"list-process"},
       .summary = "list the running processes of a server",
       .description =
           "Which tasks run for the server, and their process numbers; on a terminal also how far "
           "they are: phase, rate, time left. terminate-process ends one.",
       .servers = kAnyServer,
       .positionals = {one_server()}},
      {.name = "lock-directory-cleanup",
       .summary = "remove lock files that are not in use",
       .description =
           "Lock files without a process do no harm, and nothing waits for them; this removes "
           "them. Those of running processes stay."},
      {.name = "terminate-process",
       .summary = "end a running process of a server",
       .description =
           "As Ctrl-C would, and waits ten seconds for the end. A receive-wal that is ended is "
           "started again by cron within a minute; a backup becomes FAILED.",
       .servers = kAnyServer,
       .positionals = {one_server(),
                       {.key = "task_name",
                        .metavar = "task_name",
                        .help = "its name, as list-processes tells it: receive-wal, backup, ..."}}},
  };
}

}  // namespace

std::vector<CommandSpec> server_command_specs() {
  std::vector<CommandSpec> commands = {
      catalogue_check_spec(),
      check_spec(),
      doctor_spec(),
      follow_upgrade_spec(),
      init_spec(),
      {.name = "help",
       .summary = "show this help, or that of a command",
       .positionals = {{.key = "command_name",
                        .metavar = "command",
                        .help = "a command whose options are to be shown",
                        .arity = Arity::optional}}},
      {.name = "list-servers",
       .aliases = {"list-server"},
       .summary = "list the configured servers",
       .description = "A line each: its name, and its description.",
       .options = {{.names = {"minimal"}, .help = "show the names only"}}},
      replication_status_spec(),
      {.name = "show-servers",
       .aliases = {"show-server"},
       .summary = "show all settings of servers",
       .description =
           "Each option with the value that counts, also those that are not in the configuration "
           "files, and what PostgreSQL says of itself. 'barman status' tells how it goes.",
       .servers = kAnyServers,
       .positionals = {server_list()}},
      {.name = "status",
       .summary = "show the state of servers",
       .description =
           "What PostgreSQL tells, how its WAL comes in, and which backups there are. --table "
           "shows several servers side by side, one line each: PostgreSQL, receiver and archiver, "
           "backups, age of the last one, redundancy, length of the recovery window.",
       .servers = kAnyServers,
       .options = {table_option()},
       .positionals = {server_list()}},
  };
  for (CommandSpec& command : configuration_specs()) commands.push_back(std::move(command));
  for (CommandSpec& command : process_specs()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace barman::cli
