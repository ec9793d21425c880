#include "cli/option_specs.h"

namespace barman::cli {
namespace {

constexpr ServerPolicy kActiveServer = {
    .arity = ServerArity::single, .inactive = ServerAction::skip, .disabled = ServerAction::refuse};

PositionalSpec wal_name(std::string_view help) {
  return {.key = "wal_name", .metavar = "wal_name", .help = help};
}

OptionSpec parallel_option(std::string_view help) {
  return {.names = {"parallel"},
          .short_names = "p",
          .kind = ValueKind::non_negative,
          .help = help,
          .metavar = "N"};
}

CommandSpec get_wal_spec() {
  return {
      .name = "get-wal",
      .summary = "write a WAL file to standard output or into a directory",
      .description =
          "For the restore_command of PostgreSQL, which barman-wal-restore calls from another "
          "host. The exit code is 1 when there is no such file, which ends a recovery, and 126 "
          "when that cannot be told or the file is damaged, which stops it.",
      .servers = kUsableServer,
      .options =
          {{.names = {"output-directory"},
            .short_names = "o",
            .kind = ValueKind::text,
            .help = "directory to write the file into",
            .metavar = "DIR"},
           {.names = {"partial"},
            .short_names = "P",
            .help = "also take the file that is not complete yet"},
           {.names = {"gzip"},
            .short_names = "zx",
            .help = "compress the output with gzip",
            .target = "compression",
            .constant = "gzip"},
           {.names = {"bzip2"},
            .short_names = "j",
            .help = "compress the output with bzip2",
            .target = "compression",
            .constant = "bzip2"},
           {.names = {"zstd"},
            .help = "compress the output with zstd, quickly",
            .target = "compression",
            .constant = "zstd"},
           {.names = {"lz4"},
            .help = "compress the output with lz4, quickly",
            .target = "compression",
            .constant = "lz4"},
           {.names = {"keep-compression"}, .help = "send the file as it is stored, compressed"},
           {.names = {"peek"},
            .short_names = "p",
            .kind = ValueKind::positive,
            .help = "list up to that many archived files from this one on",
            .metavar = "SIZE"},
           {.names = {"cluster"},
            .kind = ValueKind::text,
            .help = "system identifier of the cluster that asks; known by itself in a data "
                    "directory",
            .metavar = "SYSTEM_ID"},
           {.names = {"test"}, .short_names = "t", .help = "only test that WAL could be fetched"}},
      .positionals = {one_server(), wal_name("name of the WAL file")}};
}

CommandSpec find_accident_spec() {
  return {
      .name = "find-accident",
      .summary =
          "find in the WAL what dropped, emptied or changed very much, and how to get "
          "it back",
      .description =
          "Reads the archived WAL and what is received of it, and lists the transactions that "
          "dropped or truncated relations or databases, and those that deleted or updated very "
          "many rows: when, at which place of the WAL, what it hit as far as the catalogue of a "
          "backup or of the server knows it, and the command that restores the moment before "
          "it. Without times the last 24 hours are read. Nothing is changed. The exit code is "
          "1 when a part of the WAL could not be read.",
      .servers = kAnyServer,
      .options = {{.names = {"from"},
                   .kind = ValueKind::text,
                   .help = "transactions that ended at this time or later",
                   .metavar = "TIME"},
                  {.names = {"to"},
                   .kind = ValueKind::text,
                   .help = "transactions that ended at this time or earlier",
                   .metavar = "TIME"},
                  {.names = {"min-rows"},
                   .kind = ValueKind::positive,
                   .help = "rows that a transaction must have deleted or updated to be listed",
                   .metavar = "N",
                   .default_text = "10000"},
                  {.names = {"database"},
                   .kind = ValueKind::text,
                   .help = "only of this database, by name or OID",
                   .metavar = "NAME"},
                  {.names = {"all"},
                   .help = "list what rewrote relations and lost nothing, too (VACUUM FULL, "
                           "CLUSTER, REINDEX, ALTER TABLE)"}},
      .positionals = {one_server()}};
}

CommandSpec receive_wal_spec() {
  return {
      .name = "receive-wal",
      .summary = "stream WAL from a server, or manage the replication slot",
      .description =
          "Receives WAL at the moment in which PostgreSQL writes it, and does not end; cron starts "
          "it where streaming_archiver = on. A replication slot makes PostgreSQL keep the WAL "
          "that has not been received yet.",
      .servers = kActiveServer,
      .options = {{.names = {"stop"},
                   .help = "end a running receive-wal (terminate-process does the same)"},
                  {.names = {"reset"},
                   .help = "begin again at the server's current position; the WAL before it that "
                           "has not come is missing then"},
                  {.names = {"create-slot"}, .help = "create the replication slot"},
                  {.names = {"if-not-exists"},
                   .help = "with --create-slot: an existing slot is no error"},
                  {.names = {"drop-slot"}, .help = "drop the replication slot"}},
      .positionals = {one_server()}};
}

CommandSpec switch_wal_spec() {
  return {.name = "switch-wal",
          .aliases = {"switch-xlog"},
          .summary = "make a server begin a new WAL segment",
          .description =
              "WAL is archived in segments (16 MiB, as a rule). The one that is being written is "
              "closed now, and can be archived: what was committed until now is safe then.",
          .servers = {.arity = ServerArity::multiple,
                      .inactive = ServerAction::skip,
                      .disabled = ServerAction::refuse},
          .options = {{.names = {"force"},
                       .help = "run a checkpoint first, so that there is something in the segment "
                               "even if nobody writes"},
                      {.names = {"archive"}, .help = "wait until the closed segment is archived"},
                      {.names = {"archive-timeout"},
                       .kind = ValueKind::non_negative,
                       .help = "seconds to wait with --archive; 0 means for ever; by default none "
                               "where no receive-wal runs",
                       .metavar = "SEC",
                       .default_text = "30"}},
          .positionals = {server_list()}};
}

std::vector<CommandSpec> cloud_wal_specs() {
  // An archive_command must not succeed without archiving: inactive and passive servers are
  // refused, not skipped.
  return {
      {.name = "cloud-wal-archive",
       .summary = "archive a WAL file of this host in the cloud (for archive_command)",
       .description =
           "On the host of PostgreSQL, for a server whose WAL lives in a bucket: archive_command = "
           "'barman cloud-wal-archive main %p'. It succeeds when the file is safe there.",
       .servers = {.arity = ServerArity::single,
                   .inactive = ServerAction::refuse,
                   .disabled = ServerAction::refuse,
                   .passive = ServerAction::refuse},
       .options = {parallel_option("number of WAL files archived at the same time")},
       .positionals = {one_server(),
                       {.key = "wal_path", .metavar = "wal_path", .help = "path of the file"}}},
      {.name = "cloud-wal-restore",
       .summary = "fetch a WAL file from the cloud (for restore_command)",
       .description =
           "restore_command = 'barman cloud-wal-restore main %f %p'. The exit code is 1 when there "
           "is no such file, and 2 when that cannot be told (126, which stops PostgreSQL, in a "
           "recovery that is no standby's).",
       .servers = kUsableServer,
       .options = {parallel_option("number of WAL files fetched at the same time"),
                   {.names = {"spool-dir"},
                    .kind = ValueKind::text,
                    .help = "directory for WAL files fetched in advance",
                    .metavar = "DIR",
                    .default_text = "/var/tmp/walrestore"}},
       .positionals = {one_server(),
                       wal_name("name of the WAL file"),
                       {.key = "wal_dest", .metavar = "wal_dest", .help = "path to write to"}}},
  };
}

std::vector<CommandSpec> wal_check_specs() {
  return {
      {.name = "check-archived-wal-range",
       .summary = "check that no WAL file of a range is missing in the archive",
       .description =
           "By name and on one timeline, both ends included: barman check-archived-wal-range main "
           "000000010000000000000003 00000001000000000000000A. catalogue-check looks for holes in "
           "all of the archive, and verify-wal reads the files.",
       .servers = kAnyServer,
       .positionals = {one_server(),
                       {.key = "begin_wal", .metavar = "begin_wal", .help = "first WAL segment"},
                       {.key = "end_wal", .metavar = "end_wal", .help = "last WAL segment"}}},
      {.name = "verify-wal",
       .summary = "read the WAL archive record by record",
       .description =
           "Every archived segment must be readable, whatever it is stored in, and each of its "
           "records must have its right checksum and follow the one before it, as PostgreSQL "
           "checks them in a recovery. Gaps are told; they are no damage. Nothing is changed. The "
           "exit code is 1 when anything is wrong, and each file is named.",
       .servers = kAnyServer,
       .options = {{.names = {"from"},
                    .kind = ValueKind::text,
                    .help = "first WAL segment",
                    .metavar = "WAL"},
                   {.names = {"to"},
                    .kind = ValueKind::text,
                    .help = "last WAL segment",
                    .metavar = "WAL"}},
       .positionals = {one_server()}},
      {.name = "check-wal-archive",
       .summary = "check that a WAL archive can take the WAL of a new server",
       .description =
           "The archive must be empty: WAL of another cluster, with the same names, would be "
           "overwritten, or would stop the archiving.",
       .servers = kAnyServer,
       .options = {{.names = {"timeline"},
                    .kind = ValueKind::positive,
                    .help =
                        "WAL files of timelines before this one may be there (after a failover)",
                    .metavar = "TLI"}},
       .positionals = {one_server()}},
  };
}

}  // namespace

std::vector<CommandSpec> wal_command_specs() {
  std::vector<CommandSpec> commands = {
      {.name = "archive-wal",
       .summary = "archive the WAL that was received",
       .description = "Moves what has come by streaming or by archive_command into the WAL "
                      "archive, compressed "
                      "and encrypted as configured. cron does it each minute.",
       .servers = kActiveServer,
       .positionals = {one_server()}},
      find_accident_spec(),
      get_wal_spec(),
      {.name = "put-wal",
       .summary = "take WAL files from a tar stream on standard input",
       .description =
           "barman-wal-archive, the archive_command of another host, calls it through ssh; a "
           "person has no use for it but --test.",
       .servers = {.arity = ServerArity::single,
                   .inactive = ServerAction::refuse,
                   .disabled = ServerAction::refuse},
       .options = {{.names = {"test"},
                    .short_names = "t",
                    .help = "only test that WAL would be accepted"}},
       .positionals = {one_server()}},
      {.name = "rebuild-xlogdb",
       .summary = "write the WAL index anew from the archived files",
       .description =
           "When xlog.db is lost or damaged, or WAL files were put into the archive or taken out "
           "of "
           "it by hand: every file there is read for its size and time. The archive itself is not "
           "changed.",
       .servers = {.arity = ServerArity::multiple,
                   .inactive = ServerAction::skip,
                   .disabled = ServerAction::refuse},
       .positionals = {server_list()}},
      receive_wal_spec(),
      switch_wal_spec(),
  };
  for (CommandSpec& command : cloud_wal_specs()) commands.push_back(std::move(command));
  for (CommandSpec& command : wal_check_specs()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace barman::cli
