#include "sync/copied_backup.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"
#include "pipeline/relative_path.h"
#include "postgres/backup_manifest.h"
#include "stored/archive_file.h"
#include "stored/own_manifest.h"

namespace barman::sync {
namespace fs = std::filesystem;

using catalogue::BackupInfo;

namespace {

constexpr std::size_t kSha256Size = 64;

Error refused(const std::string& text) {
  return {ErrorKind::corrupt, text,
          "It is copied again. If this repeats, try 'barman verify-backup' on the primary node."};
}

// Files that may have changed since the manifest was made; verify-backup passes over them, too.
bool may_have_changed(std::string_view path) {
  return path == "postgresql.auto.conf" || path == "recovery.signal" || path == "standby.signal";
}

// A line of sha256sum: names with a backslash or a newline are escaped, which a backslash at its
// begin tells. False for what is no such line.
bool parse_digest_line(std::string_view line, std::string& digest, std::string& path) {
  const bool is_escaped = line.starts_with('\\');
  if (is_escaped) line.remove_prefix(1);
  constexpr std::size_t kSeparator = 2;
  if (line.size() <= kSha256Size + kSeparator || line[kSha256Size] != ' ') return false;
  digest = line.substr(0, kSha256Size);
  if (digest.find_first_not_of("0123456789abcdef") != std::string::npos) return false;
  path.clear();
  const std::string_view name = line.substr(kSha256Size + kSeparator);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_escaped || name[i] != '\\' || i + 1 == name.size()) {
      path += name[i];
      continue;
    }
    ++i;
    path += name[i] == 'n' ? '\n' : name[i] == 'r' ? '\r' : name[i];
  }
  return true;
}

}  // namespace

bool is_copied(std::string_view path, bool is_link) {
  if (path == catalogue::kBackupInfo || path == ".backup.lock") return false;
  return !is_link ||
         !(path.starts_with("data/pg_tblspc/") || path.starts_with("pgdata/pg_tblspc/"));
}

bool leads_outside(std::string_view path, std::string_view target) {
  if (target.empty() || target.front() == '/') return true;
  const auto depth = std::count(path.begin(), path.end(), '/');
  std::int64_t level = depth;
  for (const std::string& part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    level += part == ".." ? -1 : 1;
    if (level < 0) return true;
  }
  return level == 0;
}

CopiedBackup::CopiedBackup(fs::path root, const BackupInfo& backup, stored::TreeSink& tree)
    : root_(std::move(root)), backup_(backup), tree_(tree) {}

void CopiedBackup::begin_member(const pipeline::TarMember& member) {
  using pipeline::TarMemberType;
  const bool is_link = member.type == TarMemberType::symlink;
  const std::string first = member.path.substr(0, member.path.find('/'));
  is_file_ = member.type == TarMemberType::regular;
  is_wanted_ = is_copied(member.path, is_link);
  if (!is_wanted_) return;
  if (is_link) {
    // What is written into the backup later must stay in the backup.
    const bool is_top = first.size() == member.path.size();
    if (is_top ||
        leads_outside(std::string_view(member.path).substr(first.size() + 1), member.link_target)) {
      log::warning(log::kServerComponent,
                   "backup {}: the symbolic link \"{}\" is not copied, it leads out of the backup, "
                   "to \"{}\"",
                   backup_.id.value, member.path, member.link_target);
      is_wanted_ = false;
      return;
    }
  }
  if (member.type == TarMemberType::directory && first == member.path) {
    if (first == catalogue::kOldestDataDirectory) data_directory_ = first;
    directories_.push_back(first);
  }
  path_ = member.path;
  size_bytes_ = 0;
  crc_ = kCrc32cInitial;
  tree_.begin_member(member);
}

void CopiedBackup::write(Bytes data) {
  if (!is_wanted_) return;
  tree_.write(data);
  size_bytes_ += data.size();
  crc_ = crc32c_extend(crc_, data);
}

void CopiedBackup::end_member() {
  if (!is_wanted_) return;
  tree_.end_member();
  if (!is_file_) return;
  arrivals_.add(path_, {.size_bytes = size_bytes_, .crc32c = crc32c_finish(crc_)});
}

void CopiedBackup::add_present(const std::string& path, std::uint64_t size_bytes) {
  arrivals_.add(path, {.size_bytes = size_bytes, .is_present = true});
}

void CopiedBackup::finish_writing() { tree_.finish(); }

void CopiedBackup::take_over(CopiedBackup& part) { arrivals_.take_over(part.arrivals_); }

void CopiedBackup::seal() {
  arrivals_.seal();
  if (arrivals_.find_double() != nullptr) {
    throw refused(fmt::format("the primary node sent a file of backup {} twice", backup_.id.value));
  }
}

CopiedBackup::Arrival* CopiedBackup::find_listed(const std::string& path, std::string& stored) {
  stored = data_directory_ + "/" + path;
  Arrival* arrival = arrivals_.find(stored);
  if (arrival == nullptr && path.starts_with(pipeline::kTablespaceLinks)) {
    const std::string in_tablespace = path.substr(pipeline::kTablespaceLinks.size());
    arrival = arrivals_.find(in_tablespace);
    if (arrival != nullptr) stored = in_tablespace;
  }
  return arrival;
}

bool CopiedBackup::has_manifest() const {
  return arrivals_.find(fmt::format("{}/{}", data_directory_, postgres::kBackupManifest)) !=
         nullptr;
}

void CopiedBackup::require_whole() const {
  if (backup_.type() == catalogue::BackupType::snapshot) return;
  const auto require = [&](const std::string& path) {
    const Arrival* const arrival = arrivals_.find(path);
    if (arrival == nullptr || arrival->size_bytes == 0) {
      throw refused(
          fmt::format("the primary node sent backup {} without \"{}\"", backup_.id.value, path));
    }
  };
  if (catalogue::stored_form_of(backup_) == catalogue::StoredForm::tar) {
    std::vector<std::uint32_t> oids = {0};
    for (const catalogue::Tablespace& tablespace : backup_.tablespaces) {
      oids.push_back(tablespace.oid);
    }
    for (const std::uint32_t oid : oids) {
      const auto archive = stored::find_archive(root_ / data_directory_, oid);
      const std::string stem = stored::archive_stem(oid);
      if (!archive) {
        throw refused(fmt::format("the primary node sent backup {} without an archive \"{}.tar\"",
                                  backup_.id.value, stem));
      }
      require(fmt::format("{}/{}", data_directory_, archive->path.filename().string()));
    }
    return;
  }
  require(data_directory_ + "/PG_VERSION");
  require(data_directory_ + "/global/pg_control");
  if (data_directory_ == catalogue::kOldestDataDirectory) return;
  for (const catalogue::Tablespace& tablespace : backup_.tablespaces) {
    const std::string oid = std::to_string(tablespace.oid);
    const bool is_here =
        std::find(directories_.begin(), directories_.end(), oid) != directories_.end() ||
        fs::is_directory(root_ / data_directory_ / pipeline::kTablespaceLinks / oid);
    if (!is_here) {
      throw refused(fmt::format("the primary node sent backup {} without its tablespace '{}' ({})",
                                backup_.id.value, tablespace.name, oid));
    }
  }
}

class CopiedBackup::ManifestComparison final : public postgres::ManifestVisitor {
 public:
  explicit ManifestComparison(CopiedBackup& copy) : copy_(copy) {}

  void on_version(int) override {}
  void on_system_id(postgres::SystemId system_id) override {
    const std::string text = postgres::format_system_id(system_id);
    if (copy_.backup_.systemid && *copy_.backup_.systemid != text) {
      throw refused(
          fmt::format("the manifest is of another cluster: its system identifier is {} "
                      "instead of {}",
                      text, *copy_.backup_.systemid));
    }
  }
  void on_file(const postgres::ManifestFile& file) override {
    std::string stored;
    Arrival* const arrival = copy_.find_listed(file.path, stored);
    const std::string reason = difference(file, arrival, stored);
    if (arrival != nullptr) arrival->is_confirmed = true;
    if (reason.empty()) return;
    if (!may_have_changed(file.path)) {
      throw refused(fmt::format("file \"{}\" {}", file.path, reason));
    }
    log::warning(log::kServerComponent, "backup {}: file \"{}\" {}", copy_.backup_.id.value,
                 file.path, reason);
  }
  void on_wal_range(const postgres::ManifestWalRange& range) override {
    has_range_ = true;
    if (copy_.backup_.begin_xlog && range.start == *copy_.backup_.begin_xlog) has_begin_ = true;
  }

  // A manifest that generate-manifest has written tells no WAL.
  bool is_of_this_backup() const { return !has_range_ || has_begin_ || !copy_.backup_.begin_xlog; }
  bool tells_content() const { return tells_content_; }

 private:
  // "" when the file is as the manifest says.
  std::string difference(const postgres::ManifestFile& file, const Arrival* arrival,
                         const std::string& stored) {
    if (arrival == nullptr) return "is in the manifest but did not arrive";
    if (arrival->size_bytes != file.size_bytes) {
      return fmt::format("arrived with {} bytes instead of {}", arrival->size_bytes,
                         file.size_bytes);
    }
    std::string checksum;
    if (file.algorithm == DigestAlgorithm::none) {
      tells_content_ = false;
      return "";
    }
    if (file.algorithm == DigestAlgorithm::crc32c && !arrival->is_present) {
      checksum = crc32c_text(arrival->crc32c);
    } else {
      const fs::path path = copy_.root_ / stored;
      checksum = digest_of_file(file.algorithm, open_file(path, O_RDONLY | O_NOFOLLOW), path);
    }
    if (checksum == file.checksum) return "";
    return fmt::format("arrived with checksum {} instead of {}", checksum, file.checksum);
  }

  CopiedBackup& copy_;
  bool has_range_ = false;
  bool has_begin_ = false;
  bool tells_content_ = true;
};

bool CopiedBackup::confirm_by_manifest() {
  if (!has_manifest()) return false;
  const fs::path manifest = stored::manifest_in(root_ / data_directory_);
  if (!stored::has_own_manifest(backup_, manifest)) return false;
  ManifestComparison comparison(*this);
  postgres::parse_backup_manifest_file(manifest, comparison);
  if (!comparison.is_of_this_backup()) {
    throw refused(fmt::format("the manifest is of another backup: it does not begin at {}",
                              wal::format_lsn(*backup_.begin_xlog)));
  }
  // The manifest itself, WAL, and what somebody has put there: a copy has what its origin has.
  const auto strangers = std::ranges::count_if(
      std::as_const(arrivals_).rows(), [](const auto& row) { return !row.value.is_confirmed; });
  if (strangers > 1) {
    log::info(log::kServerComponent, "backup {} holds {} file(s) that its manifest does not list",
              backup_.id.value, strangers - 1);
  }
  return comparison.tells_content();
}

void CopiedBackup::confirm_by_listing(std::string_view listing, const fs::path& directory) {
  for (auto& row : arrivals_.rows()) row.value.is_confirmed = false;
  const std::string prefix = directory.string() + "/";
  std::string digest;
  std::string path;
  while (!listing.empty()) {
    const std::size_t end = listing.find('\n');
    if (end == std::string_view::npos || !parse_digest_line(listing.substr(0, end), digest, path) ||
        !path.starts_with(prefix)) {
      throw refused("what the primary node says of its files is no list of SHA-256 digests");
    }
    listing.remove_prefix(end + 1);
    path.erase(0, prefix.size());
    if (!is_copied(path, false)) continue;
    Arrival* const arrival = arrivals_.find(path);
    if (!pipeline::is_safe_relative_path(path) || arrival == nullptr) {
      throw refused(fmt::format("file \"{}\" is on the primary node but did not arrive", path));
    }
    const fs::path here = root_ / path;
    const std::string ours =
        digest_of_file(DigestAlgorithm::sha256, open_file(here, O_RDONLY | O_NOFOLLOW), here);
    if (ours != digest) {
      throw refused(
          fmt::format("file \"{}\" arrived with the SHA-256 {} instead of {}", path, ours, digest));
    }
    arrival->is_confirmed = true;
  }
  const auto strangers = std::ranges::count_if(
      std::as_const(arrivals_).rows(), [](const auto& row) { return !row.value.is_confirmed; });
  if (strangers > 0) {
    throw refused(
        fmt::format("{} file(s) arrived that are not on the primary node any more", strangers));
  }
}

}  // namespace barman::sync
