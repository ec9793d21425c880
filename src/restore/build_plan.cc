#include "restore/build_plan.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/relative_path.h"
#include "postgres/system_id.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"
#include "restore/recovery_settings.h"
#include "restore/refuse_places.h"
#include "wal_archive/wal_selection.h"

namespace barman::restore {
namespace fs = std::filesystem;

using wal_archive::list_spans;
using wal_archive::PartialFiles;
using wal_archive::select_wal;
using wal_archive::SelectedWal;
using wal_archive::TimelineChoice;
using wal_archive::TimelineDefault;
using wal_archive::TimelineSpan;
using wal_archive::WalSelection;

namespace {

constexpr int kNewestVersion = 990000;

// Builds the parts of one plan; `request_` and `facts_` are only read.
class Planner {
 public:
  Planner(const RestoreFacts& facts, const RestoreRequest& request, const RecoveryTarget& target,
          const Relocations& relocations)
      : facts_(facts),
        request_(request),
        relocations_(relocations),
        target_(target),
        // A backup without version is treated like one of the newest server.
        version_(facts.backup.version.value_or(kNewestVersion)) {}

  RestorePlan run() {
    refuse_impossible_target(target_, facts_.backup);
    choose_timeline();
    plan_base_backup();
    plan_wal();
    plan_recovery();
    plan_places();
    add_messages();
    refuse_places(facts_, request_, plan_);
    refuse_damaged_backup();
    plan_.target = target_;
    return std::move(plan_);
  }

 private:
  bool writes_recovery() const {
    return target_.is_pitr() || request_.get_wal || request_.standby_mode;
  }

  void choose_timeline() {
    // Without recovery settings PostgreSQL stays on the timeline of the backup, and so did recovery
    // before version 12.
    const TimelineDefault when_not_given = writes_recovery() && version_ >= postgres::kVersion12
                                               ? TimelineDefault::present
                                               : TimelineDefault::own;
    timeline_ = wal_archive::choose_timeline(facts_.timelines, facts_.backup, target_.timeline,
                                             when_not_given);
  }

  void plan_base_backup() {
    plan_.server_name = facts_.server_name;
    plan_.backup_id = facts_.backup.id;
    plan_.destination = fs::path(request_.destination).lexically_normal();
    if (!plan_.destination.has_filename()) plan_.destination = plan_.destination.parent_path();
    plan_.pg_wal_name = postgres::facts_for(version_).wal_directory;
    plan_.is_encrypted = facts_.backup.encryption.has_value();
    plan_.trees = list_trees(facts_, plan_.destination.string(), relocations_);
    for (const catalogue::Tablespace& tablespace : facts_.backup.tablespaces) {
      plan_.tablespaces.push_back({.oid = tablespace.oid,
                                   .name = tablespace.name,
                                   .location = location_of(tablespace, relocations_)});
    }
    plan_.chain = facts_.chain;
    plan_.passed_through = facts_.passed_through;
    plan_.backup_label = facts_.backup.backup_label.value_or("");
    plan_.manifest_path = facts_.manifest_path;
    plan_.total_bytes = facts_.scan.total_bytes;
    plan_.stored_bytes = facts_.stored_bytes;
    plan_.rate = facts_.rate;
    plan_.rate_kind = facts_.rate_kind;
    plan_.updates_existing = request_.delta_restore || request_.resume;
    plan_.restored = facts_.backup;
    if (!facts_.chain.empty()) {
      plan_.restored.parent_backup_id.reset();
      plan_.restored.backup_label.reset();
    }
    plan_.recover_info = catalogue::format_backup_info(facts_.backup);
    if (target_.is_pitr()) plan_.target_text = describe_target(target_, timeline_.timeline);
    plan_.uses_get_wal = request_.get_wal;
    plan_.remote_command = request_.remote_ssh_command.value_or("");
    plan_.worker_count = request_.worker_count;
    plan_.bandwidth_limit = request_.bandwidth_limit;
  }

  // With get-wal nothing is put there, so it is nothing to write either.
  bool stages_wal() const { return request_.staging_wal_directory && !request_.get_wal; }

  fs::path wal_directory() const {
    if (!target_.is_pitr()) return plan_.destination / plan_.pg_wal_name;
    if (stages_wal()) return *request_.staging_wal_directory;
    return plan_.destination / "barman_wal";
  }

  void plan_wal() {
    plan_.wal.directory = wal_directory();
    plan_.wal.archive = facts_.archive;
    plan_.wal.coding = facts_.wal_coding;
    plan_.wal.segment_size = facts_.backup.xlog_segment_size;
    if (target_.is_pitr() && !plan_.wal.directory.is_absolute()) {
      throw Error(ErrorKind::usage,
                  fmt::format("The staging WAL directory '{}' is not an absolute path",
                              plan_.wal.directory.string()),
                  "Give a path that begins with a slash.");
    }
    if (request_.get_wal) {
      refuse_damaged_history();
      plan_fetched_wal();
      return;
    }
    plan_.wal.is_copied = true;
    plan_.wal.has_done_markers = !target_.is_pitr();
    const WalSelection selection = select();
    refuse_unreadable(selection);
    for (const SelectedWal& file : selection.files) {
      if (!is_left_out(file)) plan_.wal.files.push_back(copy_of(file));
    }
    for (const SelectedWal& file : selection.partials) plan_.wal.partials.push_back(copy_of(file));
    plan_.wal.total_bytes = selection.total_bytes;
    tell_unfinished(selection);
    warn_of_unindexed(selection);
    check_completeness(selection);
    if (!is_consistency_missing_) plan_replay(plan_.wal.files, plan_.wal.partials);
  }

  // What restore_command will find: it fetches from the archive that is looked at here.
  void plan_fetched_wal() {
    const auto is_usable = [&](const std::optional<std::string>& name) {
      return name && wal::parse_segment_name(*name, facts_.backup.xlog_segment_size);
    };
    if (!is_usable(facts_.backup.begin_wal) || !is_usable(facts_.backup.end_wal)) return;
    const WalSelection selection = select();
    if (!request_.skip_wal_check && !request_.standby_mode) check_completeness(selection);
    if (selection.missing_for_consistency) return;
    if (selection.encrypted && !facts_.wal_coding.cipher().can_decrypt()) return;
    std::vector<WalFileCopy> files;
    for (const SelectedWal& file : selection.files) files.push_back(copy_of(file));
    std::vector<WalFileCopy> partials;
    for (const SelectedWal& file : selection.partials) partials.push_back(copy_of(file));
    plan_replay(files, partials);
  }

  void plan_replay(const std::vector<WalFileCopy>& files,
                   const std::vector<WalFileCopy>& partials) {
    const catalogue::BackupInfo& backup = facts_.backup;
    if (request_.skip_wal_check || !backup.begin_xlog || !backup.end_xlog) return;
    ReplayPlan& replay = plan_.replay;
    replay.timeline = timeline_.timeline;
    replay.begin = *backup.begin_xlog;
    replay.consistent_at = *backup.end_xlog;
    replay.segment_size = backup.xlog_segment_size;
    replay.may_more_come = request_.standby_mode;
    if (backup.version >= postgres::kVersion10) replay.server_major = *backup.version / 10000;
    if (backup.systemid) {
      const auto system_id = postgres::parse_system_id(*backup.systemid);
      if (system_id) replay.system_id = system_id->value;
    }
    replay.files = in_order_of_replay(files, partials);
  }

  std::vector<ReplayFile> in_order_of_replay(const std::vector<WalFileCopy>& files,
                                             const std::vector<WalFileCopy>& partials) const {
    std::map<wal::Segment, ReplayFile> segments;
    const auto add = [&](const WalFileCopy& file, bool is_partial) {
      const auto segment = wal::parse_segment_name(file.name, facts_.backup.xlog_segment_size);
      if (segment) segments.try_emplace(*segment, ReplayFile{segment->number, file, is_partial});
    };
    for (const WalFileCopy& file : files) add(file, false);
    for (const WalFileCopy& file : partials) add(file, true);
    // Later timelines come later and win.
    std::map<std::uint64_t, const ReplayFile*> numbers;
    for (const auto& [segment, file] : segments) numbers[segment.number] = &file;
    std::vector<ReplayFile> result;
    std::uint64_t next = facts_.backup.begin_xlog->value / facts_.backup.xlog_segment_size.bytes;
    for (auto found = numbers.find(next); found != numbers.end(); found = numbers.find(++next)) {
      result.push_back(*found->second);
    }
    return result;
  }

  // History files that the index names and nobody has, and one that PostgreSQL must not read.
  bool is_left_out(const SelectedWal& file) const {
    const wal::ArchiveName name = wal::parse_archive_name(file.name);
    if (name.kind != wal::ArchiveName::Kind::history || !file.received_path.empty()) return false;
    if (timeline_.hides_own_history && name.timeline == timeline_.timeline) return true;
    return !facts_.timelines.histories.contains(name.timeline) &&
           !facts_.timelines.damaged.contains(name.timeline);
  }

  // What get-wal delivers is not for us to choose.
  void refuse_damaged_history() const {
    if (!timeline_.hides_own_history) return;
    throw Error(ErrorKind::corrupt, facts_.timelines.history_problem(timeline_.timeline),
                "PostgreSQL would ask for that file with get-wal: put PostgreSQL's copy in its "
                "place, or restore with --no-get-wal, which leaves it out.");
  }

  wal::Segment required_segment(const std::optional<std::string>& name, const char* field) const {
    const std::optional<wal::Segment> segment =
        name ? wal::parse_segment_name(*name, facts_.backup.xlog_segment_size) : std::nullopt;
    if (!segment) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}' has no usable {} in its backup.info",
                              facts_.backup.id.value, field),
                  "Restore another backup.");
    }
    return *segment;
  }

  WalSelection select() {
    const wal::Segment begin = required_segment(facts_.backup.begin_wal, "begin_wal");
    const wal::Segment end = required_segment(facts_.backup.end_wal, "end_wal");
    spans_ = list_spans(facts_.timelines.history_of(timeline_.timeline), begin.timeline,
                        begin.number, facts_.backup.xlog_segment_size);
    last_number_ = last_number_needed(target_, facts_.backup);
    // What a standby has replayed it cannot take back, and its primary may never have had it.
    const bool takes_partials = request_.partial_wal || !request_.standby_mode;
    return select_wal(
        facts_.wal, facts_.received,
        {.spans = spans_,
         .last_number = last_number_,
         .partial_files = takes_partials ? PartialFiles::take : PartialFiles::skip,
         .required = {.timeline = begin.timeline, .first = begin.number, .last = end.number},
         .segment_size = facts_.backup.xlog_segment_size});
  }

  WalFileCopy copy_of(const SelectedWal& file) const {
    WalFileCopy copy = {.source = facts_.archive.path_of(file.source_name),
                        .name = file.name,
                        .size_bytes = file.size_bytes,
                        .moves_to = {},
                        .is_coded = file.is_coded};
    if (file.received_path.empty()) return copy;
    copy.source = file.received_path;
    if (file.source_name != file.name) {
      copy.moves_to.push_back(file.received_path.parent_path() / file.name);
    }
    copy.moves_to.push_back(facts_.archive.path_of(file.name));
    return copy;
  }

  void tell_unfinished(const WalSelection& selection) {
    for (const std::string& unread : facts_.unread_received) {
      plan_.warnings.push_back(
          fmt::format("received WAL cannot be read and is left out, {}: the newest changes may be "
                      "missing.",
                      unread));
    }
    for (const SelectedWal& file : selection.partials) {
      if (file.received_path.empty()) continue;
      plan_.notes.push_back(
          fmt::format("WAL segment '{}' is not complete yet: what has arrived of it is taken from "
                      "'{}'.",
                      file.name, file.received_path.string()));
    }
  }

  void warn_of_unindexed(const WalSelection& selection) {
    for (const std::string& name : facts_.unindexed_wal) {
      const bool is_used =
          std::any_of(selection.files.begin(), selection.files.end(),
                      [&](const SelectedWal& file) { return file.source_name == name; });
      if (!is_used) continue;
      plan_.warnings.push_back(
          fmt::format("WAL segment '{}' lies in the archive and is not in its index: it is taken "
                      "nevertheless. Run 'barman rebuild-xlogdb {}'.",
                      name, facts_.server_name));
    }
  }

  void refuse_unreadable(const WalSelection& selection) const {
    if (!selection.encrypted || facts_.wal_coding.cipher().can_decrypt()) return;
    throw Error(
        ErrorKind::config,
        fmt::format("Encrypted WAL file '{}' detected, but no 'encryption_passphrase_command' is "
                    "configured.",
                    selection.encrypted->name),
        "Set encryption_passphrase_command to a command that prints the passphrase of the key.");
  }

  void check_completeness(const WalSelection& selection) {
    const auto name_of = [&](const wal::Segment& segment) {
      return wal::segment_name(segment, facts_.backup.xlog_segment_size);
    };
    // Of what is fetched later nothing is said after a copy.
    is_consistency_missing_ = selection.missing_for_consistency && !request_.get_wal;
    is_consistency_partial_ = selection.is_consistency_partial && !request_.get_wal;
    if (selection.missing_for_consistency) {
      if (facts_.backup.status == catalogue::BackupStatus::waiting_for_wals) return;
      throw Error(ErrorKind::not_found,
                  fmt::format("WAL segment '{}' is not in the archive, and backup '{}' is not "
                              "consistent without it",
                              name_of(*selection.missing_for_consistency), facts_.backup.id.value),
                  "Archive the segment (barman put-wal), or restore another backup. --get-wal with "
                  "--skip-wal-check prepares it nevertheless.");
    }
    refuse_unreachable_timeline(selection);
    refuse_unreachable_lsn(selection);
    if (selection.first_gap) {
      plan_.warnings.push_back(
          fmt::format("WAL segment '{}' is missing in the archive: recovery cannot go beyond it.",
                      name_of(*selection.first_gap)));
    }
  }

  // A timeline is reached at the segment in which it begins, a copy of its parent's that goes on
  // otherwise. The parent's own would lead past the fork.
  void refuse_unreachable_timeline(const WalSelection& selection) {
    const wal::Segment begin{.timeline = timeline_.timeline, .number = spans_.back().first};
    const auto is_before = [&](std::optional<std::uint64_t> number) {
      return number && *number < begin.number;
    };
    // The segments behind a target LSN are taken for a record that may be long.
    const std::optional<std::uint64_t> target_number =
        target_.lsn ? std::optional(
                          wal::segment_of({}, *target_.lsn, facts_.backup.xlog_segment_size).number)
                    : std::nullopt;
    const bool ends_before = is_before(last_number_) || is_before(target_number);
    if (timeline_.timeline == facts_.backup.wal_timeline() || ends_before ||
        request_.standby_mode) {
      return;
    }
    const std::string name = wal::segment_name(begin, facts_.backup.xlog_segment_size);
    const auto is_begin = [&](const SelectedWal& file) { return file.name == name; };
    const bool has_begin =
        std::any_of(selection.files.begin(), selection.files.end(), is_begin) ||
        std::any_of(selection.partials.begin(), selection.partials.end(), is_begin);
    const bool has_way = !selection.first_gap || selection.first_gap->number > begin.number;
    if (has_begin && has_way) return;
    const std::string missing =
        has_way ? name : wal::segment_name(*selection.first_gap, facts_.backup.xlog_segment_size);
    const std::string reason =
        fmt::format("WAL segment '{}' is not in the archive: recovery does not come to timeline {}",
                    missing, timeline_.timeline.value);
    // Another target may lie before.
    if (target_.time || target_.xid || target_.name) {
      plan_.warnings.push_back(reason + ".");
      return;
    }
    throw Error(ErrorKind::not_found, reason,
                "Archive the segment (barman put-wal), or choose another timeline with "
                "--target-tli. --get-wal with --skip-wal-check prepares it nevertheless.");
  }

  void refuse_unreachable_lsn(const WalSelection& selection) const {
    if (!target_.lsn || request_.standby_mode || request_.skip_wal_check) return;
    const wal::SegmentSize size = facts_.backup.xlog_segment_size;
    std::uint64_t last = selection.last_segment ? selection.last_segment->number : 0;
    for (const SelectedWal& partial : selection.partials) {
      const auto segment = wal::parse_segment_name(partial.name, size);
      if (segment) last = std::max(last, segment->number);
    }
    if (selection.first_gap) last = selection.first_gap->number - 1;
    if (wal::segment_of({}, *target_.lsn, size).number <= last) return;
    throw Error(
        ErrorKind::not_found,
        fmt::format("The requested target LSN {} lies behind the archived WAL, which is complete "
                    "up to segment '{}' only",
                    target_.lsn_text,
                    wal::segment_name({.timeline = timeline_.timeline, .number = last}, size)),
        fmt::format("Run 'barman switch-wal --archive {}', or add --skip-wal-check to prepare it "
                    "nevertheless.",
                    facts_.server_name));
  }

  std::string settings_file() const {
    if (version_ < postgres::kVersion12) return "recovery.conf";
    return request_.recovery_conf_filename.value_or("postgresql.auto.conf");
  }

  void plan_recovery() {
    const std::string file = settings_file();
    if (!pipeline::is_safe_relative_path(file)) {
      throw Error(ErrorKind::usage,
                  fmt::format("--recovery-conf-filename: '{}' is not a name below the data "
                              "directory",
                              file),
                  "Give a file name, as postgresql.auto.conf.");
    }
    plan_.examined_files = {"postgresql.conf", "postgresql.auto.conf"};
    if (!writes_recovery()) return;
    RecoveryPlan& recovery = plan_.recovery;
    recovery.is_written = true;
    recovery.settings = format_recovery_settings(
        {.server_name = facts_.server_name,
         .barman_user = facts_.barman_user,
         .server_version = version_,
         .target = target_,
         .standby_mode = request_.standby_mode,
         .get_wal = request_.get_wal,
         .wal_in_bucket = facts_.archive.is_in_bucket(),
         .fetch_jobs = request_.fetch_jobs,
         .remote = remote_fetching(),
         .restore_command = request_.restore_command,
         .staging_wal_directory = !request_.get_wal && target_.is_pitr()
                                      ? std::optional(plan_.wal.directory.string())
                                      : std::nullopt,
         .forced_timeline = timeline_.setting});
    recovery.settings_file = file;
    if (version_ >= postgres::kVersion12) {
      recovery.signal_file = request_.standby_mode ? "standby.signal" : "recovery.signal";
      if (file != "postgresql.conf" && file != "postgresql.auto.conf") {
        plan_.examined_files.push_back(file);
      }
    }
    if (request_.get_wal || target_.is_pitr()) plan_.restore_command = RestoreCommand::ours;
  }

  std::optional<RemoteFetching> remote_fetching() const {
    if (!request_.remote_ssh_command) return std::nullopt;
    return RemoteFetching{facts_.barman_host, request_.recovery_option_port, request_.fetch_jobs};
  }

  // What is written outside of the destination, and what is left of what was there.
  void plan_places() {
    plan_.marker = {.server_name = plan_.server_name,
                    .backup_id = plan_.backup_id,
                    .destination = facts_.destination.resolved,
                    .tablespaces = {}};
    plan_.wal_return = {.read = "tar -cf - SHA256SUMS 0*",
                        .store = fmt::format("barman put-wal {}", plan_.server_name)};
    plan_.archived_here = facts_.archived_here;
    plan_.received_here = facts_.received_here;
    plan_.received_partials = facts_.received_partials;
    plan_.directories.push_back({plan_.destination, "data directory"});
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      plan_.directories.push_back({tablespace.location, "tablespace " + tablespace.name});
      plan_.marker.tablespaces[tablespace.oid] = tablespace.location;
    }
    if (target_.is_pitr() && stages_wal()) {
      plan_.directories.push_back({plan_.wal.directory, "WAL for recovery"});
      plan_.marker.staging_wal = plan_.wal.directory;
    }
    if (!plan_.updates_existing) return;
    if (facts_.destination.wal_link)
      plan_.directories.push_back({*facts_.destination.wal_link, plan_.pg_wal_name});
    warn_about_left_tablespaces();
  }

  void warn_about_left_tablespaces() {
    for (const auto& [oid, place] : facts_.destination.tablespace_links) {
      const auto is_same = [&, left = oid, &where = place](const TablespacePlan& tablespace) {
        return tablespace.oid == left &&
               facts_.tablespace_targets.at(tablespace.name).resolved == where;
      };
      if (std::any_of(plan_.tablespaces.begin(), plan_.tablespaces.end(), is_same)) continue;
      plan_.warnings.push_back(fmt::format(
          "The tablespace directory '{}' (OID {}) of the cluster in '{}' is not "
          "written: it stays as it is, and nothing in the restored cluster leads to it.",
          place.string(), oid, plan_.destination.string()));
    }
  }

  void add_messages() {
    if (is_consistency_missing_) {
      plan_.warnings.insert(plan_.warnings.begin(),
                            "IMPORTANT: You have requested a recovery operation for a backup that "
                            "does not have yet all the WAL files that are required for "
                            "consistency.");
      plan_.warnings_after_copy.push_back(
          "IMPORTANT: The backup we have restored IS NOT VALID. Required WAL files are still "
          "missing. Archive them and restore again, or fetch them with --get-wal.");
    }
    if (facts_.has_mixed_checksums) {
      plan_.warnings.push_back(
          "The backup was taken with data checksums, but some backups that it builds on were taken "
          "without: PostgreSQL will report pages that come from those. Start the restored cluster "
          "with ignore_checksum_failure = on, and after a clean shutdown disable its checksums "
          "with 'pg_checksums --disable'.");
    }
    if (!is_consistency_missing_ && is_consistency_partial_) {
      plan_.warnings.push_back(
          "The last WAL segment of this backup has not arrived completely. PostgreSQL starts if "
          "the end of the backup has arrived, and refuses otherwise.");
    }
    if (request_.partial_wal && request_.get_wal) {
      plan_.warnings.push_back(
          "The --partial-wal option was ignored as it only works with --no-get-wal.");
    } else if (request_.partial_wal && target_.immediate) {
      plan_.warnings.push_back(
          "The --partial-wal option was ignored as it has no effect with --target-immediate.");
    }
    if (target_.zone_was_assumed) {
      plan_.warnings.push_back(
          "No time zone has been specified through '--target-time' command-line option. Barman "
          "assumed the same time zone from the Barman host.");
    }
    if (!target_.zone_doubt.empty()) plan_.warnings.push_back(target_.zone_doubt);
    if (is_exclusive_in_vain(target_)) plan_.warnings.emplace_back(kExclusiveInVain);
    if (request_.restore_command && request_.get_wal) {
      plan_.notes.push_back(fmt::format("Custom restore command override: restore_command = '{}'",
                                        replace_all(*request_.restore_command, "'", "''")));
    } else if (request_.restore_command && !request_.standby_mode) {
      plan_.warnings.push_back(
          "The provided custom restore command was ignored as it only works with get-wal mode.");
    }
    warn_about_timelines();
  }

  void warn_about_timelines() {
    if (timeline_.hides_own_history) {
      plan_.warnings.push_back(fmt::format(
          "{}: it is left out of the restore, which stays on timeline {} and does not need it.",
          facts_.timelines.history_problem(timeline_.timeline), timeline_.timeline.value));
    }
    const catalogue::Standing standing = facts_.timelines.standing_of(facts_.backup);
    if (standing.is_abandoned()) {
      plan_.warnings.push_back(fmt::format("Backup {} does not lead to the present: {}.",
                                           facts_.backup.id.value,
                                           catalogue::describe_standing(standing)));
    }
    const bool is_told = warn_about_present();
    if (!is_told && timeline_.setting &&
        (!target_.timeline || target_.timeline->kind == wal::TimelineTarget::Kind::latest)) {
      plan_.warnings.push_back(fmt::format(
          "The latest timeline in the archive does not descend from the backup, or is not reached "
          "without a gap: recovery follows timeline {}.",
          timeline_.timeline.value));
    }
    const wal::TimelineId newest =
        wal_archive::choose_timeline(facts_.timelines, facts_.backup, {}, TimelineDefault::present)
            .timeline;
    if (!writes_recovery() && newest != timeline_.timeline) {
      plan_.warnings.push_back(
          fmt::format("The archive continues this backup on timeline {}. Without a recovery target "
                      "PostgreSQL stays on timeline {}; add --target-tli {} to follow.",
                      newest.value, timeline_.timeline.value,
                      newest == facts_.timelines.descendants_of(facts_.backup).front()
                          ? "latest"
                          : fmt::to_string(newest.value)));
    }
  }

  // To who wants all there is; false when there is nothing to tell.
  bool warn_about_present() {
    const bool wants_latest =
        target_.timeline && target_.timeline->kind == wal::TimelineTarget::Kind::latest;
    const bool has_stop =
        target_.time || target_.xid || target_.lsn || target_.name || target_.immediate;
    if (!wants_latest && (target_.timeline || has_stop)) return false;
    std::string text = wal_archive::describe_left_out(facts_.timelines, timeline_.timeline);
    if (text.empty()) return false;
    plan_.warnings.push_back(std::move(text));
    return true;
  }

  void refuse_damaged_backup() const {
    const std::vector<std::string>& problems = facts_.scan.problems;
    if (problems.empty()) return;
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' of server '{}' is damaged: {}", facts_.backup.id.value,
                            facts_.server_name, join(problems, ", ")),
                "Restore another backup, or put intact files in place.");
  }

  const RestoreFacts& facts_;
  const RestoreRequest& request_;
  const Relocations& relocations_;
  const RecoveryTarget& target_;
  const int version_;
  TimelineChoice timeline_;
  std::vector<TimelineSpan> spans_;
  std::optional<std::uint64_t> last_number_;
  bool is_consistency_missing_ = false;
  bool is_consistency_partial_ = false;
  RestorePlan plan_;
};

}  // namespace

RestorePlan build_plan(const RestoreFacts& facts, const RestoreRequest& request,
                       const RecoveryTarget& target, const Relocations& relocations) {
  return Planner(facts, request, target, relocations).run();
}

}  // namespace barman::restore
