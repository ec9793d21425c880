#include "transfer/imported_bucket.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"
#include "compression/codec.h"
#include "pipeline/relative_path.h"
#include "postgres/backup_manifest.h"
#include "stored/archive_file.h"
#include "stored/kept_configuration.h"
#include "transfer/tarball.h"

namespace barman::transfer {

using pipeline::TarMember;
using pipeline::TarMemberType;

namespace {

constexpr std::string_view kBackupPlace = "backup/";
constexpr std::string_view kWalPlace = "wals/";
constexpr std::string_view kArchiveWord = ".tar";
constexpr std::string_view kIndexExtension = ".index";
constexpr std::size_t kMaxConfiguration = std::size_t{64} << 20;

// All that archives in the directory of a backup are compressed with, whoever made them.
constexpr std::array<compression::Algorithm, 5> kArchiveAlgorithms = {
    compression::Algorithm::gzip, compression::Algorithm::lz4, compression::Algorithm::zstd,
    compression::Algorithm::bzip2, compression::Algorithm::xz};

std::string wal_name_of(const TarMember& member) {
  const bool is_wal = member.type == TarMemberType::regular && member.path.starts_with(kWalPlace);
  return is_wal ? member.path.substr(member.path.rfind('/') + 1) : std::string();
}

struct ArchiveMember {
  std::uint32_t oid = 0;
  std::optional<compression::Algorithm> algorithm;
  bool is_encrypted = false;
};

// nullopt for what is none, or of a compression that nobody knows.
std::optional<ArchiveMember> parse_archive_member(std::string_view name) {
  ArchiveMember archive;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string stem(name.substr(0, dot));
  if (stem != stored::archive_stem(0)) {
    const auto oid = pipeline::tablespace_oid_of(std::string(pipeline::kTablespaceLinks) + stem);
    if (!oid) return std::nullopt;
    archive.oid = *oid;
  }
  std::string_view rest = name.substr(dot);
  if (rest.ends_with(stored::kEncryptedExtension)) {
    archive.is_encrypted = true;
    rest.remove_suffix(stored::kEncryptedExtension.size());
  }
  if (rest == kArchiveWord) return archive;
  if (!rest.starts_with(kArchiveWord)) return std::nullopt;
  rest.remove_prefix(kArchiveWord.size());
  for (const compression::Algorithm algorithm : kArchiveAlgorithms) {
    if (rest != compression::file_extension(algorithm)) continue;
    archive.algorithm = algorithm;
    return archive;
  }
  return std::nullopt;
}

}  // namespace

void InspectedMembers::begin_member(const TarMember& member) {
  wal_ = wal_name_of(member);
  if (!wal_.empty()) digest_.emplace(DigestAlgorithm::sha256);
}

void InspectedMembers::write(Bytes data) {
  if (!wal_.empty()) digest_->update(data);
}

void InspectedMembers::end_member() {
  if (!wal_.empty()) wals_[wal_] = digest_->finish();
}

ImportedBucket::ImportedBucket(const catalogue::BackupInfo& info, Targets targets)
    : info_(info), targets_(std::move(targets)) {}

void ImportedBucket::begin_member(const TarMember& member) {
  target_ = Target::nowhere;
  if (const std::string wal = wal_name_of(member); !wal.empty()) {
    sink_ = targets_.put_wal(wal);
    if (!sink_) return;
    input_ = sink_.get();
    target_ = Target::sink;
    return;
  }
  const std::string_view path = member.path;
  if (path.starts_with(kBackupPlace)) begin_of_backup(member, path.substr(kBackupPlace.size()));
}

void ImportedBucket::begin_of_backup(const TarMember& member, std::string_view path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string place(path.substr(0, slash));
  const std::string rest(slash < path.size() ? path.substr(slash + 1) : std::string_view());
  const bool is_file = member.type == TarMemberType::regular;
  if (place == stored::kConfigurationDirectory) {
    if (!is_file) return;
    if (member.size_bytes > kMaxConfiguration) {
      throw refused_tarball(
          fmt::format("'{}' of the tarball has {} bytes", member.path, member.size_bytes));
    }
    text_ = &configuration_[rest];
    text_->clear();
    target_ = Target::text;
    return;
  }
  if (place == catalogue::kDataDirectory) return begin_of_data(member, rest);
  const auto oid = pipeline::tablespace_oid_of(std::string(pipeline::kTablespaceLinks) + place);
  const bool is_plain = catalogue::stored_form_of(info_) == catalogue::StoredForm::plain;
  if (oid && is_plain && is_separate(*oid)) return begin_in_tree(*oid, member, rest);
  // Beside archives Barman makes directories of tablespaces, too.
  if (!is_file) return;
  // The old place of the metadata, which travels as a member of its own.
  if (path == catalogue::kBackupInfo || place.starts_with('.')) return;
  throw refused_tarball(
      fmt::format("Tarball contains '{}', which belongs to no tablespace of its backup.info",
                  member.path),
      "Import it into a server whose backups are in a directory of this host.");
}

void ImportedBucket::begin_of_data(const TarMember& member, const std::string& path) {
  if (path == postgres::kBackupManifest) {
    sink_ = targets_.writer.put_manifest();
    input_ = sink_.get();
    has_manifest_ = true;
    target_ = Target::sink;
    return;
  }
  if (catalogue::stored_form_of(info_) == catalogue::StoredForm::plain) {
    return begin_in_tree(0, member, path);
  }
  // Indexes are made anew.
  if (member.type != TarMemberType::regular || path.ends_with(kIndexExtension)) return;
  begin_archive(member, path);
}

void ImportedBucket::begin_in_tree(std::uint32_t oid, const TarMember& member,
                                   const std::string& path) {
  if (open_oid_ != oid) open_tree(oid);
  if (path.empty()) return;  // The writer makes the root.
  TarMember named = member;
  named.path = path;
  target_ = Target::tree;
  tree_->begin_member(named);
}

void ImportedBucket::open_tree(std::uint32_t oid) {
  close_tree();
  if (!seen_oids_.insert(oid).second) {
    throw refused_tarball("The files of a directory of the backup come in pieces in the tarball",
                          "Export the backup again.");
  }
  tree_ = &targets_.writer.begin_tree({.oid = oid, .in_place_location = {}});
  open_oid_ = oid;
}

void ImportedBucket::close_tree() {
  if (tree_ != nullptr) tree_->finish();
  tree_ = nullptr;
  open_oid_.reset();
}

void ImportedBucket::begin_archive(const TarMember& member, const std::string& name) {
  const auto archive = parse_archive_member(name);
  if (!archive || !seen_oids_.insert(archive->oid).second) {
    throw refused_tarball(
        fmt::format("Tarball contains '{}', which is no archive of a backup", member.path),
        "Import it into a server whose backups are in a directory of this host.");
  }
  close_tree();
  stored::TreePlace place{.oid = archive->oid, .in_place_location = {}};
  if (archive->oid != 0 && !is_separate(archive->oid)) {
    place.in_place_location = pipeline::in_place_location(archive->oid);
  }
  input_ = &targets_.writer.begin_stream(place, {});
  if (archive->algorithm) {
    decompressor_ = compression::make_decompressor(*archive->algorithm, *input_, member.path);
    input_ = decompressor_.get();
  }
  if (archive->is_encrypted) {
    decryptor_ = targets_.cipher.make_decryptor(*input_, member.path);
    input_ = decryptor_.get();
  }
  target_ = Target::sink;
}

void ImportedBucket::write(Bytes data) {
  if (target_ == Target::tree) tree_->write(data);
  if (target_ == Target::sink) input_->write(data);
  if (target_ == Target::text) *text_ += as_text(data);
}

void ImportedBucket::end_member() {
  if (target_ == Target::tree) tree_->end_member();
  if (target_ != Target::sink) return;
  input_->finish();
  decryptor_.reset();
  decompressor_.reset();
  sink_.reset();
  input_ = nullptr;
}

void ImportedBucket::finish() { close_tree(); }

bool ImportedBucket::is_separate(std::uint32_t oid) const {
  return std::any_of(info_.tablespaces.begin(), info_.tablespaces.end(),
                     [&](const catalogue::Tablespace& tablespace) {
                       return tablespace.oid == oid &&
                              tablespace.location != pipeline::in_place_location(oid);
                     });
}

}  // namespace barman::transfer
