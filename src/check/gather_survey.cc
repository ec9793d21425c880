#include "check/gather_survey.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/worker_pool.h"
#include "postgres/backup_manifest.h"

namespace barman::check {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using Severity = Finding::Severity;

constexpr std::size_t kReaders = 4;
constexpr std::size_t kBufferSize = std::size_t{256} << 10;
// Of one backup; the rest is counted.
constexpr std::size_t kShownFiles = 10;
// The first version with a manifest.
constexpr int kFirstWithManifest = 130000;

bool has_plain_files(const BackupInfo& info) {
  return info.type() != catalogue::BackupType::snapshot &&
         (!info.compression || *info.compression == "none") &&
         (!info.encryption || *info.encryption == "none");
}

std::string checksum_of(const fs::path& path, DigestAlgorithm algorithm, const Interrupt& interrupt,
                        Progress& progress) {
  const Fd fd = open_file(path, O_RDONLY);
  std::vector<std::byte> buffer(kBufferSize);
  Digest digest(algorithm);
  while (const std::size_t count = read_full(fd, buffer, path)) {
    interrupt.throw_if_requested();
    digest.update(Bytes(buffer).first(count));
    progress.advance(count);
  }
  return digest.finish();
}

// Compares the files of one backup with its manifest, as the manifest is read.
class ManifestComparer final : public postgres::ManifestVisitor {
 public:
  ManifestComparer(const catalogue::Catalogue& catalogue, const BackupInfo& info, SurveyDepth depth,
                   const Interrupt& interrupt, Progress& progress)
      : catalogue_(catalogue),
        info_(info),
        interrupt_(interrupt),
        progress_(progress),
        data_(catalogue.data_directory(info.id)) {
    if (depth == SurveyDepth::checksums) readers_.emplace(kReaders);
  }

  void on_version(int) override {}
  void on_system_id(postgres::SystemId) override {}
  void on_wal_range(const postgres::ManifestWalRange&) override {}
  void on_file(const postgres::ManifestFile& file) override {
    interrupt_.throw_if_requested();
    const fs::path path = path_of(file.path);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
      return add(file.path + " is missing");
    }
    const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
    if (size_bytes != file.size_bytes) {
      return add(
          fmt::format("{} has {} bytes instead of {}", file.path, size_bytes, file.size_bytes));
    }
    if (!readers_ || file.algorithm == DigestAlgorithm::none) return;
    readers_->submit([this, path, file] {
      if (checksum_of(path, file.algorithm, interrupt_, progress_) != file.checksum) {
        add(file.path + " has another checksum than the manifest says");
      }
    });
  }

  void finish(std::vector<Finding>& findings) {
    if (readers_) readers_->wait();
    for (std::string& reason : reasons_) findings.push_back(finding(std::move(reason)));
    if (count_ > reasons_.size()) {
      findings.push_back(
          finding(fmt::format("{} more files are damaged", count_ - reasons_.size())));
    }
  }

  Finding finding(std::string reason) const {
    return {Severity::error, "backup " + info_.id.value, std::move(reason),
            "Do not rely on this backup: take a new one, and look at the disk."};
  }

 private:
  fs::path path_of(const std::string& path) const {
    constexpr std::string_view kTablespaces = "pg_tblspc/";
    if (!path.starts_with(kTablespaces)) return data_ / path;
    for (const catalogue::Tablespace& tablespace : info_.tablespaces) {
      const std::string prefix = fmt::format("{}{}/", kTablespaces, tablespace.oid);
      if (path.starts_with(prefix)) {
        return catalogue_.tablespace_directory(info_.id, tablespace.oid) /
               path.substr(prefix.size());
      }
    }
    return data_ / path;
  }

  void add(std::string reason) {
    const std::lock_guard lock(mutex_);
    if (count_++ < kShownFiles) reasons_.push_back(std::move(reason));
  }

  const catalogue::Catalogue& catalogue_;
  const BackupInfo& info_;
  const Interrupt& interrupt_;
  Progress& progress_;
  const fs::path data_;
  std::mutex mutex_;
  std::vector<std::string> reasons_;
  std::size_t count_ = 0;
  std::optional<WorkerPool> readers_;  // the last member: its threads use the others
};

wal::SegmentSize segment_size_of(const std::vector<BackupInfo>& backups) {
  return backups.empty() ? wal::SegmentSize{} : backups.back().xlog_segment_size;
}

}  // namespace

void survey_backup_files(const catalogue::Catalogue& catalogue, SurveyDepth depth,
                         const Interrupt& interrupt, Progress& progress, SurveyedBackup& backup) {
  const BackupInfo& info = backup.info;
  if (!info.is_copy_done() || backup.is_being_deleted ||
      info.type() == catalogue::BackupType::snapshot) {
    return;
  }
  ManifestComparer comparer(catalogue, info, depth, interrupt, progress);
  const fs::path data = catalogue.data_directory(info.id);
  const auto report = [&](std::string reason) {
    backup.damage.push_back(comparer.finding(std::move(reason)));
  };
  std::error_code code;
  if (!fs::is_directory(data, code)) {
    return report("its directory \"" + data.string() + "\" does not exist");
  }
  if (!has_plain_files(info)) {
    if (fs::is_empty(data, code)) report("its directory \"" + data.string() + "\" is empty");
    return;
  }
  for (const catalogue::Tablespace& tablespace : info.tablespaces) {
    if (!fs::is_directory(catalogue.tablespace_directory(info.id, tablespace.oid), code)) {
      report(fmt::format("the directory of tablespace {} ({}) is missing", tablespace.name,
                         tablespace.oid));
    }
  }
  const fs::path manifest = data / "backup_manifest";
  if (!fs::exists(manifest, code)) {
    if (info.mode == "postgres" && info.version.value_or(0) >= kFirstWithManifest) {
      report("its backup_manifest is missing");
    }
    for (const char* const name : {"PG_VERSION", "global/pg_control"}) {
      if (!fs::exists(data / name, code)) report(std::string(name) + " is missing");
    }
    return;
  }
  try {
    postgres::parse_backup_manifest_file(manifest, comparer);
  } catch (const Error& error) {  // A damaged manifest is a finding like others.
    if (error.kind() == ErrorKind::interrupted) throw;
    report(error.describe());
  }
  comparer.finish(backup.damage);
}

SurveyFacts gather_survey(const server::Server& server, SurveyDepth depth, Progress& progress) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  catalogue::BackupList list = catalogue.list_backups();
  const catalogue::Annotations annotations = catalogue.list_annotations();
  SurveyFacts facts = {.server_name = server.name(),
                       .segment_size = segment_size_of(list.backups),
                       .broken = std::move(list.broken)};
  survey_wal_archive(server.locations(), server.interrupt(), facts);
  std::uint64_t total_bytes = 0;
  for (const BackupInfo& info : list.backups) {
    total_bytes += static_cast<std::uint64_t>(std::max<std::int64_t>(0, info.size.value_or(0)));
  }
  if (depth == SurveyDepth::checksums) progress.begin("Checksums of backups", total_bytes);
  for (BackupInfo& info : list.backups) {
    SurveyedBackup backup = {.info = std::move(info)};
    const auto keep = annotations.keeps.find(backup.info.id);
    if (keep != annotations.keeps.end()) backup.keep = keep->second;
    backup.is_being_deleted = annotations.being_deleted.contains(backup.info.id);
    survey_backup_files(catalogue, depth, server.interrupt(), progress, backup);
    facts.backups.push_back(std::move(backup));
  }
  if (depth == SurveyDepth::checksums) progress.end();
  return facts;
}

}  // namespace barman::check
