#include "restore/execute_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "copy/combined_manifest.h"
#include "copy/copy_task.h"
#include "copy/file_copier.h"
#include "copy/passed_chain.h"
#include "restore/clear_destination.h"
#include "restore/restore_marker.h"
#include "restore/wal_decoder.h"
#include "stored/backup_evidence.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
// With group access (initdb -g) PostgreSQL lets the group read all that it makes.
constexpr mode_t kGroupDirectoryMode = 0750;
constexpr mode_t kGroupFileMode = 0640;

void set_mode(const fs::path& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
  }
}

void create_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    throw_errno(fmt::format("cannot create directory \"{}\"", path.string()));
  }
  set_mode(path, mode);
}

class Execution {
 public:
  Execution(const RestorePlan& plan, stored::ManifestIndex* manifest,
            const RestoreReporting& reporting, const Interrupt& interrupt)
      : plan_(plan),
        manifest_(manifest),
        messages_(reporting.messages),
        progress_(reporting.progress),
        interrupt_(interrupt) {}

  ExecutedRestore run() {
    in_context("Failure copying base backup", [&] { copy_base_backup(); });
    write_own_file(".barman-recover.info", plan_.recover_info);
    in_context("Failure copying WAL files", [&] { copy_wal(); });
    configure();
    create_control_file();
    return std::move(result_);
  }

 private:
  copy::FileCopier make_copier() const {
    return copy::FileCopier(
        {.worker_count = plan_.worker_count, .bandwidth_limit = plan_.bandwidth_limit}, progress_,
        interrupt_);
  }

  void copy_base_backup() {
    messages_.info("Copying the base backup.");
    if (plan_.is_encrypted) {
      messages_.info(fmt::format("Decrypting files from backup '{}' for server '{}'.",
                                 plan_.backup_id.value, plan_.server_name));
    }
    make_directories(plan_.destination, kDirectoryMode);
    mark_places();
    if (plan_.updates_existing) {
      for (const std::string& saved : clear_destination(plan_, interrupt_)) {
        messages_.warning(saved);
      }
    }
    prepare_tablespaces();
    const std::string combining =
        fmt::format("combining backup via pg_combinebackup for backup {}", plan_.backup_id.value);
    const bool is_combined = !plan_.chain.empty();
    if (is_combined) {
      messages_.info(fmt::format("Start {} on {}", combining, plan_.destination.string()));
    }
    progress_.begin("restore", plan_.total_bytes);
    copy::FileCopier copier = make_copier();
    if (!plan_.passed_through.empty()) {
      passed_.emplace(plan_.passed_through, plan_.backup_label, plan_.worker_count, progress_,
                      interrupt_);
    }
    for (const copy::TreeCopy& tree : plan_.trees) copy_tree(tree, copier);
    refuse_missing_files();
    if (passed_) passed_->read_older(combined_);
    copier.add_directory(plan_.destination.parent_path());
    copier.wait();
    progress_.end();
    set_modes_of_roots();
    if (plan_.updates_existing) {
      messages_.info(fmt::format("{} of {} were there already.",
                                 human_size(static_cast<std::int64_t>(copier.kept_bytes())),
                                 human_size(static_cast<std::int64_t>(plan_.total_bytes))));
    }
    if (is_combined) {
      combined_.write(plan_.manifest_path, plan_.destination / plan_.trees.back().manifest_name);
      messages_.info(fmt::format("End {}", combining));
    }
  }

  // Before anything is changed in one of them, each says whose it is.
  void mark_places() {
    write_restore_marker(plan_.destination, plan_.marker);
    for (const fs::path& place : marked_places()) {
      make_directories(place, kDirectoryMode);
      write_restore_marker(place, plan_.marker);
    }
  }

  std::vector<fs::path> marked_places() const {
    std::vector<fs::path> places;
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      places.emplace_back(tablespace.location);
    }
    if (plan_.marker.staging_wal) places.push_back(*plan_.marker.staging_wal);
    return places;
  }

  void prepare_tablespaces() {
    if (plan_.tablespaces.empty()) return;
    const fs::path links = plan_.destination / "pg_tblspc";
    create_directory(links, kDirectoryMode);
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      in_context(fmt::format("unable to prepare '{}' tablespace (destination '{}')",
                             tablespace.name, tablespace.location),
                 [&] { prepare_tablespace(tablespace, links); });
      messages_.info(
          fmt::format("\t{}, {}, {}", tablespace.oid, tablespace.name, tablespace.location));
    }
  }

  static void prepare_tablespace(const TablespacePlan& tablespace, const fs::path& links) {
    make_directories(tablespace.location, kDirectoryMode);
    const fs::path check = fs::path(tablespace.location) / ".barman_write_check";
    open_file(check, O_WRONLY | O_CREAT, kFileMode).close(check);
    if (::unlink(check.c_str()) != 0) {
      throw_errno(fmt::format("cannot remove \"{}\"", check.string()));
    }
    const fs::path link = links / std::to_string(tablespace.oid);
    if (::symlink(tablespace.location.c_str(), link.c_str()) != 0) {
      throw_errno(fmt::format("cannot create link \"{}\"", link.string()));
    }
  }

  void copy_tree(const copy::TreeCopy& tree, copy::FileCopier& copier) {
    progress_.set_item(tree.label);
    if (!tree.source->has_random_access()) has_unread_trees_ = true;
    tree.source->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
      if (manifest_ != nullptr && !entry.is_directory) {
        manifest_->mark_seen(tree.manifest_prefix + entry.path);
      }
      if (entry.path.empty()) {
        prepare_root(tree, copier);
      } else if (passed_ && !entry.is_directory &&
                 passed_->take(origin_of(tree), {tree.destination, tree.is_data_directory}, entry,
                               open, copier)) {
        return;
      } else if (copy::fate_of(tree, entry.path) == copy::EntryFate::copy) {
        copy_entry(tree, entry, open, copier);
      } else if (copy::fate_of(tree, entry.path) == copy::EntryFate::copy_last) {
        // Taken and verified now: beyond this point only its name is missing.
        copy::CopyTask task = task_for(tree, entry, open);
        task.destination += ".restoring";
        control_file_ = task.destination;
        has_group_access_ = (entry.mode & S_IRGRP) != 0;
        copier.submit(std::move(task));
      }
    });
  }

  // What an archive without random access lacks is known only now.
  void refuse_missing_files() {
    if (manifest_ == nullptr || !has_unread_trees_) return;
    const auto is_wanted = [&](std::string_view path) {
      return copy::fate_of(plan_.trees.back(), path) != copy::EntryFate::leave_out;
    };
    for (const std::string& path : manifest_->list_unseen(is_wanted, 1)) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("backup '{}' is damaged: \"{}\" is missing", plan_.backup_id.value, path),
          "Restore another backup.");
    }
  }

  // PostgreSQL decides by the data directory's mode how it makes new files; pg_control is among
  // those that it makes itself, whatever form the backup has.
  mode_t directory_mode() const { return has_group_access_ ? kGroupDirectoryMode : kDirectoryMode; }
  mode_t file_mode() const { return has_group_access_ ? kGroupFileMode : kFileMode; }

  void write_own_file(const std::string& name, std::string_view content) const {
    write_file_durably(plan_.destination / name, content, file_mode());
    set_mode(plan_.destination / name, file_mode());
  }

  void set_modes_of_roots() {
    if (!has_group_access_) return;
    set_mode(plan_.destination, kGroupDirectoryMode);
    for (const copy::TreeCopy& tree : plan_.trees) set_mode(tree.destination, kGroupDirectoryMode);
    if (!plan_.tablespaces.empty()) {
      set_mode(plan_.destination / "pg_tblspc", kGroupDirectoryMode);
    }
  }

  static void prepare_root(const copy::TreeCopy& tree, copy::FileCopier& copier) {
    set_mode(tree.destination, kDirectoryMode);
    copier.add_directory(tree.destination);
  }

  void copy_entry(const copy::TreeCopy& tree, const stored::Entry& entry,
                  const stored::ContentOpener& open, copy::FileCopier& copier) {
    if (!entry.is_directory) {
      copier.submit(task_for(tree, entry, open));
      return;
    }
    const fs::path path = tree.destination / entry.path;
    create_directory(path, entry.mode | kDirectoryMode);
    copier.add_directory(path);
  }

  copy::TaskOrigin origin_of(const copy::TreeCopy& tree) {
    return {.tree = *tree.source,
            .manifest_prefix = tree.manifest_prefix,
            .manifest = manifest_,
            .combined = combined_};
  }

  copy::CopyTask task_for(const copy::TreeCopy& tree, const stored::Entry& entry,
                          const stored::ContentOpener& open) {
    copy::CopyTask task = copy::make_copy_task(
        origin_of(tree), entry, open, tree.destination / copy::restored_name(tree, entry.path));
    task.updates_existing = plan_.updates_existing;
    return task;
  }

  void copy_wal() {
    for (const std::string& warning : plan_.warnings_after_copy) messages_.warning(warning);
    create_directory(plan_.destination / plan_.pg_wal_name, directory_mode());
    make_directories(plan_.wal.directory, directory_mode());
    set_mode(plan_.wal.directory, directory_mode());
    if (plan_.wal.is_copied) copy_wal_files();
    const fs::path status = plan_.wal.directory / "archive_status";
    create_directory(status, directory_mode());
    if (plan_.wal.has_done_markers) create_done_markers(status);
    sync_directory(status);
    sync_directory(plan_.wal.directory);
    sync_directory(plan_.destination / plan_.pg_wal_name);
    sync_directory(plan_.destination);
  }

  void copy_wal_files() {
    messages_.info("Copying required WAL segments.");
    progress_.begin("restore WAL", plan_.wal.total_bytes);
    copy::FileCopier copier = make_copier();
    WalDecoder decoder(plan_.wal.coding, plan_.worker_count, progress_, interrupt_);
    const auto submit = [&](const WalFileCopy& file, std::uint64_t minimum_size_bytes) {
      copy::CopyTask task = wal_task(file, minimum_size_bytes);
      if (!decoder.take(task, file.moves_to)) copier.submit(std::move(task));
    };
    for (const WalFileCopy& file : plan_.wal.files) submit(file, 0);
    if (!plan_.wal.partials.empty()) messages_.info("Copying .partial WAL files.");
    for (const WalFileCopy& file : plan_.wal.partials) {
      // PostgreSQL takes segments of full size only.
      submit(file, plan_.wal.segment_size.bytes);
    }
    decoder.wait();
    copier.wait();
    progress_.end();
  }

  copy::CopyTask wal_task(const WalFileCopy& file, std::uint64_t minimum_size_bytes) const {
    return {.source = file.source,
            .destination = plan_.wal.directory / file.name,
            .mode = file_mode(),
            .size_bytes = file.size_bytes,
            .minimum_size_bytes = minimum_size_bytes};
  }

  void create_done_markers(const fs::path& status) {
    if (!plan_.wal.is_copied) return;
    messages_.info("Generating archive status files");
    for (const std::vector<WalFileCopy>* files : {&plan_.wal.files, &plan_.wal.partials}) {
      for (const WalFileCopy& file : *files) {
        const fs::path marker = status / (file.name + ".done");
        open_file(marker, O_WRONLY | O_CREAT | O_TRUNC, file_mode()).close(marker);
        set_mode(marker, file_mode());
      }
    }
  }

  void configure() {
    // Before recovery settings may create one of them.
    result_.missing_files = list_missing_configuration(plan_.destination);
    if (plan_.recovery.is_written) messages_.info("Generating recovery configuration");
    messages_.info("Identify dangerous settings in destination directory.");
    result_.configuration = review_configuration({.data_directory = plan_.destination,
                                                  .files = plan_.examined_files,
                                                  .settings_file = plan_.recovery.settings_file,
                                                  .settings = plan_.recovery.settings,
                                                  .file_mode = file_mode(),
                                                  .restore_command = plan_.restore_command});
    if (!plan_.recovery.signal_file.empty()) {
      write_own_file(plan_.recovery.signal_file, "");
    }
  }

  // Commit point: everything else is durable, and PostgreSQL starts from here on.
  void create_control_file() {
    interrupt_.throw_if_requested();
    if (!control_file_) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}' has no global/pg_control", plan_.backup_id.value),
                  "Restore another backup.");
    }
    // Of archives that could not be looked into before.
    stored::require_consistent(
        plan_.restored,
        stored::gather_evidence(plan_.destination, "global/pg_control.restoring", nullptr));
    for (const fs::path& place : marked_places()) {
      remove_restore_marker(place);
      sync_directory(place);
    }
    remove_restore_marker(plan_.destination);
    sync_directory(plan_.destination);
    rename_durably(*control_file_, plan_.destination / "global" / "pg_control");
  }

  const RestorePlan& plan_;
  stored::ManifestIndex* const manifest_;
  Messages& messages_;
  Progress& progress_;
  const Interrupt& interrupt_;
  std::optional<fs::path> control_file_;
  bool has_group_access_ = false;
  bool has_unread_trees_ = false;
  copy::CombinedManifest combined_;
  std::optional<copy::PassedChain> passed_;  // after what its threads use
  ExecutedRestore result_;
};

}  // namespace

ExecutedRestore execute_plan(const RestorePlan& plan, stored::ManifestIndex* manifest,
                             const RestoreReporting& reporting, const Interrupt& interrupt) {
  return Execution(plan, manifest, reporting, interrupt).run();
}

}  // namespace barman::restore
