#include "sync/backup_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "catalogue/backup_kind.h"
#include "host/remote_tree.h"
#include "stored/backup_store.h"
#include "stored/path_table.h"
#include "sync/copied_backup.h"
#include "sync/primary_node.h"
#include "verify/verify_backup.h"

namespace barman::sync {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::StoredForm;
using host::RemoteFile;

// Beside the work of the host, not instead of it.
constexpr std::size_t kVerifiers = 2;
constexpr std::size_t kMaxConnections = 16;
constexpr std::size_t kNamesBuffer = std::size_t{64} << 10;

enum class Reuse { yes, no };

// Nothing on the primary tells the content, not even sha256sum.
enum class Proof { given, impossible };

// Names for tar, each with its NUL.
class NameList {
 public:
  void add(const std::string& name, std::uint64_t size_bytes) {
    buffer_ += name;
    buffer_ += '\0';
    size_bytes_ += size_bytes;
    ++count_;
    if (buffer_.size() > kNamesBuffer) flush();
  }
  // From its beginning on.
  const Fd& finish() {
    flush();
    if (::lseek(file_.get(), 0, SEEK_SET) != 0) throw_errno("cannot rewind a list of files");
    return file_;
  }
  std::uint64_t size_bytes() const { return size_bytes_; }
  std::size_t count() const { return count_; }

 private:
  void flush() {
    write_full(file_, as_bytes(buffer_), "list of files");
    buffer_.clear();
  }

  Fd file_ = open_anonymous_file(fs::temp_directory_path());
  std::string buffer_;
  std::uint64_t size_bytes_ = 0;
  std::size_t count_ = 0;
};

// What comes over one connection.
struct Part {
  Part(const stored::BackupStore& store, const fs::path& target, const BackupInfo& backup)
      : writer(store.continue_copy(backup.id)), files(target, backup, writer->begin_tree({})) {}

  NameList names;
  std::unique_ptr<stored::BackupWriter> writer;
  CopiedBackup files;
};

class BackupCopy {
 public:
  BackupCopy(const server::Server& server, const PrimaryInfo& primary, const BackupInfo& backup,
             Progress& progress)
      : server_(server),
        primary_(primary),
        backup_(backup),
        progress_(progress),
        host_(primary_host(server.config())),
        store_(server.catalogue()),
        target_(server.catalogue().base_directory(backup.id)),
        directory_(catalogue::backup_directory_below(primary.basebackups_directory, backup.id)) {}

  void run() {
    const std::optional<Fd> list = host::list_remote_files(host_, directory_, server_.interrupt());
    if (!list) return copy_unlisted();
    try {
      if (copy_listed(*list, Reuse::yes) == Proof::given) return;
    } catch (const Error& error) {
      // What was cut off on its way goes on the next time.
      if (error.kind() != ErrorKind::corrupt || reused_count_ == 0 || !has_arrived_) throw;
      log::warning(log::kServerComponent, "backup {} is copied once more, from its beginning: {}",
                   backup_.id.value, error.describe());
    }
    if (reused_count_ == 0) return;
    copy_listed(*list, Reuse::no);
  }

 private:
  struct Wanted {
    std::uint64_t size_bytes = 0;
    std::int64_t mtime = 0;
    std::uint64_t inode_hash = 0;
    RemoteFile::Type type = RemoteFile::Type::other;
    bool is_here = false;
  };

  void copy_unlisted() {
    const auto writer = store_.create_copy(backup_.id, stored::CopiedLinks::make);
    CopiedBackup files(target_, backup_, writer->begin_tree({}));
    receive_from_primary(server_, {.directory = directory_}, files, progress_);
    files.finish();
    writer->make_durable();
    sync_directory(target_.parent_path());
    prove(files);
  }

  Proof copy_listed(const Fd& list, Reuse reuse) {
    read_list(list);
    reused_count_ = 0;
    has_arrived_ = false;
    if (reuse == Reuse::no || !find_status(target_)) {
      store_.create_copy(backup_.id, stored::CopiedLinks::make);
    }
    Part first(store_, target_, backup_);
    if (reuse == Reuse::yes) keep_present(first.files);
    host::visit_remote_files(list, [&](const RemoteFile& file) {
      const bool is_small =
          file.type == RemoteFile::Type::directory || file.type == RemoteFile::Type::symlink;
      if (is_small && is_copied(file.path, file.type == RemoteFile::Type::symlink)) {
        first.names.add(file.path, 0);
      }
    });
    receive(first, 1);
    if (reuse == Reuse::yes) share_with_neighbour(list, first.files);
    std::vector<std::unique_ptr<Part>> parts = split_rest(list);
    receive_all(parts);
    first.files.finish_writing();
    first.writer->make_durable();
    for (const auto& part : parts) {
      part->files.finish_writing();
      part->writer->make_durable();
      first.files.take_over(part->files);
    }
    first.files.seal();
    sync_directory(target_.parent_path());
    has_arrived_ = true;
    return prove(first.files);
  }

  void read_list(const Fd& list) {
    wanted_ = {};
    host::visit_remote_files(list, [&](const RemoteFile& file) {
      if (!is_copied(file.path, file.type == RemoteFile::Type::symlink)) return;
      wanted_.add(file.path, {.size_bytes = file.size_bytes,
                              .mtime = file.mtime,
                              .inode_hash = stored::hash_of(file.inode),
                              .type = file.type});
    });
    wanted_.seal();
  }

  // Of an earlier attempt; what is not wanted goes.
  void keep_present(CopiedBackup& files) {
    std::vector<fs::path> strangers;
    walk_directory(target_, [&](const fs::path& place, EntryKind kind) {
      const std::string path = place.lexically_relative(target_).string();
      Wanted* const wanted = wanted_.find(path);
      if (kind == EntryKind::directory && wanted != nullptr &&
          wanted->type == RemoteFile::Type::directory) {
        return Descend::yes;
      }
      if (kind == EntryKind::file && is_wanted_file(place, wanted)) {
        sync_fd(open_file(place, O_RDONLY | O_NOFOLLOW), place);
        take_present(*wanted, path, files);
      } else {
        strangers.push_back(place);
      }
      return Descend::no;
    });
    for (const fs::path& path : strangers) remove_tree(path);
    if (reused_count_ == 0) return;
    log::info(log::kServerComponent, "{} files of backup {} are here from an earlier attempt",
              reused_count_, backup_.id.value);
  }

  static bool is_wanted_file(const fs::path& place, const Wanted* wanted) {
    if (wanted == nullptr || wanted->type != RemoteFile::Type::file) return false;
    const auto status = find_status(place, Links::refuse);
    return status && static_cast<std::uint64_t>(status->st_size) == wanted->size_bytes &&
           status->st_mtim.tv_sec == wanted->mtime;
  }

  void take_present(Wanted& wanted, const std::string& path, CopiedBackup& files) {
    wanted.is_here = true;
    ++reused_count_;
    files.add_present(path, wanted.size_bytes);
    progress_.advance(wanted.size_bytes);
  }

  // A backup of files that is complete here, and on the primary: the next one, else the one before.
  std::optional<BackupInfo> find_neighbour() const {
    const auto reuse = server_.config().reuse_backup;
    if (reuse && *reuse != config::ReuseBackup::link) return std::nullopt;
    if (catalogue::source_of(backup_) != catalogue::SourceKind::rsync) return std::nullopt;
    std::vector<BackupInfo> candidates = server_.catalogue().list_backups().backups;
    std::erase_if(candidates, [&](const BackupInfo& other) {
      return !other.is_copy_done() || other.id == backup_.id ||
             catalogue::source_of(other) != catalogue::SourceKind::rsync ||
             primary_.find_backup(other.id) == nullptr ||
             server_.catalogue().is_being_deleted(other.id);
    });
    const BackupInfo* found = catalogue::next_backup(candidates, backup_.id);
    if (found == nullptr) found = catalogue::previous_backup(candidates, backup_.id);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }

  // The same inode there is the same file here.
  void share_with_neighbour(const Fd& list, CopiedBackup& files) {
    const std::optional<BackupInfo> neighbour = find_neighbour();
    if (!neighbour) return;
    const std::optional<Fd> other_list = host::list_remote_files(
        host_, catalogue::backup_directory_below(primary_.basebackups_directory, neighbour->id),
        server_.interrupt());
    if (!other_list) return;
    stored::PathTable<std::uint64_t> inodes;
    host::visit_remote_files(*other_list, [&](const RemoteFile& file) {
      if (file.type == RemoteFile::Type::file) inodes.add(file.path, stored::hash_of(file.inode));
    });
    inodes.seal();
    const fs::path other = server_.catalogue().base_directory(neighbour->id);
    std::size_t count = 0;
    host::visit_remote_files(list, [&](const RemoteFile& file) {
      if (file.type != RemoteFile::Type::file) return;
      Wanted* const wanted = wanted_.find(file.path);
      const std::uint64_t* const inode = inodes.find(file.path);
      if (wanted == nullptr || wanted->is_here || inode == nullptr ||
          *inode != wanted->inode_hash || !link_from(other / file.path, *wanted, file.path)) {
        return;
      }
      ++count;
      take_present(*wanted, file.path, files);
    });
    log::info(log::kServerComponent, "{} files of backup {} are shared with backup {}", count,
              backup_.id.value, neighbour->id.value);
  }

  // False when it must come over the network.
  bool link_from(const fs::path& source, const Wanted& wanted, const std::string& path) const {
    const auto status = find_status(source, Links::refuse);
    if (!status || !S_ISREG(status->st_mode) ||
        static_cast<std::uint64_t>(status->st_size) != wanted.size_bytes) {
      return false;
    }
    return ::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, (target_ / path).c_str(), 0) == 0;
  }

  // The files that are not here, by size to as many connections.
  std::vector<std::unique_ptr<Part>> split_rest(const Fd& list) {
    const auto jobs = std::max<std::int64_t>(server_.config().parallel_jobs, 1);
    std::vector<std::unique_ptr<Part>> parts(
        std::min(static_cast<std::size_t>(jobs), kMaxConnections));
    for (auto& part : parts) part = std::make_unique<Part>(store_, target_, backup_);
    host::visit_remote_files(list, [&](const RemoteFile& file) {
      if (file.type != RemoteFile::Type::file) return;
      const Wanted* const wanted = std::as_const(wanted_).find(file.path);
      if (wanted == nullptr || wanted->is_here) return;
      Part& least =
          **std::min_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
            return std::pair(a->names.size_bytes(), a->names.count()) <
                   std::pair(b->names.size_bytes(), b->names.count());
          });
      least.names.add(file.path, file.size_bytes);
    });
    std::erase_if(parts, [](const auto& part) { return part->names.count() == 0; });
    return parts;
  }

  void receive_all(const std::vector<std::unique_ptr<Part>>& parts) {
    if (parts.empty()) return;
    WorkerPool workers(parts.size());
    for (const auto& part : parts) {
      workers.submit([&, each = part.get()] { receive(*each, parts.size()); });
    }
    workers.wait();
  }

  void receive(Part& part, std::size_t connections) {
    receive_from_primary(
        server_,
        {.directory = directory_, .names = part.names.finish().get(), .has_exact_names = true},
        part.files, progress_, connections);
  }

  // Whatever was sent, the copy counts when it proves that it is the backup.
  Proof prove(CopiedBackup& copy) {
    copy.require_whole();
    const StoredForm form = catalogue::stored_form_of(backup_);
    if (form == StoredForm::plain && copy.confirm_by_manifest()) return Proof::given;
    const bool is_readable = !backup_.encryption || server_.cipher().can_decrypt();
    if (form == StoredForm::tar && copy.has_manifest() && is_readable) {
      verify_archives();
      return Proof::given;
    }
    if (const auto listing = host::list_remote_digests(host_, directory_, server_.interrupt())) {
      copy.confirm_by_listing(*listing, directory_);
      return Proof::given;
    }
    log::warning(
        log::kServerComponent,
        "the content of backup {} is not compared with that of the primary node, which has "
        "no 'sha256sum': nothing else tells it",
        backup_.id.value);
    return Proof::impossible;
  }

  void verify_archives() const {
    progress_.begin("checking the copy", static_cast<std::uint64_t>(std::max<std::int64_t>(
                                             backup_.cluster_size.value_or(0), 0)));
    const verify::VerifyReport report = verify::verify_files(
        server_, backup_, verify::VerifyDepth::checksums, kVerifiers, progress_);
    if (report.is_good()) return;
    throw Error(
        ErrorKind::corrupt,
        fmt::format("the copy is not what its manifest says: {}{}", report.findings.front().text,
                    report.finding_count > 1
                        ? fmt::format(" (and {} more)", report.finding_count - 1)
                        : std::string()),
        "Try 'barman verify-backup' on the primary node.");
  }

  const server::Server& server_;
  const PrimaryInfo& primary_;
  const BackupInfo& backup_;
  Progress& progress_;
  const host::SshHost host_;
  const stored::BackupStore store_;
  const fs::path target_;
  const fs::path directory_;
  stored::PathTable<Wanted> wanted_;
  std::size_t reused_count_ = 0;
  bool has_arrived_ = false;
};

}  // namespace

void copy_backup_files(const server::Server& server, const PrimaryInfo& primary,
                       const BackupInfo& backup, Progress& progress) {
  BackupCopy(server, primary, backup, progress).run();
}

}  // namespace barman::sync
