#include "transfer/staging.h"

#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "catalogue/catalogue.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {

using pipeline::TarMember;
using pipeline::TarMemberType;

namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 20;
constexpr std::array<std::string_view, 3> kTexts = {"identity.json", catalogue::kBackupInfo,
                                                    "xlog.db"};
constexpr std::string_view kTablespaceLinks = "backup/data/pg_tblspc/";

bool is_below(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

Error damaged(const std::string& reason) {
  return {ErrorKind::corrupt, reason, "Export the backup again."};
}

}  // namespace

Staging::Staging(std::filesystem::path root, stored::TreeSink& tree)
    : root_(std::move(root)), tree_(tree) {}

Staging::Place Staging::place_of(const TarMember& member) const {
  for (const std::string_view name : kTexts) {
    if (member.path == name && member.type == TarMemberType::regular) return Place::text;
  }
  if (!is_below(member.path, "backup") && !is_below(member.path, "wals")) return Place::nowhere;
  if (member.type != TarMemberType::symlink) return Place::tree;
  // These are made anew, because the tablespaces have another place here.
  const bool is_tablespace = member.path.starts_with(kTablespaceLinks) &&
                             member.path.find('/', kTablespaceLinks.size()) == std::string::npos;
  if (is_tablespace) return Place::nowhere;
  throw damaged(fmt::format("Tarball contains unsafe member type: '{}'", member.path));
}

void Staging::begin_member(const TarMember& member) {
  place_ = place_of(member);
  if (place_ == Place::nowhere) return;
  if (place_ == Place::text) {
    if (member.size_bytes > kMaxText) {
      throw damaged(
          fmt::format("'{}' of the tarball has {} bytes", member.path, member.size_bytes));
    }
    text_ = &texts_[member.path];
    text_->clear();
    return;
  }
  if (is_below(member.path, "backup")) has_backup_ = true;
  if (is_below(member.path, "wals")) require_wal_place(member);
  tree_.begin_member(member);
}

void Staging::require_wal_place(const TarMember& member) {
  has_wals_ = true;
  if (member.type == TarMemberType::directory) return;
  const std::filesystem::path path(member.path);
  const auto name = wal::parse_wal_file_name(path.filename().string());
  if (!name || path != "wals" / wal_archive::WalArchive::relative_path(name->name)) {
    throw damaged(fmt::format("Tarball contains unsafe path: '{}'", member.path));
  }
  // Not every writer names the directories of WAL files.
  if (!root_.empty()) std::filesystem::create_directories((root_ / path).parent_path());
}

void Staging::write(Bytes data) {
  if (place_ == Place::text) *text_ += as_text(data);
  if (place_ == Place::tree) tree_.write(data);
}

void Staging::end_member() {
  if (place_ == Place::tree) tree_.end_member();
}

std::optional<std::string> Staging::find_text(const std::string& name) const {
  const auto found = texts_.find(name);
  return found == texts_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace barman::transfer
