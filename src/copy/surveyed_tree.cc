#include "copy/surveyed_tree.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/worker_pool.h"
#include "copy/combined_manifest.h"
#include "copy/copy_task.h"
#include "copy/verified_read.h"
#include "stored/archive_index.h"
#include "stored/path_table.h"

namespace barman::copy {
namespace {

using stored::ContentOpener;
using stored::Entry;

constexpr const char* kListing = "list of the files of a backup";
// They say of which backup the files are (stored/backup_evidence.h).
constexpr std::uint64_t kMaxKept = std::uint64_t{1} << 20;

bool is_kept(const TreeCopy& tree, const Entry& entry) {
  return tree.is_data_directory && entry.size_bytes <= kMaxKept &&
         (entry.path == "backup_label" || entry.path == "global/pg_control");
}

// All of it is filled by the survey, and read only afterwards.
struct Findings {
  struct File {
    // Of those that a restore copies.
    std::optional<std::uint32_t> crc32c;
  };
  std::optional<Entry> root;
  std::optional<stored::ArchiveIndex> names;
  stored::PathTable<File> files;
  std::map<std::string, std::string> kept;
};

class SurveyedTree final : public stored::ContentTree {
 public:
  SurveyedTree(std::shared_ptr<const stored::ContentTree> tree, Findings found)
      : tree_(std::move(tree)), found_(std::move(found)) {}

  bool has_random_access() const override { return false; }
  bool is_listed() const override { return true; }
  void walk(const stored::EntryVisitor& visit) const override {
    if (found_.root) visit(*found_.root);
    found_.names->for_each([&](const stored::IndexedMember& member) {
      visit(with_checksum({.path = member.path,
                           .is_directory = member.type == pipeline::TarMemberType::directory,
                           .mode = member.mode,
                           .size_bytes = member.size_bytes,
                           .mtime_seconds = member.mtime}));
    });
  }
  void read_through(const stored::ContentVisitor& visit) const override {
    tree_->read_through(
        [&](const Entry& entry, const ContentOpener& open) { visit(with_checksum(entry), open); });
  }
  bool has_file(const std::string& path) const override {
    return found_.files.find(path) != nullptr;
  }
  std::unique_ptr<stored::ContentFile> open(const std::string& path) const override {
    const auto kept = found_.kept.find(path);
    if (kept != found_.kept.end()) return stored::make_text_file(kept->second);
    return tree_->open(path);
  }
  std::string describe(const std::string& path) const override { return tree_->describe(path); }

 private:
  Entry with_checksum(Entry entry) const {
    const Findings::File* const file = entry.is_directory ? nullptr : found_.files.find(entry.path);
    if (file != nullptr) entry.content_crc32c = file->crc32c;
    return entry;
  }

  const std::shared_ptr<const stored::ContentTree> tree_;
  const Findings found_;
};

class Survey {
 public:
  Survey(const TreeCopy& tree, const stored::ManifestIndex* manifest, const SurveyOptions& options)
      : tree_(tree),
        manifest_(manifest),
        options_(options),
        listing_(open_anonymous_file(std::filesystem::temp_directory_path())),
        names_(listing_),
        workers_(options.worker_count) {}

  Findings run() {
    try {
      tree_.source->read_through(
          [this](const Entry& entry, const ContentOpener& open) { visit(entry, open); });
    } catch (...) {  // A file that is not right is the reason why the reading ended.
      if (has_given_up_) workers_.wait();
      throw;
    }
    workers_.wait();
    names_.commit({.stream_size = offset_}, {});
    found_.names = stored::ArchiveIndex::parse(
        [file = std::make_shared<const Fd>(std::move(listing_))](std::uint64_t offset,
                                                                 MutableBytes buffer) {
          return read_full_at(*file, buffer, offset, kListing);
        },
        names_.size_bytes(), kListing);
    found_.files.seal();
    refuse_doubles();
    return std::move(found_);
  }

 private:
  // One call at a time.
  void visit(const Entry& entry, const ContentOpener& open) {
    if (workers_.has_failed()) {
      has_given_up_ = true;
      throw Error(ErrorKind::corrupt, "a file of the backup is not right");
    }
    options_.interrupt.throw_if_requested();
    if (entry.path.empty()) {
      found_.root = entry;
      return;
    }
    if (entry.path == ".") return;
    note_name(entry);
    if (entry.is_directory) return;
    if (fate_of(tree_, entry.path) == EntryFate::leave_out) {
      note_file(entry.path, {});
      return;
    }
    workers_.submit([this, entry, open] { read(entry, open); });
  }

  void note_name(const Entry& entry) {
    pipeline::TarMember member;
    member.path = entry.path;
    member.type =
        entry.is_directory ? pipeline::TarMemberType::directory : pipeline::TarMemberType::regular;
    member.mode = entry.mode;
    member.size_bytes = entry.size_bytes;
    member.mtime = entry.mtime_seconds;
    member.content_offset = offset_;
    names_.add(member);
    offset_ += entry.size_bytes;
  }

  void note_file(const std::string& path, Findings::File file) {
    const std::lock_guard lock(mutex_);
    found_.files.add(path, file);
  }

  // In the thread of a worker.
  void read(const Entry& entry, const ContentOpener& open) {
    CopyTask task = make_copy_task({.tree = *tree_.source,
                                    .manifest_prefix = tree_.manifest_prefix,
                                    .manifest = manifest_,
                                    .combined = combined_},
                                   entry, open, {});
    Findings::File file;
    task.on_checksum = [&](std::uint64_t, std::uint32_t crc32c) { file.crc32c = crc32c; };
    std::string content;
    const bool keeps = is_kept(tree_, entry);
    const auto source = open_source(task);
    read_verified(*source, task, options_.interrupt, [&](Bytes data, std::uint64_t) {
      options_.progress.advance(data.size());
      if (keeps) content += as_text(data);
    });
    note_file(entry.path, file);
    if (!keeps) return;
    const std::lock_guard lock(mutex_);
    found_.kept.insert_or_assign(entry.path, std::move(content));
  }

  // Nobody could tell which of them was judged.
  void refuse_doubles() const {
    const Findings::File* const twice = found_.files.find_double();
    if (twice == nullptr) return;
    std::string path;
    found_.names->for_each([&](const stored::IndexedMember& member) {
      if (found_.files.find(member.path) == twice) path = member.path;
    });
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" comes twice in its archives", tree_.source->describe(path)),
                "Restore it into an empty directory, where the last one counts.");
  }

  const TreeCopy& tree_;
  const stored::ManifestIndex* const manifest_;
  const SurveyOptions& options_;
  CombinedManifest combined_;
  Fd listing_;
  stored::ArchiveIndexWriter names_;
  std::uint64_t offset_ = 0;
  bool has_given_up_ = false;
  std::mutex mutex_;
  Findings found_;
  // After what its threads use.
  WorkerPool workers_;
};

}  // namespace

std::shared_ptr<const stored::ContentTree> survey_tree(const TreeCopy& tree,
                                                       const stored::ManifestIndex* manifest,
                                                       const SurveyOptions& options) {
  if (tree.source->has_random_access()) return tree.source;
  options.progress.set_item(tree.label);
  return std::make_shared<SurveyedTree>(tree.source, Survey(tree, manifest, options).run());
}

}  // namespace barman::copy
