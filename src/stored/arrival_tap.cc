#include "stored/arrival_tap.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "pipeline/relative_path.h"

namespace barman::stored {

namespace {

// A label has some 200 bytes.
constexpr std::size_t kMaxLabel = 65536;

}  // namespace

ArrivalTap::ArrivalTap(std::string manifest_prefix, const Arrivals& arrivals,
                       pipeline::TarVisitor& next)
    : prefix_(std::move(manifest_prefix)), arrivals_(arrivals), next_(next), crc_(kCrc32cInitial) {}

void ArrivalTap::require_place(const pipeline::TarMember& member) const {
  const auto refuse = [&](const char* what) {
    throw Error(ErrorKind::corrupt, fmt::format("{} \"{}\" in the base backup", what, member.path),
                "No PostgreSQL server sends it: find out who has answered.");
  };
  const bool is_link = member.type == pipeline::TarMemberType::symlink;
  if (is_link && (!prefix_.empty() || !pipeline::tablespace_oid_of(member.path)))
    refuse("unexpected symbolic link");
  if (is_link || !prefix_.empty() || !member.path.starts_with(pipeline::kTablespaceLinks)) return;
  const std::string place =
      member.path.substr(0, member.path.find('/', pipeline::kTablespaceLinks.size()));
  for (const replication::BackupArchive& archive : arrivals_.archives) {
    if (archive.is_base() || place != pipeline::in_place_location(archive.oid)) continue;
    // PostgreSQL lists the directory itself where it is one.
    if (member.type != pipeline::TarMemberType::directory || place != member.path)
      refuse("file of a tablespace in the wrong archive:");
  }
}

void ArrivalTap::begin_member(const pipeline::TarMember& member) {
  require_place(member);
  is_file_ = member.type == pipeline::TarMemberType::regular;
  path_ = prefix_ + member.path;
  is_label_ = path_ == "backup_label" && member.size_bytes <= kMaxLabel;
  if (is_label_) arrivals_.backup_label.clear();
  size_bytes_ = 0;
  crc_ = kCrc32cInitial;
  if (is_file_) arrivals_.progress.set_item(path_);
  next_.begin_member(member);
}

void ArrivalTap::write(Bytes data) {
  crc_ = crc32c_extend(crc_, data);
  size_bytes_ += data.size();
  if (is_label_) arrivals_.backup_label += as_text(data);
  next_.write(data);
  arrivals_.progress.advance(data.size());
}

void ArrivalTap::end_member() {
  next_.end_member();
  if (is_file_) arrivals_.ledger.add(path_, size_bytes_, crc32c_finish(crc_));
}

std::string manifest_prefix(const replication::BackupArchive& archive) {
  return archive.is_base() ? std::string() : fmt::format("pg_tblspc/{}/", archive.oid);
}

}  // namespace barman::stored
