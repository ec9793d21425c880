// Directories of this host: the copy engine writes several files at a time and makes each durable,
// existing files can be kept or updated.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "restore/clear_destination.h"
#include "restore/destination.h"
#include "restore/directory_modes.h"
#include "restore/restore_marker.h"
#include "restore/wal_decoder.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

class LocalDestination final : public Destination {
 public:
  LocalDestination(const RestorePlan& plan, const RestoreReporting& reporting,
                   const Interrupt& interrupt)
      : plan_(plan),
        messages_(reporting.messages),
        progress_(reporting.progress),
        interrupt_(interrupt),
        options_({.worker_count = plan.worker_count, .bandwidth_limit = plan.bandwidth_limit}),
        copier_(options_, progress_, interrupt_) {}

  void prepare() override {
    make_directories(plan_.destination, ClusterModes().directory);
    mark_places();
    if (plan_.updates_existing) {
      for (const std::string& saved : clear_destination(plan_, interrupt_)) {
        messages_.warning(saved);
      }
    }
    prepare_tablespaces();
    copier_.add_root(plan_.destination);
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      copier_.add_root(tablespace.location);
    }
  }

  void begin_tree(const copy::TreeCopy& tree) override {
    set_mode(tree.destination, ClusterModes().directory);
    copier_.add_directory(tree.destination);
  }

  void make_directory(const fs::path& path, mode_t mode) override {
    create_directory(path, mode);
    copier_.add_directory(path);
  }

  void put(copy::CopyTask task) override { copier_.submit(std::move(task)); }

  void end_trees() override {
    copier_.add_directory(plan_.destination.parent_path());
    copier_.wait();
  }

  void set_modes(const ClusterModes& modes) override {
    if (modes.directory == ClusterModes().directory) return;
    set_mode(plan_.destination, modes.directory);
    for (const copy::TreeCopy& tree : plan_.trees) set_mode(tree.destination, modes.directory);
    if (!plan_.tablespaces.empty()) set_mode(plan_.destination / "pg_tblspc", modes.directory);
  }

  void copy_wal(const ClusterModes& modes) override {
    create_directory(plan_.destination / plan_.pg_wal_name, modes.directory);
    make_directories(plan_.wal.directory, modes.directory);
    set_mode(plan_.wal.directory, modes.directory);
    if (plan_.wal.is_copied) copy_wal_files(modes);
    const fs::path status = plan_.wal.directory / "archive_status";
    create_directory(status, modes.directory);
    if (plan_.wal.has_done_markers) create_done_markers(status, modes);
    sync_directory(status);
    sync_directory(plan_.wal.directory);
    sync_directory(plan_.destination / plan_.pg_wal_name);
    sync_directory(plan_.destination);
  }

  const fs::path& small_files() const override { return plan_.destination; }

  // Commit point: everything else is durable, and PostgreSQL starts from here on.
  void commit() override {
    for (const fs::path& place : marked_places()) {
      remove_restore_marker(place);
      sync_directory(place);
    }
    remove_restore_marker(plan_.destination);
    sync_directory(plan_.destination);
    rename_durably(plan_.destination / kWaitingControlFile,
                   plan_.destination / "global" / "pg_control");
  }

  std::uint64_t kept_bytes() const override { return copier_.kept_bytes(); }

  copy::FileCopier* local_copier() override { return &copier_; }

 private:
  // Before anything is changed in one of them, each says whose it is.
  void mark_places() {
    write_restore_marker(plan_.destination, plan_.marker);
    for (const fs::path& place : marked_places()) {
      make_directories(place, ClusterModes().directory);
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
    create_directory(links, ClusterModes().directory);
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      in_context(fmt::format("unable to prepare '{}' tablespace (destination '{}')",
                             tablespace.name, tablespace.location),
                 [&] { prepare_tablespace(tablespace, links); });
      messages_.info(
          fmt::format("\t{}, {}, {}", tablespace.oid, tablespace.name, tablespace.location));
    }
  }

  static void prepare_tablespace(const TablespacePlan& tablespace, const fs::path& links) {
    make_directories(tablespace.location, ClusterModes().directory);
    const fs::path check = fs::path(tablespace.location) / ".barman_write_check";
    open_file(check, O_WRONLY | O_CREAT, ClusterModes().file).close(check);
    if (::unlink(check.c_str()) != 0) {
      throw_errno(fmt::format("cannot remove \"{}\"", check.string()));
    }
    const fs::path link = links / std::to_string(tablespace.oid);
    if (::symlink(tablespace.location.c_str(), link.c_str()) != 0) {
      throw_errno(fmt::format("cannot create link \"{}\"", link.string()));
    }
  }

  void copy_wal_files(const ClusterModes& modes) {
    messages_.info("Copying required WAL segments.");
    progress_.begin("restore WAL", plan_.wal.total_bytes);
    copy::FileCopier copier(options_, progress_, interrupt_);
    WalDecoder decoder(plan_.wal, plan_.worker_count, progress_, interrupt_);
    const auto submit = [&](const WalFileCopy& file, std::uint64_t minimum_size_bytes) {
      copy::CopyTask task{.source = file.source,
                          .destination = plan_.wal.directory / file.name,
                          .mode = modes.file,
                          .size_bytes = file.size_bytes,
                          .minimum_size_bytes = minimum_size_bytes};
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

  void create_done_markers(const fs::path& status, const ClusterModes& modes) {
    if (!plan_.wal.is_copied) return;
    messages_.info("Generating archive status files");
    for (const std::vector<WalFileCopy>* files : {&plan_.wal.files, &plan_.wal.partials}) {
      for (const WalFileCopy& file : *files) {
        const fs::path marker = status / (file.name + ".done");
        open_file(marker, O_WRONLY | O_CREAT | O_TRUNC, modes.file).close(marker);
        set_mode(marker, modes.file);
      }
    }
  }

  const RestorePlan& plan_;
  Messages& messages_;
  Progress& progress_;
  const Interrupt& interrupt_;
  const copy::CopyOptions options_;
  copy::FileCopier copier_;
};

}  // namespace

std::unique_ptr<Destination> make_local_destination(const RestorePlan& plan,
                                                    const RestoreReporting& reporting,
                                                    const Interrupt& interrupt) {
  return std::make_unique<LocalDestination>(plan, reporting, interrupt);
}

}  // namespace barman::restore
