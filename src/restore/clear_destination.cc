#include "restore/clear_destination.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "content/path_hash.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

void remove_durably(const fs::path& path) {
  if (::unlink(path.c_str()) == 0) return sync_directory(path.parent_path());
  if (errno != ENOENT && errno != ENOTDIR) {
    throw_errno(fmt::format("cannot remove \"{}\"", path.string()));
  }
}

// What a tree of the backup will have in the destination: 8 bytes an entry.
class WantedPaths {
 public:
  explicit WantedPaths(const TreeCopy& tree) {
    tree.source->walk([&](const content::Entry& entry) {
      if (entry.path.empty() || fate_of(tree, entry.path) != EntryFate::copy) return;
      hashes_.push_back(hash_of(restored_name(tree, entry.path), entry.is_directory));
    });
    std::sort(hashes_.begin(), hashes_.end());
  }
  bool contains(const std::string& path, bool is_directory) const {
    return std::binary_search(hashes_.begin(), hashes_.end(), hash_of(path, is_directory));
  }

 private:
  static std::uint64_t hash_of(const std::string& path, bool is_directory) {
    return content::hash_of(is_directory ? path + "/" : path);
  }
  std::vector<std::uint64_t> hashes_;
};

class Clearing {
 public:
  Clearing(const TreeCopy& tree, const std::string& wal_name, const Interrupt& interrupt)
      : tree_(tree), wanted_(tree), wal_name_(wal_name), interrupt_(interrupt) {}

  void run() { clear(""); }

 private:
  void clear(const std::string& directory) {
    interrupt_.throw_if_requested();
    std::error_code code;
    std::vector<fs::directory_entry> entries;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(tree_.destination / directory, code)) {
      entries.push_back(entry);
    }
    if (code && code != std::errc::no_such_file_or_directory) {
      throw Error(ErrorKind::io,
                  fmt::format("cannot read directory \"{}\": {}",
                              (tree_.destination / directory).string(), code.message()));
    }
    for (const fs::directory_entry& entry : entries) {
      const std::string name = entry.path().filename().string();
      treat(entry, directory.empty() ? name : directory + "/" + name);
    }
  }

  // At the top of the data directory hidden entries, which PostgreSQL never makes, and the marker
  // of this restore; at the top of a tablespace's location the directories of other versions or
  // clusters, which may share it.
  bool is_of_others(const std::string& path) const {
    if (path.find('/') != std::string::npos) return false;
    return tree_.is_data_directory ? path.front() == '.' : !wanted_.contains(path, true);
  }

  void treat(const fs::directory_entry& entry, const std::string& path) {
    if (is_of_others(path)) return;
    if (tree_.is_data_directory && path == wal_name_ && entry.is_directory()) {
      for (const fs::directory_entry& wal : fs::directory_iterator(entry.path())) {
        remove_tree(wal.path());
      }
      return;
    }
    const bool is_directory = !entry.is_symlink() && entry.is_directory();
    const bool is_file = !entry.is_symlink() && entry.is_regular_file();
    if (is_directory && wanted_.contains(path, true)) return clear(path);
    if (is_file && wanted_.contains(path, false)) return;
    remove_tree(entry.path());
  }

  const TreeCopy& tree_;
  const WantedPaths wanted_;
  const std::string& wal_name_;
  const Interrupt& interrupt_;
};

}  // namespace

void clear_destination(const RestorePlan& plan, const Interrupt& interrupt) {
  remove_durably(plan.destination / "global" / "pg_control");
  for (const TreeCopy& tree : plan.trees) Clearing(tree, plan.pg_wal_name, interrupt).run();
}

}  // namespace barman::restore
