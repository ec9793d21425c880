#include "restore/remote_update.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "copy/verified_read.h"
#include "restore/clearing_rules.h"
#include "restore/remote_clearing.h"
#include "restore/remote_listing.h"
#include "restore/small_files.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// Of names for one session, before they are written.
constexpr std::size_t kNamesPiece = std::size_t{64} << 10;
// What tar and the file copier give a file, beside the bits of the backup.
constexpr mode_t kOwnerMode = 0600;
// Where WAL goes when nobody says where.
constexpr std::string_view kOwnWalStaging = "barman_wal";

// Where a line is a file, its name has no line break.
bool has_plain_name(const std::string& name) {
  return name.find_first_of("\n\\") == std::string::npos;
}

// Names for several sessions, in turn.
class NameLists {
 public:
  explicit NameLists(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      files_.push_back(open_anonymous_file(fs::temp_directory_path()));
    }
    texts_.resize(count);
  }
  void add(const std::string& name) {
    std::string& text = texts_[next_];
    text += "./" + name;
    text += '\0';
    if (text.size() > kNamesPiece) flush(next_);
    next_ = (next_ + 1) % files_.size();
  }
  std::vector<Fd> finish() {
    for (std::size_t i = 0; i < files_.size(); ++i) flush(i);
    return std::move(files_);
  }

 private:
  void flush(std::size_t i) {
    write_full(files_[i], as_bytes(texts_[i]), "list of names");
    texts_[i].clear();
  }

  std::vector<Fd> files_;
  std::vector<std::string> texts_;
  std::size_t next_ = 0;
};

}  // namespace

// One tree: the listing of what is there against what shall be.
class RemoteUpdate::TreeClearing {
 public:
  TreeClearing(RemoteUpdate& update, const copy::TreeCopy& tree, RemoteClearing& clearing)
      : update_(update),
        tree_(tree),
        clearing_(clearing),
        rules_(tree, update.plan_, [this](const std::string& path, bool is_directory) {
          return update_.files_.find(key_of(path, is_directory)) != nullptr;
        }) {
    const RestorePlan& plan = update.plan_;
    if (!tree.is_data_directory || !plan.wal.is_copied) return;
    const std::string inside = plan.wal.directory.lexically_relative(tree.destination).string();
    if (inside == kOwnWalStaging) staging_ = inside;
  }

  void treat(const ListedEntry& entry) {
    if (is_below(passed_, entry.path)) return;
    if (!staging_.empty() && entry.path == staging_ && entry.kind == FoundKind::directory) return;
    if (is_below(staging_, entry.path)) {
      ListedEntry inside = entry;
      inside.path.erase(0, staging_.size() + 1);
      return clearing_.note_staged(inside);
    }
    if (is_below(wal_, entry.path)) {
      ListedEntry inside = entry;
      inside.path.erase(0, wal_.size() + 1);
      return clearing_.note_wal(inside);
    }
    const bool is_hidden = tree_.is_data_directory && entry.path.starts_with('.');
    if (is_hidden) clearing_.note_hidden(entry.path);
    const fs::path path = tree_.destination / entry.path;
    switch (rules_.treatment_of(entry.path, entry.kind)) {
      case Treatment::leave:
        passed_ = entry.path;
        return;
      case Treatment::enter:
        return;
      case Treatment::keep:
        return compare(entry);
      case Treatment::enter_wal:
        wal_ = entry.path;
        update_.has_wal_link_ = entry.kind == FoundKind::directory_link;
        return;
      case Treatment::save:
        passed_ = entry.path;
        return clearing_.save(path, entry.path);
      case Treatment::remove:
        passed_ = entry.path;
        clearing_.remove(path);
    }
  }

 private:
  static bool is_below(const std::string& directory, const std::string& path) {
    return !directory.empty() && path.size() > directory.size() && path.starts_with(directory) &&
           path[directory.size()] == '/';
  }
  std::string key_of(const std::string& path, bool is_directory) const {
    return (tree_.destination / path).string() + (is_directory ? "/" : "");
  }
  void compare(const ListedEntry& entry) {
    File* const file = update_.files_.find(key_of(entry.path, false));
    if (file == nullptr || file->size_bytes != entry.size_bytes || file->mode != entry.mode ||
        !has_plain_name(entry.path) ||
        (tree_.is_data_directory && SmallFiles::may_want(entry.path, entry.size_bytes))) {
      return;
    }
    file->state = State::comparable;
  }

  RemoteUpdate& update_;
  const copy::TreeCopy& tree_;
  RemoteClearing& clearing_;
  const ClearingRules rules_;
  // Nothing below it is looked at.
  std::string passed_;
  std::string wal_;
  // Where the plan puts WAL for a recovery with a target, when it is in the data directory.
  std::string staging_;
};

RemoteUpdate::~RemoteUpdate() {
  if (stop_) stop_->request();
}

void RemoteUpdate::note_wanted(const copy::TreeCopy& tree) {
  tree.source->walk([&](const stored::Entry& entry) {
    if (entry.path.empty() || copy::fate_of(tree, entry.path) != copy::EntryFate::copy) return;
    const std::string path = (tree.destination / copy::restored_name(tree, entry.path)).string();
    files_.add(entry.is_directory ? path + "/" : path,
               {.size_bytes = entry.size_bytes,
                .mode = static_cast<std::uint16_t>(entry.mode | kOwnerMode)});
  });
}

std::vector<std::string> RemoteUpdate::clear() {
  for (const copy::TreeCopy& tree : plan_.trees) note_wanted(tree);
  files_.seal();
  RemoteClearing clearing(host_, plan_, interrupt_);
  for (const copy::TreeCopy& tree : plan_.trees) {
    TreeClearing one(*this, tree, clearing);
    means_ = list_remote_tree(
        host_, tree.destination, tree.is_data_directory ? plan_.pg_wal_name : "",
        [&](const ListedEntry& entry) { one.treat(entry); }, interrupt_);
  }
  std::vector<std::string> told = clearing.run();
  kept_wal_ = clearing.kept_wal();
  return told;
}

WalThere RemoteUpdate::digest_wal() {
  WalThere there{.checksum = means_.checksum, .digests = {}};
  if (kept_wal_.empty()) return there;
  NameLists lists(std::min(plan_.worker_count, kept_wal_.size()));
  for (const std::string& name : kept_wal_) lists.add(name);
  RemoteDigests digests(host_, plan_.wal.directory, means_.checksum, lists.finish(), interrupt_);
  digests.start(
      [&](const std::string& name, std::uint64_t digest) {
        const std::lock_guard lock(mutex_);
        if (name.starts_with("./")) there.digests[name.substr(2)] = digest;
      },
      [] {});
  digests.wait();
  return there;
}

// In the order in which the backup is read, so that nobody waits long for a checksum.
std::vector<Fd> RemoteUpdate::list_comparable(const copy::TreeCopy& tree, std::size_t& count) {
  NameLists lists(plan_.worker_count);
  tree.source->walk([&](const stored::Entry& entry) {
    if (entry.is_directory || entry.path.empty()) return;
    const std::string name = copy::restored_name(tree, entry.path);
    const File* const file = std::as_const(files_).find((tree.destination / name).string());
    if (file == nullptr || file->state != State::comparable) return;
    ++count;
    lists.add(name);
  });
  return lists.finish();
}

bool RemoteUpdate::begin_comparison(const copy::TreeCopy& tree) {
  std::size_t count = 0;
  std::vector<Fd> lists = list_comparable(tree, count);
  if (count == 0) return false;
  if (lists.size() > count) lists.resize(count);
  if (tree.source->is_far() && means_.has_gnu_tar) {
    copies_ = std::make_unique<RemoteCopies>(
        host_, tree.destination,
        RemoteCopying{.is_compressed = is_compressed_, .bandwidth_limit = plan_.bandwidth_limit},
        interrupt_);
    copies_->start(std::move(lists), [this](const copy::CopyTask& task, std::uint32_t crc32c) {
      note_right(task, crc32c);
    });
    return true;
  }
  stop_.emplace(interrupt_);
  running_sessions_ = lists.size();
  digests_ = std::make_unique<RemoteDigests>(host_, tree.destination, means_.checksum,
                                             std::move(lists), stop_->get());
  digests_->start([this, &tree](const std::string& name,
                                std::uint64_t digest) { note_digest(tree, name, digest); },
                  [this] {
                    const std::lock_guard lock(mutex_);
                    --running_sessions_;
                    changed_.notify_all();
                  });
  workers_.emplace(plan_.worker_count);
  return true;
}

void RemoteUpdate::note_digest(const copy::TreeCopy& tree, const std::string& name,
                               std::uint64_t digest) {
  if (!name.starts_with("./")) return;
  const std::string path = (tree.destination / name.substr(2)).string();
  const std::lock_guard lock(mutex_);
  File* const file = files_.find(path);
  if (file == nullptr || file->state != State::comparable) return;
  file->digest = digest;
  file->state = State::digested;
  changed_.notify_all();
}

std::optional<std::uint64_t> RemoteUpdate::wait_for_digest(const std::string& path) {
  std::unique_lock lock(mutex_);
  const File* const file = files_.find(path);
  changed_.wait(lock, [&] { return file->state == State::digested || running_sessions_ == 0; });
  return file->state == State::digested ? std::optional(file->digest) : std::nullopt;
}

void RemoteUpdate::compare(copy::CopyTask task) {
  interrupt_.throw_if_requested();
  if (workers_ && workers_->has_failed()) end_comparison();
  if (!is_comparable(task)) return;
  if (copies_) return copies_->judge(std::move(task));
  workers_->submit([this, task = std::move(task)] { compare_content(task); });
}

bool RemoteUpdate::is_comparable(const copy::CopyTask& task) {
  const std::lock_guard lock(mutex_);
  const File* const file = files_.find(task.destination.string());
  return file != nullptr && file->state != State::wanted;
}

void RemoteUpdate::note_right(const copy::CopyTask& task, std::uint32_t crc32c) {
  progress_.advance(task.size_bytes);
  const std::lock_guard lock(mutex_);
  File* const file = files_.find(task.destination.string());
  file->crc32c = crc32c;
  file->state = State::right;
  kept_bytes_ += task.size_bytes;
}

void RemoteUpdate::compare_content(const copy::CopyTask& task) {
  copy::CopyTask read = task;
  std::uint32_t crc = 0;
  if (task.on_checksum) read.on_checksum = [&](std::uint64_t, std::uint32_t found) { crc = found; };
  RunningDigest digest(means_.checksum);
  copy::read_verified(*copy::open_source(read), read, stop_->get(),
                      [&](Bytes data, std::uint64_t) { digest.update(data); });
  const std::string path = task.destination.string();
  if (wait_for_digest(path) != digest.finish()) return;
  note_right(task, crc);
}

void RemoteUpdate::end_comparison() {
  if (copies_) {
    copies_->wait();
    copies_.reset();
    return;
  }
  std::exception_ptr failure;
  try {
    workers_->wait();
  } catch (...) {  // Rethrown when the sessions have ended, too.
    failure = std::current_exception();
    stop_->request();
  }
  workers_.reset();
  try {
    digests_->wait();
  } catch (...) {  // What the sessions say after they were told to stop is not the reason.
    if (!failure) failure = std::current_exception();
  }
  digests_.reset();
  if (failure) std::rethrow_exception(failure);
}

bool RemoteUpdate::is_there(const copy::CopyTask& task) const {
  const File* const file = files_.find(task.destination.string());
  if (file == nullptr || file->state != State::right) return false;
  if (task.on_checksum) task.on_checksum(task.size_bytes, file->crc32c);
  return true;
}

}  // namespace barman::restore
