#include "stored/bucket_tree.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "compression/codec.h"
#include "pipeline/tar_reader.h"
#include "storage/object_text.h"
#include "stored/archive_tree.h"
#include "stored/joined_tree.h"
#include "stored/member_feeder.h"
#include "stored/object_bytes.h"

namespace barman::stored {
namespace {

using catalogue::StoredArchive;
using pipeline::TarMember;
using pipeline::TarMemberType;

constexpr mode_t kDirectoryMode = 0700;
// Each has its connection and its decompressor.
constexpr std::size_t kArchivesAtOnce = 4;
// As of archives on a disk.
// Larger ones at the root are handed on at once, the first time.
constexpr std::uint64_t kMaxHeldMember = std::uint64_t{1} << 20;
constexpr std::string_view kLinksOfTablespaces = "pg_tblspc/";
constexpr std::string_view kHeldControlFile = "global/pg_control";
constexpr const char* kRestoreAnother = "Restore another backup.";

// A small file that may come again.
struct HeldMember {
  Entry entry;
  std::string content;
  std::uint32_t archive_number = 0;
};

// What the archives of one tree have in common while they are read.
class TreeReading {
 public:
  TreeReading(const ContentVisitor& visit, const Interrupt& interrupt)
      : visit_(visit), interrupt_(interrupt) {}

  // In the thread of whichever archive; the visitor is called by one at a time.
  void visit(const Entry& entry, const ContentOpener& open) {
    const std::lock_guard lock(mutex_);
    make_parents(entry.path);
    const bool is_at_root = entry.path.find('/') == std::string::npos;
    if (entry.is_directory) {
      if (entry.path.empty() || entry.path == "." || !told_.insert(entry.path).second) return;
    } else if (is_at_root && !files_at_root_.insert(entry.path).second) {
      return;  // A large one that comes twice: both are what the server has sent.
    }
    visit_(entry, open);
  }

  void hold(HeldMember member) {
    const std::lock_guard lock(mutex_);
    const std::string path = member.entry.path;
    const auto [found, is_new] = held_.try_emplace(path, member);
    if (!is_new && member.archive_number >= found->second.archive_number) {
      found->second = std::move(member);
    }
  }
  void tell_held() {
    for (const auto& [path, member] : std::exchange(held_, {})) {
      visit(member.entry, [content = member.content] { return make_text_file(content); });
    }
  }

  // Also because another archive cannot be read.
  void require_going_on() const {
    interrupt_.throw_if_requested();
    if (has_failed_) throw Error(ErrorKind::io, "another archive of the backup cannot be read");
  }
  void fail() { has_failed_ = true; }

 private:
  void make_parents(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (told_.contains(parent) || !made_.insert(parent).second) continue;
      visit_({.path = parent, .is_directory = true, .mode = kDirectoryMode}, {});
    }
  }

  const ContentVisitor& visit_;
  const Interrupt& interrupt_;
  std::atomic<bool> has_failed_ = false;
  std::mutex mutex_;
  std::set<std::string> told_;  // directories that the archives list
  std::set<std::string> made_;  // others that were needed before
  std::set<std::string> files_at_root_;
  std::map<std::string, HeldMember> held_;
};

// The members of one archive.
class ArchiveReading final : public pipeline::TarVisitor {
 public:
  ArchiveReading(TreeReading& tree, const StoredArchive& archive, const std::string& name)
      : tree_(tree),
        archive_(archive),
        name_(name),
        visit_([this](const Entry& entry, const ContentOpener& open) { tree_.visit(entry, open); }),
        feeder_(name, visit_) {}

  void begin_member(const TarMember& member) override {
    tree_.require_going_on();
    target_ = target_of(member);
    if (target_ == Target::feeder) return feeder_.begin_member(member);
    held_ = {.entry = {.path = member.path,
                       .mode = member.mode,
                       .size_bytes = member.size_bytes,
                       .mtime_seconds = member.mtime},
             .content = {},
             .archive_number = archive_.name.number};
  }
  void write(Bytes data) override {
    tree_.require_going_on();
    if (target_ == Target::feeder) feeder_.write(data);
    if (target_ == Target::held) held_.content += as_text(data);
  }
  void end_member() override {
    if (target_ == Target::feeder) feeder_.end_member();
    if (target_ == Target::held) tree_.hold(std::move(held_));
  }

 private:
  enum class Target { feeder, held, nowhere };

  Target target_of(const TarMember& member) const {
    const bool is_other_link =
        member.type == TarMemberType::symlink && !member.path.starts_with(kLinksOfTablespaces);
    if (is_other_link || member.type == TarMemberType::hard_link) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}:{}\" is {}", name_, member.path,
                              is_other_link ? "a link" : "a second name of another file"),
                  "'barman-cloud-restore' restores such a backup, into an empty directory.");
    }
    if (member.type == TarMemberType::fifo) {
      log::warning(log::kContentComponent, "\"{}:{}\" is no file, and left out", name_,
                   member.path);
      return Target::nowhere;
    }
    if (member.type != TarMemberType::regular || archive_.name.tablespace_oid != 0) {
      return Target::feeder;
    }
    const bool is_at_root = member.path.find('/') == std::string::npos;
    const bool is_held =
        member.path == kHeldControlFile || (is_at_root && member.size_bytes <= kMaxHeldMember);
    return is_held ? Target::held : Target::feeder;
  }

  TreeReading& tree_;
  const StoredArchive& archive_;
  const std::string name_;
  const ContentVisitor visit_;
  MemberFeeder feeder_;
  Target target_ = Target::feeder;
  HeldMember held_;
};

void read_archive(const storage::Storage& storage, const StoredArchive& archive,
                  const std::string& name, const encryption::Cipher& cipher, TreeReading& tree) {
  ArchiveReading visitor(tree, archive, name);
  pipeline::TarReader reader(visitor, name, pipeline::TarEnd::required, pipeline::TarTypes::all);
  pipeline::Sink* sink = &reader;
  std::unique_ptr<pipeline::Sink> decompressor;
  if (archive.name.compression) {
    decompressor = compression::make_decompressor(*archive.name.compression, *sink, name);
    sink = decompressor.get();
  }
  std::unique_ptr<pipeline::Sink> decryptor;
  if (archive.name.is_encrypted) {
    decryptor = cipher.make_decryptor(*sink, name);
    sink = decryptor.get();
  }
  push_object(storage, archive.key, *sink);
}

// Numbered from 0, without a gap.
std::vector<StoredArchive> archives_of_tree(const catalogue::CloudCatalogue& bucket,
                                            const catalogue::BackupInfo& backup,
                                            const catalogue::BackupObjects& objects,
                                            std::uint32_t oid) {
  const std::string place = bucket.layout().shown(bucket.layout().backup_prefix(backup.id));
  if (const auto problem = catalogue::find_archive_problem(objects, oid, place); !problem.empty()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' {} in the bucket", backup.id.value, problem),
                kRestoreAnother);
  }
  std::vector<StoredArchive> archives;
  for (const StoredArchive& archive : objects.archives) {
    if (archive.name.tablespace_oid == oid) archives.push_back(archive);
  }
  return archives;
}

// Collects an index, which is small beside its archive.
class IndexText final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override {}
  std::string text;
};

ReadAt reading_of(std::string text) {
  return [text = std::make_shared<const std::string>(std::move(text))](
             std::uint64_t offset, MutableBytes buffer) -> std::size_t {
    if (offset >= text->size()) return 0;
    const auto begin = static_cast<std::size_t>(offset);
    const std::size_t size = std::min(buffer.size(), text->size() - begin);
    std::copy_n(as_bytes(*text).begin() + static_cast<std::ptrdiff_t>(begin), size, buffer.begin());
    return size;
  };
}

// nullopt when there is none, or none that is of use; a damaged one is told.
std::optional<ArchiveIndex> find_index(const catalogue::CloudCatalogue& bucket,
                                       const std::string& key, const StoredArchive& archive) {
  try {
    IndexText content;
    push_object(bucket.storage(), key, content);
    const std::uint64_t size_bytes = content.text.size();
    auto index = ArchiveIndex::parse(reading_of(std::move(content.text)), size_bytes,
                                     bucket.layout().shown(key));
    const bool is_of_archive = index && index->facts().stamp.size_bytes == archive.size_bytes &&
                               index->facts().algorithm == archive.name.compression;
    if (is_of_archive && index->has_random_access()) return index;
  } catch (const Error& error) {  // The archive has all that the index has.
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    log::warning(log::kContentComponent, "{}; going on without it", error.describe());
  }
  return std::nullopt;
}

// nullptr unless all of the archives have their indexes.
std::shared_ptr<const ContentTree> open_indexed(const catalogue::CloudCatalogue& bucket,
                                                const catalogue::BackupId& id,
                                                const std::vector<StoredArchive>& archives,
                                                const catalogue::BackupObjects& objects,
                                                const std::shared_ptr<FrameCache>& cache) {
  std::vector<std::shared_ptr<const ArchiveTree>> trees;
  for (const StoredArchive& archive : archives) {
    const std::string name = catalogue::format_index_name(archive.name);
    if (std::ranges::find(objects.other_names, name) == objects.other_names.end()) return nullptr;
    auto index = find_index(bucket, bucket.layout().backup_prefix(id) + name, archive);
    if (!index) return nullptr;
    trees.push_back(std::make_shared<ArchiveTree>(
        bucket.layout().shown(archive.key),
        Entry{
            .is_directory = true, .mode = kDirectoryMode, .mtime_seconds = objects.newest_seconds},
        std::make_unique<ObjectBytes>(bucket.storage(), archive.key), *std::move(index), cache,
        ArchiveTree::Reading::in_pieces));
  }
  return std::make_shared<JoinedTree>(std::move(trees));
}

void refuse_secrets(const catalogue::CloudCatalogue& bucket,
                    const std::vector<StoredArchive>& archives, const encryption::Cipher& cipher) {
  if (cipher.can_decrypt()) return;
  for (const StoredArchive& archive : archives) {
    if (!archive.name.is_encrypted) continue;
    throw Error(ErrorKind::config,
                fmt::format("\"{}\" is encrypted, but no 'encryption_passphrase_command' is "
                            "configured",
                            bucket.layout().shown(archive.key)),
                "Set encryption_passphrase_command to a command that prints the passphrase of the "
                "key.");
  }
}

void warn_of_foreign(const std::string& prefix, const catalogue::BackupObjects& objects) {
  for (const std::string& name : objects.other_names) {
    const auto parsed = catalogue::parse_backup_archive_name(name);
    if (!parsed) continue;
    log::warning(log::kContentComponent, "\"{}{}\" is left out: nobody knows its extension \"{}\"",
                 prefix, name, parsed->unknown_extension);
  }
}

}  // namespace

BucketTree::BucketTree(catalogue::CloudCatalogue bucket, std::vector<StoredArchive> archives,
                       std::int64_t mtime_seconds, Interrupt interrupt, encryption::Cipher cipher)
    : bucket_(std::move(bucket)),
      archives_(std::move(archives)),
      mtime_seconds_(mtime_seconds),
      interrupt_(std::move(interrupt)),
      cipher_(std::move(cipher)) {}

void BucketTree::read_through(const ContentVisitor& visit) const {
  visit({.is_directory = true, .mode = kDirectoryMode, .mtime_seconds = mtime_seconds_}, {});
  TreeReading tree(visit, interrupt_);
  WorkerPool workers(std::clamp<std::size_t>(archives_.size(), 1, kArchivesAtOnce));
  for (const StoredArchive& archive : archives_) {
    workers.submit([&] {
      try {
        read_archive(bucket_.storage(), archive, shown(archive), cipher_, tree);
      } catch (...) {  // The others need not go on.
        tree.fail();
        throw;
      }
    });
  }
  workers.wait();
  tree.tell_held();
}

void BucketTree::walk(const EntryVisitor& visit) const {
  read_through([&](const Entry& entry, const ContentOpener&) { visit(entry); });
}

bool BucketTree::has_file(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::unique_ptr<ContentFile> BucketTree::open(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::string BucketTree::describe(const std::string& path) const {
  return shown(archives_.front()) + ":" + path;
}

std::string BucketTree::shown(const StoredArchive& archive) const {
  return bucket_.layout().shown(archive.key);
}

std::vector<BackupTree> open_bucket_backup(const catalogue::CloudCatalogue& bucket,
                                           const catalogue::BackupInfo& backup,
                                           const OpenOptions& options) {
  const catalogue::BackupObjects objects = bucket.list_objects(backup.id);
  warn_of_foreign(bucket.layout().shown(bucket.layout().backup_prefix(backup.id)), objects);
  const auto cache = std::make_shared<FrameCache>();
  std::vector<BackupTree> trees;
  for (const std::uint32_t oid : catalogue::trees_of(backup)) {
    std::vector<StoredArchive> archives = archives_of_tree(bucket, backup, objects, oid);
    refuse_secrets(bucket, archives, options.cipher);
    std::shared_ptr<const ContentTree> tree;
    if (options.wanted == WantedParts::some) {
      tree = open_indexed(bucket, backup.id, archives, objects, cache);
    }
    if (!tree) {
      tree = std::make_shared<BucketTree>(bucket, std::move(archives), objects.newest_seconds,
                                          options.interrupt, options.cipher);
    }
    trees.push_back({oid, std::move(tree)});
  }
  return trees;
}

void require_decryptable(const catalogue::CloudCatalogue& bucket,
                         const catalogue::BackupInfo& backup, const encryption::Cipher& cipher) {
  for (const StoredArchive& archive : bucket.list_objects(backup.id).archives) {
    if (!archive.name.is_encrypted) continue;
    std::vector<std::byte> begin(kDecryptableBegin);
    begin.resize(bucket.storage().open(archive.key)->read_at(0, begin));
    return require_decryptable(begin, bucket.layout().shown(archive.key), cipher);
  }
}

void require_bucket_archives(const catalogue::CloudCatalogue& bucket,
                             const catalogue::BackupInfo& backup) {
  const catalogue::BackupObjects objects = bucket.list_objects(backup.id);
  for (const std::uint32_t oid : catalogue::trees_of(backup)) {
    archives_of_tree(bucket, backup, objects, oid);
  }
}

}  // namespace barman::stored
