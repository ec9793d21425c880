#include "backup/archive_target.h"

#include <fmt/format.h>

#include "base/digest.h"

namespace barman::backup {

namespace {

// A label has some 200 bytes.
constexpr std::size_t kMaxLabel = 65536;

}  // namespace

ArrivalTap::ArrivalTap(std::string manifest_prefix, const Arrivals& arrivals,
                       pipeline::TarVisitor& next)
    : prefix_(std::move(manifest_prefix)), arrivals_(arrivals), next_(next), crc_(kCrc32cInitial) {}

void ArrivalTap::begin_member(const pipeline::TarMember& member) {
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

}  // namespace barman::backup
