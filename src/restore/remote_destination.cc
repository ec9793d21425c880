#include "restore/remote_destination.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/throttle.h"
#include "copy/verified_read.h"
#include "host/tar_sender.h"
#include "restore/remote_guard.h"
#include "restore/remote_places.h"
#include "restore/remote_update.h"
#include "restore/small_files.h"
#include "restore/tar_streams.h"
#include "restore/uncertain_failure.h"
#include "restore/wal_members.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

pipeline::TarMember directory_member(const std::string& path, mode_t mode) {
  return {.path = path,
          .type = pipeline::TarMemberType::directory,
          .mode = mode,
          .mtime = std::time(nullptr),
          .link_target = {}};
}

std::string mode_text(mode_t mode) { return fmt::format("{:04o}", mode); }

class RemoteDestination final : public Destination {
 public:
  RemoteDestination(const RestorePlan& plan, const host::Host& host, const RemoteOptions& options,
                    const RestoreReporting& reporting, const Interrupt& interrupt)
      : plan_(plan),
        host_(host),
        compression_(options.compression),
        messages_(reporting.messages),
        progress_(reporting.progress),
        interrupt_(interrupt),
        throttle_(plan.bandwidth_limit),
        small_files_(plan.is_encrypted, plan.examined_files) {}

  void prepare() override {
    hold_places();
    choose_compression();
    if (plan_.updates_existing) {
      update_.emplace(host_, plan_, compression_ == NetworkCompression::always, progress_,
                      interrupt_);
      for (const std::string& told : update_->clear()) {
        messages_.warning("On the destination host: " + told);
      }
      link_remote_tablespaces(host_, plan_, interrupt_);
    }
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      messages_.info(
          fmt::format("\t{}, {}, {}", tablespace.oid, tablespace.name, tablespace.location));
    }
  }

  bool begin_comparison(const copy::TreeCopy& tree) override {
    return update_ && update_->begin_comparison(tree);
  }
  void compare(copy::CopyTask task) override { update_->compare(std::move(task)); }
  void end_comparison() override { update_->end_comparison(); }

  // Content is read in other threads than the one that finds the files (ContentTree).
  void begin_tree(const copy::TreeCopy& tree) override {
    end_streams();
    root_ = tree.destination;
    is_data_directory_ = tree.is_data_directory;
    has_directories_ = tree.source->has_random_access();
    if (has_directories_) send_directories(tree);
    // A file must not come before its directory.
    streams_.emplace(host_, root_, options_, has_directories_ ? plan_.worker_count : 1, interrupt_);
  }

  void make_directory(const fs::path& path, mode_t mode) override {
    const std::string name = path.lexically_relative(root_).string();
    if (is_data_directory_) small_files_.note_sent_directory(name);
    if (has_directories_ || is_wal_link(name)) return;
    streams_->submit([name, mode](pipeline::TarWriter& archive, const Interrupt&) {
      archive.begin_member(directory_member(name, mode));
    });
  }

  void put(copy::CopyTask task) override {
    const std::string name = task.destination.lexically_relative(root_).string();
    const bool stays_here = is_data_directory_ && small_files_.wants(name, task.size_bytes);
    if (!stays_here && update_ && update_->is_there(task)) return;
    if (stays_here) {
      streams_->submit_work([this, name, task = std::move(task)](const Interrupt& interrupt) {
        small_files_.put(name, task, progress_, interrupt);
      });
    } else {
      streams_->submit([this, name, task = std::move(task)](pipeline::TarWriter& archive,
                                                            const Interrupt& interrupt) {
        send(name, task, archive, interrupt);
      });
    }
  }

  void end_trees() override { end_streams(); }

  std::uint64_t kept_bytes() const override { return update_ ? update_->kept_bytes() : 0; }

  void set_modes(const ClusterModes& modes) override {
    if (modes.directory == ClusterModes().directory) return;
    std::vector<fs::path> roots = {plan_.destination};
    for (const copy::TreeCopy& tree : plan_.trees) roots.push_back(tree.destination);
    if (!plan_.tablespaces.empty()) roots.push_back(plan_.destination / "pg_tblspc");
    set_remote_modes(host_, roots, mode_text(modes.directory), interrupt_);
  }

  void copy_wal(const ClusterModes& modes) override {
    const fs::path& directory = plan_.wal.directory;
    make_remote_directories(
        host_, {plan_.destination / plan_.pg_wal_name, directory, directory / "archive_status"},
        mode_text(modes.directory), interrupt_);
    if (!plan_.wal.is_copied) return;
    WalMembers wal(plan_.wal, modes, {messages_, progress_},
                   [this](std::uint64_t size_bytes, const Interrupt& interrupt) {
                     throttle_.take(size_bytes, interrupt);
                   });
    if (update_) wal.leave_out(update_->digest_wal());
    // No more connections than there are files for.
    const std::size_t file_count = plan_.wal.files.size() + plan_.wal.partials.size();
    TarStreams streams(host_, directory, options_,
                       std::max<std::size_t>(std::min(plan_.worker_count, file_count), 1),
                       interrupt_);
    wal.send(streams);
  }

  const fs::path& small_files() const override { return small_files_.directory(); }

  void commit() override {
    guard_->require_held();
    host::TarSender stream(host_, plan_.destination, short_options_, interrupt_);
    small_files_.send(stream.archive());
    stream.finish();
    std::vector<fs::path> places = {plan_.destination};
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      places.emplace_back(tablespace.location);
    }
    if (plan_.marker.staging_wal) places.push_back(*plan_.marker.staging_wal);
    if (update_ && update_->has_wal_link()) places.push_back(plan_.destination / plan_.pg_wal_name);
    complete_remote_places(host_, places, kWaitingControlFile, "global/pg_control", interrupt_);
    guard_->release(interrupt_);
  }

 private:
  // zstd costs less than the ssh of what it saves, on both sides (docs/performance.md).
  void choose_compression() {
    if (compression_ == NetworkCompression::never) return;
    if (guard_->has_zstd()) {
      options_.compression = compression::Algorithm::zstd;
    } else if (compression_ == NetworkCompression::always) {
      options_.compression = compression::Algorithm::gzip;
    }
    short_options_.compression = options_.compression;
  }

  void hold_places() {
    try {
      guard_.emplace(host_, plan_, interrupt_);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::conflict) throw;  // nothing was changed
      throw UncertainFailure(
          error,
          fmt::format("Whether anything was changed in '{}' on the destination host is not "
                      "known: give the same command again, and add --resume when it finds an "
                      "interrupted restore there.",
                      plan_.destination.string()));
    }
  }

  bool is_wal_link(const std::string& name) const {
    return is_data_directory_ && name == plan_.pg_wal_name && update_ && update_->has_wal_link();
  }

  // Before the files, which come by several connections.
  void send_directories(const copy::TreeCopy& tree) {
    std::optional<host::TarSender> stream;
    tree.source->walk([&](const stored::Entry& entry) {
      if (!entry.is_directory || entry.path.empty() || is_wal_link(entry.path) ||
          copy::fate_of(tree, entry.path) != copy::EntryFate::copy) {
        return;
      }
      if (!stream) stream.emplace(host_, tree.destination, short_options_, interrupt_);
      stream->archive().begin_member(
          directory_member(entry.path, entry.mode | ClusterModes().directory));
    });
    if (stream) stream->finish();
  }

  void end_streams() {
    if (!streams_) return;
    streams_->finish();
    streams_.reset();
  }

  void send(const std::string& name, const copy::CopyTask& task, pipeline::TarWriter& archive,
            const Interrupt& interrupt) {
    archive.begin_member({.path = name,
                          .mode = task.mode,
                          .size_bytes = task.size_bytes,
                          .mtime = task.modified ? task.modified->tv_sec : 0,
                          .link_target = {}});
    std::uint64_t sent = 0;
    copy::read_verified(*copy::open_source(task), task, interrupt, [&](Bytes data, std::uint64_t) {
      sent += data.size();
      // More than the header says would be taken for the next member.
      if (sent > task.size_bytes) throw copy::wrong_size(task, sent);
      archive.write(data);
      progress_.advance(data.size());
      throttle_.take(data.size(), interrupt);
    });
    archive.end_member();
  }

  const RestorePlan& plan_;
  const host::Host& host_;
  const NetworkCompression compression_;
  host::TarSending options_;
  host::TarSending short_options_ = {.is_short = true};
  Messages& messages_;
  Progress& progress_;
  const Interrupt& interrupt_;
  Throttle throttle_;
  SmallFiles small_files_;
  fs::path root_;
  bool is_data_directory_ = false;
  // Their files have directories already.
  bool has_directories_ = false;
  std::optional<RemoteGuard> guard_;
  std::optional<RemoteUpdate> update_;
  std::optional<TarStreams> streams_;  // the last member: its threads use the others
};

}  // namespace

std::unique_ptr<Destination> make_remote_destination(const RestorePlan& plan,
                                                     const host::Host& host,
                                                     const RemoteOptions& options,
                                                     const RestoreReporting& reporting,
                                                     const Interrupt& interrupt) {
  return std::make_unique<RemoteDestination>(plan, host, options, reporting, interrupt);
}

}  // namespace barman::restore
