#include "restore/execute_plan.h"

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "copy/combined_manifest.h"
#include "copy/copy_task.h"
#include "copy/passed_chain.h"
#include "restore/directory_modes.h"
#include "stored/backup_evidence.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

class Execution {
 public:
  Execution(const RestorePlan& plan, std::unique_ptr<Destination> destination,
            stored::ManifestIndex* manifest, const RestoreReporting& reporting,
            const Interrupt& interrupt)
      : plan_(plan),
        manifest_(manifest),
        messages_(reporting.messages),
        progress_(reporting.progress),
        interrupt_(interrupt),
        destination_(std::move(destination)) {}

  ExecutedRestore run() {
    in_context("Failure copying base backup", [&] { copy_base_backup(); });
    write_own_file(".barman-recover.info", plan_.recover_info);
    in_context("Failure copying WAL files", [&] {
      for (const std::string& warning : plan_.warnings_after_copy) messages_.warning(warning);
      destination_->copy_wal(modes_);
    });
    configure();
    commit();
    return std::move(result_);
  }

 private:
  void copy_base_backup() {
    messages_.info("Copying the base backup.");
    if (plan_.is_encrypted) {
      messages_.info(fmt::format("Decrypting files from backup '{}' for server '{}'.",
                                 plan_.backup_id.value, plan_.server_name));
    }
    destination_->prepare();
    const std::string combining =
        fmt::format("combining backup via pg_combinebackup for backup {}", plan_.backup_id.value);
    const bool is_combined = !plan_.chain.empty();
    if (is_combined) {
      messages_.info(fmt::format("Start {} on {}", combining, plan_.destination.string()));
    }
    progress_.begin("restore", plan_.total_bytes);
    if (!plan_.passed_through.empty()) {
      passed_.emplace(plan_.passed_through, plan_.backup_label, plan_.worker_count, progress_,
                      interrupt_);
    }
    for (const copy::TreeCopy& tree : plan_.trees) {
      compare_tree(tree);
      copy_tree(tree);
    }
    refuse_missing_files();
    if (passed_) passed_->read_older(combined_);
    destination_->end_trees();
    progress_.end();
    destination_->set_modes(modes_);
    result_.kept_bytes = destination_->kept_bytes();
    if (plan_.updates_existing) {
      messages_.info(fmt::format("{} of {} were there already.",
                                 human_size(static_cast<std::int64_t>(result_.kept_bytes)),
                                 human_size(static_cast<std::int64_t>(plan_.total_bytes))));
    }
    if (is_combined) {
      combined_.write(plan_.manifest_path,
                      destination_->small_files() / plan_.trees.back().manifest_name);
      messages_.info(fmt::format("End {}", combining));
    }
  }

  void compare_tree(const copy::TreeCopy& tree) {
    if (!plan_.updates_existing || !destination_->begin_comparison(tree)) return;
    progress_.set_item(tree.label);
    tree.source->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
      if (entry.is_directory || copy::fate_of(tree, entry.path) != copy::EntryFate::copy) return;
      destination_->compare(task_for(tree, entry, open));
    });
    destination_->end_comparison();
  }

  void copy_tree(const copy::TreeCopy& tree) {
    progress_.set_item(tree.label);
    if (!tree.source->has_random_access()) has_unread_trees_ = true;
    tree.source->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
      if (manifest_ != nullptr && !entry.is_directory) {
        manifest_->mark_seen(tree.manifest_prefix + entry.path);
      }
      if (entry.path.empty()) {
        destination_->begin_tree(tree);
      } else if (is_taken_by_pass(tree, entry, open)) {
        return;
      } else if (copy::fate_of(tree, entry.path) == copy::EntryFate::copy) {
        copy_entry(tree, entry, open);
      } else if (copy::fate_of(tree, entry.path) == copy::EntryFate::copy_last) {
        // Taken and verified now: beyond this point only its name is missing.
        copy::CopyTask task = task_for(tree, entry, open);
        task.destination = tree.destination / kWaitingControlFile;
        has_control_file_ = true;
        if ((entry.mode & S_IRGRP) != 0) modes_ = ClusterModes::with_group_access();
        destination_->put(std::move(task));
      }
    });
  }

  bool is_taken_by_pass(const copy::TreeCopy& tree, const stored::Entry& entry,
                        const stored::ContentOpener& open) {
    return passed_ && !entry.is_directory &&
           passed_->take(origin_of(tree), {tree.destination, tree.is_data_directory}, entry, open,
                         *destination_->local_copier());
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

  void write_own_file(const std::string& name, std::string_view content) const {
    const fs::path path = destination_->small_files() / name;
    write_file_durably(path, content, modes_.file);
    set_mode(path, modes_.file);
  }

  void copy_entry(const copy::TreeCopy& tree, const stored::Entry& entry,
                  const stored::ContentOpener& open) {
    if (entry.is_directory) {
      destination_->make_directory(tree.destination / entry.path,
                                   entry.mode | ClusterModes().directory);
    } else {
      destination_->put(task_for(tree, entry, open));
    }
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

  void lay_kept_configuration(const fs::path& directory) {
    for (const stored::KeptFile& file : plan_.kept_configuration) {
      if (find_status(directory / file.name)) continue;
      make_directories((directory / file.name).parent_path(), modes_.directory);
      write_own_file(file.name, file.content);
      result_.laid_files.push_back(file.name);
    }
  }

  void configure() {
    const fs::path& directory = destination_->small_files();
    lay_kept_configuration(directory);
    // Before recovery settings may create one of them.
    result_.missing_files = list_missing_configuration(directory);
    if (plan_.recovery.is_written) messages_.info("Generating recovery configuration");
    messages_.info("Identify dangerous settings in destination directory.");
    result_.configuration =
        review_configuration({.data_directory = directory,
                              .final_directory = plan_.destination,
                              .files = plan_.examined_files,
                              .settings_file = plan_.recovery.settings_file,
                              .settings = plan_.recovery.settings,
                              .file_mode = modes_.file,
                              .rules = {.restore_command = plan_.restore_command,
                                        .places = plan_.file_places,
                                        .scope = plan_.review_scope}});
    if (!plan_.recovery.signal_file.empty()) {
      write_own_file(plan_.recovery.signal_file, "");
    }
  }

  void commit() {
    interrupt_.throw_if_requested();
    if (!has_control_file_) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}' has no global/pg_control", plan_.backup_id.value),
                  "Restore another backup.");
    }
    // Of archives that could not be looked into before.
    stored::require_consistent(
        plan_.restored,
        stored::gather_evidence(destination_->small_files(), kWaitingControlFile, nullptr));
    destination_->commit();
  }

  const RestorePlan& plan_;
  stored::ManifestIndex* const manifest_;
  Messages& messages_;
  Progress& progress_;
  const Interrupt& interrupt_;
  bool has_control_file_ = false;
  bool has_unread_trees_ = false;
  ClusterModes modes_;
  copy::CombinedManifest combined_;
  // After what their threads use.
  std::unique_ptr<Destination> destination_;
  std::optional<copy::PassedChain> passed_;
  ExecutedRestore result_;
};

}  // namespace

ExecutedRestore execute_plan(const RestorePlan& plan, std::unique_ptr<Destination> destination,
                             stored::ManifestIndex* manifest, const RestoreReporting& reporting,
                             const Interrupt& interrupt) {
  return Execution(plan, std::move(destination), manifest, reporting, interrupt).run();
}

}  // namespace barman::restore
