#include "storage/local_storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/retry.h"
#include "pipeline/file_sink.h"

namespace barman::storage {
namespace fs = std::filesystem;
namespace {

std::string quoted(const fs::path& path) { return "\"" + path.string() + "\""; }

// Writers of the same name must not meet before their commit point: in this process, and in others.
std::string unique_suffix() {
  static std::atomic<std::uint64_t> count = 0;
  return fmt::format(".{}-{}{}", ::getpid(), ++count, kTemporarySuffix);
}

// The removal of the last object takes empty directories along: one that went before our file was
// in it is made again.
std::unique_ptr<pipeline::FileSink> make_sink(const fs::path& path, mode_t mode, IfTaken if_taken) {
  return in_directory(path.parent_path(), [&] {
    return std::make_unique<pipeline::FileSink>(path, mode, if_taken, unique_suffix());
  });
}

ObjectFacts facts_of(std::string key, const struct stat& status) {
  return {.key = std::move(key),
          .size_bytes = static_cast<std::uint64_t>(status.st_size),
          .mtime_seconds = status.st_mtim.tv_sec,
          .mtime_nanoseconds = status.st_mtim.tv_nsec};
}

// Directories sort as their names with the slash that all below begins with.
std::vector<std::string> list_names(const fs::path& directory) {
  std::vector<std::string> names;
  for (DirectoryEntry& entry : list_entries(directory)) {
    if (entry.kind == EntryKind::directory) entry.name += '/';
    names.push_back(std::move(entry.name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Lister {
 public:
  Lister(fs::path top, std::string_view prefix, const ObjectVisitor& visitor)
      : top_(std::move(top)), prefix_(prefix), visitor_(visitor) {}

  // `below` is "" or ends with a slash.
  void list(const std::string& below) const {
    for (const std::string& name : list_names(top_ / below)) {
      const std::string key = below + name;
      const std::size_t common = std::min(key.size(), prefix_.size());
      if (key.compare(0, common, prefix_, 0, common) != 0) continue;
      if (name.back() == '/') {
        list(key);
      } else if (key.size() >= prefix_.size() && !key.ends_with(kTemporarySuffix)) {
        visit(key);
      }
    }
  }

 private:
  void visit(const std::string& key) const {
    const auto status = find_status(top_ / key, Links::refuse);
    if (status && S_ISREG(status->st_mode)) visitor_(facts_of(key, *status));
  }

  fs::path top_;
  std::string_view prefix_;
  const ObjectVisitor& visitor_;
};

}  // namespace

// Without a slash at its end, which would make another path of it than what is above its files.
LocalStorage::LocalStorage(fs::path directory, mode_t mode)
    : directory_(directory.has_filename() ? std::move(directory) : directory.parent_path()),
      mode_(mode) {}

fs::path LocalStorage::path_of(const std::string& key) const {
  require_key(key, quoted(directory_));
  return directory_ / key;
}

fs::path LocalStorage::prepare(const std::string& key) const {
  const fs::path path = path_of(key);
  make_directories(path.parent_path());
  return path.string() + std::string(kTemporarySuffix);
}

void LocalStorage::publish(std::span<const std::string> keys) const {
  std::set<fs::path> directories;
  for (const std::string& key : keys) {
    const fs::path path = path_of(key);
    const fs::path prepared = path.string() + std::string(kTemporarySuffix);
    if (::rename(prepared.c_str(), path.c_str()) != 0) {
      throw_errno("cannot rename " + quoted(prepared) + " to " + quoted(path));
    }
    directories.insert(path.parent_path());
  }
  for (const fs::path& directory : directories) sync_directory(directory);
}

std::unique_ptr<pipeline::Sink> LocalStorage::create(const std::string& key, IfPresent if_present) {
  return make_sink(path_of(key), mode_,
                   if_present == IfPresent::refuse ? IfTaken::refuse : IfTaken::replace);
}

std::unique_ptr<pipeline::ContentFile> LocalStorage::open(const std::string& key) const {
  const fs::path path = path_of(key);
  std::optional<Fd> file = find_file(path);
  if (!file) throw Error(ErrorKind::not_found, quoted(path) + " does not exist");
  return pipeline::make_local_file(std::move(*file), path);
}

std::optional<ObjectFacts> LocalStorage::find(const std::string& key) const {
  const auto status = find_status(path_of(key), Links::refuse);
  if (!status || !S_ISREG(status->st_mode)) return std::nullopt;
  return facts_of(key, *status);
}

void LocalStorage::list(std::string_view prefix, const ObjectVisitor& visitor) const {
  require_prefix(prefix, quoted(directory_));
  const std::size_t slash = prefix.rfind('/');
  const std::string below(slash == std::string_view::npos ? "" : prefix.substr(0, slash + 1));
  Lister(directory_, prefix, visitor).list(below);
}

void LocalStorage::remove(std::span<const std::string> keys) {
  std::set<fs::path> directories;
  for (const std::string& key : keys) {
    const fs::path path = path_of(key);
    if (::unlink(path.c_str()) == 0) {
      directories.insert(path.parent_path());
    } else if (errno != ENOENT && errno != ENOTDIR) {
      throw_errno("cannot remove " + quoted(path));
    }
  }
  // The deepest first: an empty one may be what keeps the one above it.
  std::set<fs::path> left;
  for (auto it = directories.rbegin(); it != directories.rend(); ++it) {
    fs::path directory = *it;
    while (directory != directory_ && ::rmdir(directory.c_str()) == 0) {
      left.erase(directory);
      directory = directory.parent_path();
    }
    left.insert(std::move(directory));
  }
  for (const fs::path& directory : left) {
    if (find_status(directory)) sync_directory(directory);
  }
}

std::string LocalStorage::describe(const std::string& key) const { return quoted(path_of(key)); }

}  // namespace barman::storage
