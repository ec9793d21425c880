#include "cli/option_specs.h"

namespace barman::cli {
namespace {

Options target_options() {
  return {
      {.names = {"target-tli"},
       .kind = ValueKind::timeline,
       .help = "which branch to follow where a standby was promoted or a restore has begun anew: "
               "its number, 'latest', or 'current' (that of the backup)",
       .metavar = "TLI"},
      {.names = {"target-time"},
       .kind = ValueKind::text,
       .help = "recover up to this time",
       .metavar = "TIME"},
      {.names = {"target-xid"},
       .kind = ValueKind::text,
       .help = "recover up to the end of this transaction, by its number",
       .metavar = "XID"},
      {.names = {"target-lsn"},
       .kind = ValueKind::text,
       .help = "recover up to this place in the WAL, such as 16/B374D848",
       .metavar = "LSN"},
      {.names = {"target-name"},
       .kind = ValueKind::text,
       .help = "recover up to this restore point, as pg_create_restore_point() named it",
       .metavar = "NAME"},
      {.names = {"target-immediate"}, .help = "recover to the end of the backup, and no further"},
      {.names = {"exclusive"}, .help = "stop just before the target, not after it"},
      {.names = {"target-action"},
       .kind = ValueKind::choice,
       .help = "what PostgreSQL does at the target (see above)",
       .choices = {"pause", "shutdown", "promote"}},
      {.names = {"standby-mode"},
       .help = "make a standby: it goes on replaying WAL as it comes, and takes no writes"},
  };
}

Options copy_options() {
  return Options{
             {.names = {"tablespace"},
              .kind = ValueKind::text,
              .help = "put a tablespace into another directory; may be repeated",
              .metavar = "NAME:LOCATION",
              .repetition = Repetition::accumulate},
             {.names = {"remote-ssh-command"},
              .kind = ValueKind::text,
              .help = "restore on another host, reached by this ssh command",
              .metavar = "CMD"},
             {.names = {"staging-wal-directory"},
              .kind = ValueKind::text,
              .help = "where the WAL for recovery is put; without it barman_wal in the destination",
              .metavar = "DIR"},
             bandwidth_option(),
         } +
         retry_options() + job_options() +
         flag_pair("delta-restore", "no-delta-restore",
                   "restore over an existing data directory, copying only what differs",
                   "restore into an empty directory only") +
         Options{
             {.names = {"resume"},
              .help =
                  "go on with a restore of the same backup that was interrupted: files that are "
                  "there and right are kept"},
             {.names = {"dry-run"}, .help = "print what would be done, and write nothing"},
         } +
         flag_pair("network-compression", "no-network-compression",
                   "compress data on its way to another host; without one of both it is done where "
                   "that host has zstd, which is quicker than not to compress",
                   "do not compress data on its way to another host") +
         Options{
             {.names = {"staging-path"},
              .kind = ValueKind::text,
              .help =
                  "directory for temporary files; only incremental backups that are encrypted need "
                  "it, on their way to another host",
              .metavar = "PATH"},
             {.names = {"staging-location"},
              .kind = ValueKind::choice,
              .help = "where the staging path is (has no effect any more)",
              .choices = {"local", "remote"}},
             {.names = {"recovery-staging-path"},
              .kind = ValueKind::text,
              .help = "old form of --staging-path",
              .metavar = "PATH"},
             {.names = {"local-staging-path"},
              .kind = ValueKind::text,
              .help = "old form of --staging-path",
              .metavar = "PATH"},
             {.names = {"combine-mode"},
              .kind = ValueKind::choice,
              .help = "how files of an incremental chain are copied",
              .choices = {"copy", "link", "clone", "copy-file-range"},
              .unused_because =
                  "incremental backups are combined while they are restored, without a copy"},
         };
}

Options wal_options() {
  return flag_pair("get-wal", "no-get-wal",
                   "let PostgreSQL fetch the WAL from barman while it recovers, instead of copying "
                   "it now",
                   "copy the WAL that is there now into the destination") +
         Options{
             {.names = {"partial-wal"},
              .help =
                  "also take the newest WAL file, which is not complete yet, for a standby, too"},
             {.names = {"skip-archive-wal"},
              .help = "do not first archive the WAL that has been received"},
             {.names = {"skip-wal-check"},
              .help =
                  "do not read the WAL before the restore: whether it reaches the target and can "
                  "be replayed is not known then"},
             {.names = {"restore-command"},
              .kind = ValueKind::text,
              .help = "with --get-wal: the restore_command of PostgreSQL, which fetches a WAL file",
              .metavar = "CMD"},
             {.names = {"recovery-conf-filename"},
              .kind = ValueKind::text,
              .help = "file of the destination that the recovery settings are written to",
              .metavar = "NAME"},
             {.names = {"recovery-option-port"},
              .kind = ValueKind::text,
              .help = "port of the ssh connection in the generated restore_command",
              .metavar = "PORT"},
         };
}

constexpr std::string_view kNoSnapshots = "this version restores no snapshots of disks";

Options snapshot_options() {
  return {
      {.names = {"snapshot-recovery-instance"},
       .kind = ValueKind::text,
       .help = "instance on which the disks of a snapshot backup are mounted",
       .metavar = "INSTANCE",
       .unused_because = kNoSnapshots},
      {.names = {"gcp-zone", "snapshot-recovery-zone"},
       .kind = ValueKind::text,
       .help = "zone of that instance",
       .metavar = "ZONE",
       .unused_because = kNoSnapshots},
      {.names = {"azure-resource-group"},
       .kind = ValueKind::text,
       .help = "resource group of that instance",
       .metavar = "GROUP",
       .unused_because = kNoSnapshots},
      {.names = {"aws-region"},
       .kind = ValueKind::text,
       .help = "region of that instance",
       .metavar = "REGION",
       .unused_because = kNoSnapshots},
  };
}

}  // namespace

std::vector<CommandSpec> restore_command_specs() {
  PositionalSpec backup = one_backup();
  backup.help =
      "ID or name of the backup, one of latest, last, oldest, first, latest-full, last-full, "
      "last-failed, or 'auto' to choose it by the recovery target";
  return {
      {.name = "restore",
       .aliases = {"recover"},
       .summary = "restore a server from a backup",
       .description =
           "Puts a data directory together from a backup and the WAL after it; the server itself "
           "is not touched. Without a target, recovery goes on to the end of the archived WAL. "
           "Example: barman restore main auto /srv/restored --target-time '2026-11-30 14:05:00'.\n"
           "--target-time takes a date and a time: '2026-11-30 14:05', '2026-11-30 14:05:00.5', "
           "'2026-11-30T14:05:00Z', '2026-11-30 14:05:00+01:00', with an offset or UTC or GMT as "
           "its zone. Without a zone that of this host counts, and this is told. 'auto' instead of "
           "a backup takes the newest one that ended before the target.\n"
           "--target-action pause (which PostgreSQL does when nothing is given) stops recovery at "
           "the target and lets you look: the cluster answers queries that only read. 'SELECT "
           "pg_wal_replay_resume();' then ends recovery there, and the cluster takes writes; for "
           "another target stop it and restore again. promote does this at once, shutdown stops "
           "the cluster.\n"
           "With --delta-restore a directory that exists is made right, copying only what "
           "differs; --resume goes on with a restore that was interrupted; --dry-run says what "
           "would be done.",
       .servers = {.arity = ServerArity::single, .disabled = ServerAction::refuse},
       .options = target_options() + copy_options() + wal_options() + snapshot_options(),
       .positionals = {one_server(),
                       backup,
                       {.key = "destination_directory",
                        .metavar = "destination_directory",
                        .help = "the data directory to make"}}},
  };
}

}  // namespace barman::cli
