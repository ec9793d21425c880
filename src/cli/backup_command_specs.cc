#include "cli/option_specs.h"

namespace barman::cli {
namespace {

// What takes the place of copies between hosts.
constexpr std::string_view kSecondHost =
    "Another host reads the bucket itself: with the section of this server, 'active = false' and "
    "the keys it lists, verifies and restores what is there.";

constexpr std::string_view kNotStaged =
    "what goes into a bucket is sent as it comes, and lies in no directory of this host";

Options backup_copy_options() {
  return flag_pair("immediate-checkpoint", "no-immediate-checkpoint",
                   "let PostgreSQL make the checkpoint at the beginning at once, with all its load",
                   "let it spread that checkpoint over minutes (checkpoint_timeout)") +
         Options{
             {.names = {"incremental"},
              .kind = ValueKind::text,
              .help =
                  "take only the blocks that have changed since that backup, which is needed to "
                  "restore this one (PostgreSQL 17 or newer)",
              .metavar = "BACKUP_ID"},
             {.names = {"reuse-backup"},
              .kind = ValueKind::optional_choice,
              .help = "for rsync: files that the previous backup has are copied from it (copy), "
                      "shared with "
                      "it by hard links (link), or all come from PostgreSQL (off); without a "
                      "value: link",
              .choices = {"copy", "link", "off"},
              .constant = "link"},
         } +
         retry_options() + job_options() + Options{bandwidth_option()};
}

Options backup_end_options() {
  return Options{
             {.names = {"wait"},
              .short_names = "w",
              .help = "wait until the WAL that the backup needs is archived"},
             {.names = {"wait-timeout"},
              .kind = ValueKind::non_negative,
              .help = "seconds to wait with --wait; 0 means for ever",
              .metavar = "SEC"},
             {.names = {"keepalive-interval"},
              .kind = ValueKind::non_negative,
              .help =
                  "seconds between two queries that keep firewalls from closing the connection; "
                  "0 means none",
              .metavar = "SEC"},
             {.names = {"name"},
              .kind = ValueKind::backup_name,
              .help = "a name for the backup, to be used instead of its ID",
              .metavar = "NAME"},
         } +
         flag_pair("manifest", "no-manifest",
                   "for rsync: write a list of all files with checksums, for verify-backup",
                   "for rsync: write no such list") +
         Options{
             check_timeout_option(),
             {.names = {"cloud-staging-directory"},
              .kind = ValueKind::absolute_path,
              .help = "directory for data on its way to the cloud",
              .metavar = "DIR",
              .unused_because = kNotStaged},
             {.names = {"cloud-staging-max-size"},
              .kind = ValueKind::staging_size,
              .help = "largest size of the cloud staging directory, for example 10Gi",
              .metavar = "SIZE",
              .unused_because = kNotStaged},
         };
}

CommandSpec backup_spec() {
  return {.name = "backup",
          .summary = "take a base backup of one or more servers",
          .description =
              "Copies the whole cluster while PostgreSQL runs, and begins with a short check. A "
              "backup can be restored as soon as the WAL that was written meanwhile is archived: "
              "until then it is WAITING_FOR_WALS, then DONE; --wait stays until that. Progress and "
              "rate are shown on a terminal, and elsewhere by list-processes. After Ctrl-C the "
              "backup is FAILED. Example: barman backup main --wait --name before-upgrade.",
          .servers = {.arity = ServerArity::multiple,
                      .inactive = ServerAction::skip,
                      .disabled = ServerAction::refuse,
                      .passive = ServerAction::skip,
                      .must_have_all = true},
          .options = backup_copy_options() + backup_end_options(),
          .positionals = {server_list()}};
}

CommandSpec keep_spec() {
  return {.name = "keep",
          .summary = "exempt a backup from the retention policy",
          .description =
              "Neither the retention policy nor delete removes a backup that is kept, nor the WAL "
              "that it needs for its target. Give one of --target, --status and --release.",
          .servers = kAnyServer,
          .options = {{.names = {"release"},
                       .short_names = "r",
                       .help = "put the backup under the retention policy again"},
                      {.names = {"status"}, .short_names = "s", .help = "show whether it is kept"},
                      {.names = {"target"},
                       .kind = ValueKind::choice,
                       .help = "keep it for recovery to any later time (full) or only to its own "
                               "end (standalone)",
                       .choices = {"full", "standalone"}}},
          .positionals = {one_server(), one_backup()}};
}

CommandSpec list_files_spec() {
  return {.name = "list-files",
          .summary = "list the files of a backup",
          .description =
              "Their paths on this host, one a line, for a program that copies them elsewhere: "
              "barman list-files main latest | tar -cf copy.tar -T -",
          .servers = kAnyServer,
          .options = {{.names = {"target"},
                       .kind = ValueKind::choice,
                       .help = "which files: the backup with the WAL it needs (standalone), "
                               "without WAL (data), all later WAL (wal), or everything (full)",
                       .choices = {"standalone", "data", "wal", "full"},
                       .default_text = "standalone"},
                      {.names = {"list-empty-directories"}, .help = "list empty directories too"}},
          .positionals = {one_server(), one_backup()}};
}

CommandSpec list_backups_spec() {
  return {.name = "list-backups",
          .aliases = {"list-backup"},
          .summary = "list the backups of one or more servers, newest first",
          .description =
              "Each backup is one line: its ID, type, end, size with the WAL that it needs to be "
              "consistent ('with WALs' of show-backup), the size of the WAL after it, and what the "
              "retention policy says of it. --table shows the same as a table, with the size of "
              "the files alone ('Backup Size' of show-backup) beside those of the WAL of its own "
              "and of later WAL, with ages and the recovery window as a bar: from the end of the "
              "first usable backup to the last "
              "archived WAL file, one mark a backup. Gaps in the WAL are found by catalogue-check.",
          .servers = {.arity = ServerArity::multiple},
          .options = {{.names = {"minimal"}, .help = "show the IDs only"}, table_option()},
          .positionals = {server_list()}};
}

CommandSpec export_backup_spec() {
  return {.name = "export-backup",
          .summary = "write a backup and its WAL into one tar file",
          .description =
              "The file holds everything that a restore needs: the backup, the WAL until it is "
              "consistent, and what the catalogue knows of it. Its name has the checksum of its "
              "content, and it gets this name only when it is complete. The backup is read once "
              "and stays in the catalogue; out of a bucket it comes straight, with nothing else on "
              "the disk, compared with its manifest, unpacked and decrypted. Bring the file back "
              "with import-backup, on this host or another one.",
          .servers = kAnyServer,
          .options = {{.names = {"compression"},
                       .kind = ValueKind::choice,
                       .help = "how the file is compressed",
                       .choices = {"gzip", "bzip2", "xz"}},
                      {.names = {"compression-level"},
                       .kind = ValueKind::text,
                       .help = "level of the compression",
                       .metavar = "N"}},
          .positionals = {one_server(),
                          one_backup(),
                          {.key = "output_directory",
                           .metavar = "output_directory",
                           .help = "where the file is written"}}};
}

CommandSpec sync_info_spec() {
  return {
      .name = "sync-info",
      .summary = "print what a passive node needs to know of a server",
      .description =
          "A passive node is a second barman that copies backups and WAL from the first one "
          "(primary_ssh_command); its cron asks with this command, and copies with sync-backup and "
          "sync-wals.",
      .servers = kAnyServer,
      .options = {{.names = {"primary"}, .help = "ask the primary node of a passive server"}},
      .positionals = {one_server(),
                      {.key = "last_wal",
                       .metavar = "last_wal",
                       .help = "report only WAL after this one",
                       .arity = Arity::optional},
                      {.key = "last_position",
                       .metavar = "last_position",
                       .help = "where that WAL stands in the WAL index",
                       .arity = Arity::optional,
                       .kind = ValueKind::non_negative}}};
}

CommandSpec on_one_backup(std::string_view name, std::string_view summary, ServerPolicy policy) {
  return {.name = name,
          .summary = summary,
          .servers = policy,
          .positionals = {one_server(), one_backup()}};
}

CommandSpec described(CommandSpec command, std::string_view description) {
  command.description = description;
  return command;
}

CommandSpec needing(CommandSpec command, LocalFiles files, std::string_view refusal) {
  command.needs = {.files = files, .refusal = refusal, .next_step = kSecondHost};
  return command;
}

CommandSpec consolidate_spec() {
  CommandSpec command =
      on_one_backup("consolidate", "make a full backup out of an incremental one",
                    {.arity = ServerArity::single, .disabled = ServerAction::refuse});
  command.description =
      "Puts the incremental backup and everything it builds on together as a new full backup in "
      "the "
      "catalogue; PostgreSQL is not asked. Every file is verified on the way. The old backups "
      "stay, "
      "and can be deleted afterwards.";
  command.options = job_options();
  return command;
}

CommandSpec delete_spec() {
  CommandSpec command =
      on_one_backup("delete", "delete a backup and the WAL that only it needs", kUsableServer);
  command.description =
      "Incremental backups on top of the backup go with it. A backup that is needed for "
      "minimum_redundancy, or that keep protects, is refused. --dry-run shows first what would "
      "go and what would stay, with the reasons.";
  command.options = {{.names = {"dry-run"},
                      .help = "change nothing; show what would be deleted, what is kept, and why"}};
  return command;
}

CommandSpec rebuild_catalogue_spec() {
  return {.name = "rebuild-catalogue",
          .summary = "get the catalogue of a server back from its bucket",
          .description =
              "For a server whose backups lie in a bucket, on a host that has lost barman_home: "
              "writes the metadata of the backups that are in the bucket and not known here, and "
              "the index of the WAL. What is known here stays, and nothing in the bucket is "
              "changed.",
          .servers = {.arity = ServerArity::single,
                      .inactive = ServerAction::refuse,
                      .disabled = ServerAction::refuse},
          .positionals = {one_server()}};
}

CommandSpec check_backup_spec() {
  CommandSpec command =
      on_one_backup("check-backup", "check that the WAL a backup needs is archived", kAnyServer);
  command.description =
      "A backup that waits for WAL (WAITING_FOR_WALS) becomes DONE when all of it is there, and "
      "FAILED when a file is missing that will not come any more. cron does it by itself. "
      "verify-backup reads the backup, too.";
  return command;
}

CommandSpec verify_backup_spec() {
  CommandSpec command =
      on_one_backup("verify-backup", "check a backup against its manifest", kAnyServer);
  command.description =
      "Reads the whole backup: every file of backup_manifest must be there with its size and "
      "checksum, and no other file may be; pages of relations must have right checksums where the "
      "cluster has them; the WAL that the backup needs must be archived and readable record by "
      "record. Nothing is changed, and no program of PostgreSQL is needed. The exit code is 1 when "
      "anything is wrong, and each file is named.";
  return command;
}

CommandSpec with_aliases(CommandSpec command, std::vector<std::string_view> aliases) {
  command.aliases = std::move(aliases);
  return command;
}

}  // namespace

std::vector<CommandSpec> backup_command_specs() {
  constexpr ServerPolicy kActiveServer = {.arity = ServerArity::single,
                                          .inactive = ServerAction::skip,
                                          .disabled = ServerAction::refuse};
  return {
      backup_spec(),
      check_backup_spec(),
      consolidate_spec(),
      delete_spec(),
      export_backup_spec(),
      described(on_one_backup("generate-manifest", "write the backup manifest of an rsync backup",
                              kActiveServer),
                "Reads every file of the backup once and writes the list of their checksums, which "
                "verify-backup, --delta-restore and pg_verifybackup use. It proves what changes "
                "from now on, not what was copied. A backup that has a manifest is refused."),
      {.name = "import-backup",
       .summary = "register a backup from a file made by export-backup",
       .description =
           "Reads the file and compares it with the checksum in its name; nothing is visible "
           "before all of it was checked. The backup gets its old ID, and its WAL is added to the "
           "archive of the server; the file stays. A backup of another PostgreSQL system is "
           "refused. Into a bucket the file is read twice, to check it and to send it straight up, "
           "in the form in which the server keeps its backups. After a crash, import it again.",
       .servers = {.arity = ServerArity::single,
                   .inactive = ServerAction::refuse,
                   .disabled = ServerAction::refuse},
       .positionals = {one_server(),
                       {.key = "tarball", .metavar = "tarball", .help = "the exported file"}}},
      keep_spec(),
      list_backups_spec(),
      list_files_spec(),
      rebuild_catalogue_spec(),
      with_aliases(
          described(on_one_backup("show-backup", "show the details of a backup", kAnyServer),
                    "Its status, its size and that of its WAL, when and from where to where it was "
                    "taken, and what the retention policy says of it. What a failed one failed of "
                    "stands there, too; of one that runs, how far it is."),
          {"show-backups"}),
      needing(
          described(
              on_one_backup("sync-backup", "copy a backup from the primary node", kActiveServer),
              "For a passive node (see sync-info); its cron does it. A copy that was "
              "interrupted goes on with what has arrived."),
          LocalFiles::backups, "'sync-backup' is not supported for servers using cloud storage"),
      sync_info_spec(),
      {.name = "sync-wals",
       .summary = "copy WAL from the primary node",
       .description = "For a passive node (see sync-info); its cron does it.",
       .servers = kActiveServer,
       .needs = {.files = LocalFiles::wals,
                 .refusal = "'sync-wals' is not supported for servers using cloud storage",
                 .next_step = kSecondHost},
       .positionals = {one_server()}},
      with_aliases(verify_backup_spec(), {"verify"}),
  };
}

}  // namespace barman::cli
