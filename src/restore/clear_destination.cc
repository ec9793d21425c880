#include "restore/clear_destination.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "restore/clearing_rules.h"
#include "restore/inspect_places.h"
#include "restore/live_clusters.h"
#include "restore/save_aside.h"
#include "stored/path_table.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// Makes postmaster.pid as a starting server would. It goes with what is cleared; one that a crash
// leaves has a pid of nobody.
void claim_data_directory(const fs::path& directory) {
  const fs::path path = directory / "postmaster.pid";
  for (int attempt = 0; attempt < 2; ++attempt) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
      write_full(Fd(fd), as_bytes(fmt::format("{}\n", ::getpid())), path);
      return;
    }
    if (errno != EEXIST) throw_errno(fmt::format("cannot create \"{}\"", path.string()));
    if (find_running_postmaster(directory)) break;
    remove_durably(path);
  }
  throw Error(ErrorKind::conflict,
              fmt::format("PostgreSQL is being started on '{}'", directory.string()),
              kRunningClusterHint);
}

// What a tree of the backup will have in the destination.
class WantedPaths {
 public:
  explicit WantedPaths(const copy::TreeCopy& tree) {
    tree.source->walk([&](const stored::Entry& entry) {
      if (entry.path.empty() || copy::fate_of(tree, entry.path) != copy::EntryFate::copy) return;
      paths_.add(key_of(copy::restored_name(tree, entry.path), entry.is_directory), {});
    });
    paths_.seal();
  }
  bool contains(const std::string& path, bool is_directory) const {
    return paths_.find(key_of(path, is_directory)) != nullptr;
  }

 private:
  static std::string key_of(const std::string& path, bool is_directory) {
    return is_directory ? path + "/" : path;
  }
  // Whether they are there is all that is known of them.
  struct Nothing {};
  stored::PathTable<Nothing> paths_;
};

class Clearing {
 public:
  Clearing(const copy::TreeCopy& tree, const RestorePlan& plan, SaveAside& saved,
           const Interrupt& interrupt)
      : tree_(tree),
        wanted_(tree),
        rules_(tree, plan,
               [this](const std::string& path, bool is_directory) {
                 return wanted_.contains(path, is_directory);
               }),
        plan_(plan),
        saved_(saved),
        interrupt_(interrupt) {}

  void run() { clear(""); }

 private:
  void clear(const std::string& directory) {
    interrupt_.throw_if_requested();
    const fs::path place = tree_.destination / directory;
    for (const DirectoryEntry& entry : list_entries(place)) {
      treat(place, entry, directory.empty() ? entry.name : directory + "/" + entry.name);
    }
  }

  void clear_wal(const fs::path& directory) {
    std::vector<fs::path> removed;
    for (const DirectoryEntry& wal : list_entries(directory, IfAbsent::or_other_is_empty)) {
      if (wal.name.starts_with(".barman-")) continue;
      const fs::path path = directory / wal.name;
      if (wal.kind == EntryKind::file && !plan_.received_here.contains(wal.name) &&
          is_unsaved_wal(path, plan_.archived_here)) {
        saved_.keep_wal(path, plan_.pg_wal_name + "/" + wal.name);
      } else {
        removed.push_back(path);
      }
    }
    // After all were judged: by the files in archive_status, too.
    for (const fs::path& path : removed) remove_tree(path);
  }

  static FoundKind kind_of(const fs::path& place, EntryKind kind) {
    switch (kind) {
      case EntryKind::file:
        return FoundKind::file;
      case EntryKind::directory:
        return FoundKind::directory;
      case EntryKind::link: {
        const auto status = find_status(place);
        return status && S_ISDIR(status->st_mode) ? FoundKind::directory_link : FoundKind::other;
      }
      case EntryKind::other:
        break;
    }
    return FoundKind::other;
  }

  void treat(const fs::path& directory, const DirectoryEntry& entry, const std::string& path) {
    const fs::path place = directory / entry.name;
    switch (rules_.treatment_of(path, kind_of(place, entry.kind))) {
      case Treatment::leave:
      case Treatment::keep:
        return;
      case Treatment::enter:
        return clear(path);
      case Treatment::enter_wal:
        return clear_wal(place);
      case Treatment::save:
        return saved_.keep(place, path);
      case Treatment::remove:
        remove_tree(place);
    }
  }

  const copy::TreeCopy& tree_;
  const WantedPaths wanted_;
  const ClearingRules rules_;
  const RestorePlan& plan_;
  SaveAside& saved_;
  const Interrupt& interrupt_;
};

}  // namespace

std::vector<std::string> clear_destination(const RestorePlan& plan, const Interrupt& interrupt) {
  SaveAside saved(plan.destination, plan.wal_return);
  // What a tree cannot tell is told before anything has changed.
  std::deque<Clearing> clearings;
  for (const copy::TreeCopy& tree : plan.trees) {
    clearings.emplace_back(tree, plan, saved, interrupt);
  }
  const fs::path control_file = plan.destination / "global" / "pg_control";
  // From here on no server can be started on it: while pg_control is there by the lock file that
  // PostgreSQL itself respects, then by its absence.
  if (fs::exists(control_file)) claim_data_directory(plan.destination);
  remove_durably(control_file);
  for (Clearing& clearing : clearings) clearing.run();
  return saved.finish();
}

}  // namespace barman::restore
