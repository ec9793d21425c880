#include "verify/verify_backup.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/worker_pool.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"
#include "postgres/backup_manifest.h"
#include "postgres/page_checksum.h"
#include "stored/backup_chain.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"
#include "stored/manifest_index.h"
#include "stored/open_backup.h"
#include "stored/own_manifest.h"
#include "verify/verify_wal.h"

namespace barman::verify {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using stored::BackupTree;

namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;
// How a finding begins that tells of parts of another backup.
constexpr std::string_view kForeignFiles = "the files do not belong to this backup";
static_assert(kBufferSize % postgres::kPageSize == 0);

void require_verifiable(const server::Server& server, const BackupInfo& backup) {
  const auto refuse = [&](const std::string& reason, const std::string& hint) {
    throw Error(ErrorKind::config,
                fmt::format("Cannot verify backup '{}' of server '{}': {}", backup.id.value,
                            server.name(), reason),
                hint);
  };
  if (!backup.is_copy_done()) {
    refuse(fmt::format("backup status is {}", catalogue::status_text(backup.status)),
           "Only a complete backup can be verified.");
  }
  if (backup.type() == catalogue::BackupType::snapshot) {
    refuse("a snapshot backup has its files at the cloud provider", "");
  }
}

// Files of a data directory that PostgreSQL's own verification leaves out, too: the manifest says
// nothing of them, or they change after the backup.
bool is_ignored(std::string_view path) {
  constexpr std::array<std::string_view, 4> kFiles = {
      postgres::kBackupManifest, "postgresql.auto.conf", "recovery.signal", "standby.signal"};
  return path.starts_with("pg_wal/") ||
         std::find(kFiles.begin(), kFiles.end(), path) != kFiles.end();
}

class Verification {
 public:
  Verification(const server::Server& server, const BackupInfo& backup, Progress& progress)
      : server_(server), backup_(backup), progress_(progress), interrupt_(server.interrupt()) {}

  void verify_files(VerifyDepth depth, std::size_t worker_count) {
    depth_ = depth;
    const fs::path manifest_path =
        stored::BackupStore(server_.catalogue()).manifest_path(backup_.id);
    // A damaged manifest is what the user wants to hear of; the WAL can be checked without it.
    try {
      manifest_ = stored::load_own_manifest(backup_, manifest_path);
      if (!manifest_) {
        add({postgres::kBackupManifest,
             find_status(manifest_path)
                 ? "\"backup_manifest\" is not of this backup: it came with the files of the "
                   "cluster ('generate-manifest' writes its own)"
                 : "\"backup_manifest\" is not in the backup (for a backup made by rsync, "
                   "'generate-manifest' writes it)"});
        report_.has_no_manifest_yet =
            catalogue::source_of(backup_) == catalogue::SourceKind::rsync ||
            backup_.mode == catalogue::kLocalToCloudMode;
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      add({postgres::kBackupManifest, error.describe()});
    }
    // Without a manifest nothing but these facts speaks for an archive, and they are inside.
    if (!manifest_ && catalogue::stored_form_of(backup_) == catalogue::StoredForm::tar) return;
    const std::vector<BackupTree> trees = stored::open_backup(
        server_.catalogue(), backup_, {.interrupt = interrupt_, .cipher = server_.cipher()});
    const stored::BackupEvidence evidence =
        stored::gather_evidence(trees.back().content.get(), manifest_ ? &*manifest_ : nullptr);
    for (const std::string& contradiction : stored::find_contradictions(backup_, evidence)) {
      add({catalogue::kBackupInfo, fmt::format("{}: {}", kForeignFiles, contradiction)});
    }
    if (manifest_) compare_files(trees, worker_count);
  }

  void verify_configuration() {
    const stored::KeptSurvey kept =
        stored::survey_kept_configuration(server_.catalogue(), backup_.id);
    for (const auto& [name, problem] : kept.problems) {
      add({name, fmt::format("the configuration file \"{}\", kept from outside of the data "
                             "directory, {}",
                             name, problem)});
    }
  }

  void verify_wals() {
    WalVerdict verdict = verify_required_wal(server_, backup_);
    report_.wal_count = verdict.wal_count;
    report_.record_count = verdict.record_count;
    for (VerifyFinding& finding : verdict.findings) add(std::move(finding));
  }

  VerifyReport report() {
    std::sort(report_.findings.begin(), report_.findings.end(),
              [](const VerifyFinding& a, const VerifyFinding& b) { return a.object < b.object; });
    return std::move(report_);
  }

 private:
  struct FileTask {
    stored::ContentOpener open;
    std::string listed;  // as the manifest names it
    stored::ExpectedFile expected;
  };

  void add(VerifyFinding finding) {
    const std::lock_guard lock(mutex_);
    ++report_.finding_count;
    if (report_.findings.size() < VerifyReport::kMaxFindings) {
      report_.findings.push_back(std::move(finding));
    }
  }

  void compare_files(const std::vector<BackupTree>& trees, std::size_t worker_count) {
    WorkerPool workers(worker_count);
    for (const BackupTree& tree : trees) submit_tree(tree, workers);
    workers.wait();
    // Of what could not be read nobody knows what is missing.
    const auto is_wanted = [&](std::string_view path) {
      return !is_ignored(path) && !is_in_unread_tree(path, trees);
    };
    for (const std::string& path : manifest_->list_unseen(is_wanted, VerifyReport::kMaxFindings)) {
      add({path, fmt::format("\"{}\" is missing", path)});
    }
  }

  void submit_tree(const BackupTree& tree, WorkerPool& workers) {
    // What stands in the way of reading one tree does not hide what is wrong with the others.
    try {
      tree.content->read_through(
          [&](const stored::Entry& entry, const stored::ContentOpener& open) {
            submit_entry(tree, entry, open, workers);
          });
    } catch (const Error& error) {
      if (!is_finding(error)) throw;
      add({tree.manifest_prefix(), error.describe()});
      unread_.push_back(&tree);
    }
  }

  bool is_in_unread_tree(std::string_view path, const std::vector<BackupTree>& trees) const {
    if (unread_.empty()) return false;
    // That of the data directory has no prefix: all of the others come first.
    const BackupTree* home = nullptr;
    for (const BackupTree& tree : trees) {
      const std::string prefix = tree.manifest_prefix();
      if (!path.starts_with(prefix)) continue;
      if (home == nullptr || prefix.size() > home->manifest_prefix().size()) home = &tree;
    }
    return std::find(unread_.begin(), unread_.end(), home) != unread_.end();
  }

  // Manifests that Barman has made of copied files are of the data directory only.
  bool is_beyond_manifest(const BackupTree& tree) const {
    return !tree.is_data_directory() &&
           catalogue::source_of(backup_) == catalogue::SourceKind::rsync &&
           !manifest_->facts().tablespaces.contains(tree.oid);
  }

  void submit_entry(const BackupTree& tree, const stored::Entry& entry,
                    const stored::ContentOpener& open, WorkerPool& workers) {
    interrupt_.throw_if_requested();
    const std::string listed = tree.manifest_prefix() + entry.path;
    if (entry.is_directory || (tree.is_data_directory() && is_ignored(listed))) return;
    std::optional<stored::ExpectedFile> expected = manifest_->find(listed);
    if (!expected && is_beyond_manifest(tree)) return;
    if (!expected) {
      add({listed, fmt::format("\"{}\" is in the backup, but not in its manifest", listed)});
      return;
    }
    manifest_->mark_seen(listed);
    if (expected->size_bytes != entry.size_bytes) {
      add({listed, fmt::format("\"{}\" has {} bytes instead of {}", listed, entry.size_bytes,
                               expected->size_bytes)});
      return;
    }
    if (depth_ == VerifyDepth::sizes) {
      const std::lock_guard lock(mutex_);
      ++report_.file_count;
      return;
    }
    workers.submit(
        [this, task = FileTask{open, listed, std::move(*expected)}] { verify_file(task); });
  }

  void verify_file(const FileTask& task) {
    // Each file is judged on its own.
    try {
      read_file(task);
    } catch (const Error& error) {
      if (!is_finding(error)) throw;
      add({task.listed, error.describe()});
    }
  }

  void read_file(const FileTask& task) {
    thread_local std::vector<std::byte> buffer(kBufferSize);
    const std::unique_ptr<stored::ContentFile> file = task.open();
    Digest digest(task.expected.algorithm);
    PageScan pages(backup_, task.listed);
    std::uint64_t size_bytes = 0;
    for (;;) {
      interrupt_.throw_if_requested();
      const std::size_t size = file->read_at(size_bytes, buffer);
      const Bytes data = Bytes(buffer).first(size);
      digest.update(data);
      pages.scan(data);
      size_bytes += size;
      progress_.advance(size);
      if (size < buffer.size()) break;
    }
    const std::string checksum = digest.finish();
    if (size_bytes != task.expected.size_bytes) {
      add({task.listed, fmt::format("\"{}\" has {} bytes instead of {}", task.listed, size_bytes,
                                    task.expected.size_bytes)});
    } else if (checksum != task.expected.checksum) {
      add({task.listed, fmt::format("\"{}\" is damaged: its checksum is {}, the manifest says {}",
                                    task.listed, checksum, task.expected.checksum)});
    }
    if (pages.damaged_count() > 0) {
      add({task.listed,
           fmt::format("\"{}\" has {} page(s) with a wrong checksum, the first is block {}",
                       task.listed, pages.damaged_count(), pages.first_damaged())});
    }
    const std::lock_guard lock(mutex_);
    ++report_.file_count;
    report_.size_bytes += size_bytes;
    report_.page_count += pages.page_count();
  }

  // The pages of one file, in pieces of whole pages.
  class PageScan {
   public:
    PageScan(const BackupInfo& backup, std::string_view path) {
      // rsync copies pages while they are written; only PostgreSQL itself reads them whole.
      if (catalogue::data_checksums_of(backup) != catalogue::DataChecksums::on ||
          catalogue::source_of(backup) != catalogue::SourceKind::postgres_stream ||
          !backup.begin_xlog)
        return;
      file_ = postgres::parse_relation_path(path);
      if (!file_) return;
      block_ = file_->first_block;
      changed_since_ = *backup.begin_xlog;
    }

    void scan(Bytes data) {
      if (!file_) return;
      for (; data.size() >= postgres::kPageSize; data = data.subspan(postgres::kPageSize)) {
        const auto state =
            postgres::check_page(data.first(postgres::kPageSize), block_, changed_since_);
        if (state == postgres::PageState::damaged && damaged_count_++ == 0) first_damaged_ = block_;
        ++block_;
        ++page_count_;
      }
    }

    std::uint64_t page_count() const { return page_count_; }
    std::uint64_t damaged_count() const { return damaged_count_; }
    std::uint32_t first_damaged() const { return first_damaged_; }

   private:
    std::optional<postgres::RelationFile> file_;
    wal::Lsn changed_since_;
    std::uint32_t block_ = 0;
    std::uint32_t first_damaged_ = 0;
    std::uint64_t page_count_ = 0;
    std::uint64_t damaged_count_ = 0;
  };

  const server::Server& server_;
  const BackupInfo& backup_;
  Progress& progress_;
  const Interrupt& interrupt_;
  VerifyDepth depth_ = VerifyDepth::checksums;
  std::optional<stored::ManifestIndex> manifest_;
  // Trees that could not be read to their end.
  std::vector<const BackupTree*> unread_;
  std::mutex mutex_;
  VerifyReport report_;
};

}  // namespace

namespace {

// 0 when that is not known: an incremental backup holds less than the cluster has.
std::uint64_t size_to_read(const BackupInfo& backup) {
  const bool is_whole = !backup.parent_backup_id;
  const auto size = is_whole ? backup.cluster_size : backup.size;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(size.value_or(0), 0));
}

// An incremental backup is as good as everything that it builds on.
void verify_ancestors(const server::Server& server, const BackupInfo& backup,
                      std::size_t worker_count, Progress& progress, VerifyReport& report) {
  const auto add = [&](const catalogue::BackupId& id, const std::string& text) {
    ++report.finding_count;
    if (report.findings.size() < VerifyReport::kMaxFindings) {
      report.findings.push_back({id.value, text});
    }
  };
  try {
    const stored::BackupChain chain = stored::BackupChain::open(
        server.catalogue(), backup, {.interrupt = server.interrupt(), .cipher = server.cipher()});
    for (std::size_t index = 1; index < chain.members().size(); ++index) {
      const BackupInfo& link = chain.members()[index].info;
      const FileLock lock = server::share_backup(server, link.id, "verify");
      progress.begin(fmt::format("verify {}, which it builds on", link.id.value),
                     size_to_read(link));
      const VerifyReport found =
          verify_files(server, link, VerifyDepth::checksums, worker_count, progress);
      progress.end();
      report.file_count += found.file_count;
      report.size_bytes += found.size_bytes;
      report.page_count += found.page_count;
      for (const VerifyFinding& finding : found.findings) {
        add(link.id, fmt::format("backup {}, which it builds on: {}", link.id.value, finding.text));
      }
    }
  } catch (const Error& error) {
    // A broken chain is what the user wants to hear of, beside everything else.
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    const bool is_told = std::any_of(
        report.findings.begin(), report.findings.end(),
        [](const VerifyFinding& finding) { return finding.text.starts_with(kForeignFiles); });
    if (!is_told) add(backup.id, error.describe());
  }
}

}  // namespace

VerifyReport verify_files(const server::Server& server, const BackupInfo& backup, VerifyDepth depth,
                          std::size_t worker_count, Progress& progress) {
  Verification verification(server, backup, progress);
  verification.verify_files(depth, worker_count);
  return verification.report();
}

VerifyReport verify_backup(const server::Server& server, const BackupInfo& backup,
                           std::size_t worker_count, Progress& progress) {
  require_verifiable(server, backup);
  const FileLock lock = server::share_backup(server, backup.id, "verify");
  Verification verification(server, backup, progress);
  progress.begin("verify", size_to_read(backup));
  verification.verify_files(VerifyDepth::checksums, worker_count);
  progress.end();
  verification.verify_configuration();
  progress.phase("verifying the WAL that it needs");
  verification.verify_wals();
  VerifyReport report = verification.report();
  verify_ancestors(server, backup, worker_count, progress, report);
  return report;
}

}  // namespace barman::verify
