#include "restore/remote_destination.h"

#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/throttle.h"
#include "base/worker_pool.h"
#include "copy/verified_read.h"
#include "host/tar_sender.h"
#include "restore/remote_places.h"
#include "restore/small_files.h"
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
        options_({.is_compressed = options.is_compressed}),
        messages_(reporting.messages),
        progress_(reporting.progress),
        interrupt_(interrupt),
        throttle_(plan.bandwidth_limit),
        small_files_(plan.is_encrypted, plan.examined_files) {}

  void prepare() override {
    prepare_remote_places(host_, plan_, interrupt_);
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      messages_.info(
          fmt::format("\t{}, {}, {}", tablespace.oid, tablespace.name, tablespace.location));
    }
    sending_.emplace(kOneConnection);
  }

  // Content is read in another thread than the one that finds the files (ContentTree).
  void begin_tree(const copy::TreeCopy& tree) override {
    submit([this, directory = tree.destination] {
      end_stream();
      open_stream(directory);
    });
    root_ = tree.destination;
    is_data_directory_ = tree.is_data_directory;
  }

  void make_directory(const fs::path& path, mode_t mode) override {
    const std::string name = path.lexically_relative(root_).string();
    if (is_data_directory_) small_files_.note_sent_directory(name);
    submit([this, name, mode] { stream_->archive().begin_member(directory_member(name, mode)); });
  }

  void put(copy::CopyTask task) override {
    const std::string name = task.destination.lexically_relative(root_).string();
    const bool stays_here = is_data_directory_ && small_files_.wants(name, task.size_bytes);
    submit([this, name, stays_here, task = std::move(task)] {
      if (stays_here) {
        small_files_.put(name, task, progress_, interrupt_);
      } else {
        send(name, task);
      }
    });
  }

  void end_trees() override {
    submit([this] { end_stream(); });
    sending_->wait();
    sending_.reset();
  }

  void set_modes(const ClusterModes& modes) override {
    if (modes.directory == ClusterModes().directory) return;
    std::vector<fs::path> roots = {plan_.destination};
    for (const copy::TreeCopy& tree : plan_.trees) roots.push_back(tree.destination);
    if (!plan_.tablespaces.empty()) roots.push_back(plan_.destination / "pg_tblspc");
    set_remote_modes(host_, roots, mode_text(modes.directory), interrupt_);
  }

  void copy_wal(const ClusterModes& modes) override {
    make_remote_directories(host_, {plan_.destination / plan_.pg_wal_name, plan_.wal.directory},
                            mode_text(modes.directory), interrupt_);
    open_stream(plan_.wal.directory);
    WalMembers wal(plan_.wal, modes, stream_->archive(), {messages_, progress_}, interrupt_);
    wal.send([this](std::uint64_t size_bytes) { throttle_.take(size_bytes, interrupt_); });
    end_stream();
  }

  const fs::path& small_files() const override { return small_files_.directory(); }

  void commit() override {
    open_stream(plan_.destination);
    small_files_.send(stream_->archive());
    end_stream();
    std::vector<fs::path> places = {plan_.destination};
    for (const TablespacePlan& tablespace : plan_.tablespaces) {
      places.emplace_back(tablespace.location);
    }
    if (plan_.marker.staging_wal) places.push_back(*plan_.marker.staging_wal);
    complete_remote_places(host_, places, kWaitingControlFile, "global/pg_control", interrupt_);
  }

 private:
  static constexpr std::size_t kOneConnection = 1;

  void submit(WorkerPool::Task task) {
    interrupt_.throw_if_requested();
    // Nothing more needs to be read; this throws the failure.
    if (sending_->has_failed()) sending_->wait();
    sending_->submit(std::move(task));
  }

  void open_stream(const fs::path& directory) {
    stream_.emplace(host_, directory, options_, interrupt_);
  }

  void end_stream() {
    if (!stream_) return;
    stream_->finish();
    stream_.reset();
  }

  void send(const std::string& name, const copy::CopyTask& task) {
    pipeline::TarWriter& archive = stream_->archive();
    archive.begin_member({.path = name,
                          .mode = task.mode,
                          .size_bytes = task.size_bytes,
                          .mtime = task.modified ? task.modified->tv_sec : 0,
                          .link_target = {}});
    std::uint64_t sent = 0;
    copy::read_verified(*copy::open_source(task), task, interrupt_, [&](Bytes data, std::uint64_t) {
      sent += data.size();
      // More than the header says would be taken for the next member.
      if (sent > task.size_bytes) throw copy::wrong_size(task, sent);
      archive.write(data);
      progress_.advance(data.size());
      throttle_.take(data.size(), interrupt_);
    });
    archive.end_member();
  }

  const RestorePlan& plan_;
  const host::Host& host_;
  const host::TarSending options_;
  Messages& messages_;
  Progress& progress_;
  const Interrupt& interrupt_;
  Throttle throttle_;
  SmallFiles small_files_;
  fs::path root_;
  bool is_data_directory_ = false;
  std::optional<host::TarSender> stream_;
  std::optional<WorkerPool> sending_;  // the last member: its thread uses the others
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
