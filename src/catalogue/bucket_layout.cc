#include "catalogue/bucket_layout.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {
namespace {

using compression::Algorithm;

constexpr std::string_view kDataArchive = "data";
constexpr std::string_view kTarExtension = "tar";
constexpr std::string_view kIndexes = "index/";
constexpr std::string_view kEncryptedSuffix = ".gpg";

std::string_view without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

std::optional<std::uint32_t> parse_count(std::string_view digits) {
  const bool is_number = !digits.empty() && digits.size() <= 10 &&
                         std::all_of(digits.begin(), digits.end(),
                                     [](char letter) { return letter >= '0' && letter <= '9'; });
  const auto number = is_number ? parse_integer(digits) : std::nullopt;
  if (!number || !std::in_range<std::uint32_t>(*number)) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

// The stem of data.tar, 16384.tar or data_0001.tar.
std::optional<BucketArchiveName> parse_stem(std::string_view stem) {
  BucketArchiveName name;
  const std::size_t line = stem.find('_');
  if (line != std::string_view::npos) {
    const auto number = parse_count(stem.substr(line + 1));
    if (!number) return std::nullopt;
    name.number = *number;
  }
  const std::string_view tree = stem.substr(0, line);
  if (tree == kDataArchive) return name;
  const auto oid = parse_count(tree);
  if (!oid || *oid == 0 || tree.front() == '0') return std::nullopt;
  name.tablespace_oid = *oid;
  return name;
}

std::string stem_of(const BucketArchiveName& name) {
  const std::string tree =
      name.tablespace_oid == 0 ? std::string(kDataArchive) : std::to_string(name.tablespace_oid);
  return name.number == 0 ? tree : fmt::format("{}_{:04}", tree, name.number);
}

}  // namespace

std::string_view suffix_of(std::optional<Algorithm> algorithm) {
  return algorithm ? compression::suffix_of(*algorithm) : std::string_view{};
}

std::string format_archive_name(const BucketArchiveName& name) {
  return fmt::format("{}.{}{}{}", stem_of(name), kTarExtension, suffix_of(name.compression),
                     name.is_encrypted ? kEncryptedSuffix : std::string_view());
}

std::string format_index_name(const BucketArchiveName& name) {
  return std::string(kIndexes) + stem_of(name);
}

bool is_companion_of_archives(std::string_view name) {
  return name == kManifestObject || name.starts_with(kIndexes) ||
         name.starts_with("configuration/");
}

std::optional<ParsedArchiveName> parse_backup_archive_name(std::string_view file_name) {
  const std::size_t dot = file_name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto name = parse_stem(file_name.substr(0, dot));
  if (!name) return std::nullopt;
  ParsedArchiveName parsed{.name = *name, .unknown_extension = {}};
  const std::string_view extension = file_name.substr(dot + 1);
  std::string_view rest = extension;
  if (rest.ends_with(kEncryptedSuffix)) {
    parsed.name.is_encrypted = true;
    rest.remove_suffix(kEncryptedSuffix.size());
  }
  parsed.name.compression = compression::take_suffix(rest);
  if (rest != kTarExtension) parsed.unknown_extension = extension;
  return parsed;
}

std::optional<WalObjectName> parse_wal_object(std::string_view key) {
  std::string_view name = key.substr(key.rfind('/') + 1);
  const auto algorithm = compression::take_suffix(name);
  auto parsed = wal::parse_wal_file_name(name);
  if (!parsed) return std::nullopt;
  return WalObjectName{.name = std::move(*parsed), .compression = algorithm};
}

BucketLayout::BucketLayout(std::string_view server_name, std::string_view path)
    : server_name_(server_name), root_(fmt::format("{}/", server_name)), backups_(root_ + "base/") {
  const std::string_view directory = without_slashes(path);
  if (!directory.empty()) path_ = fmt::format("{}/", directory);
}

BucketLayout BucketLayout::of_backups(std::string_view server_name, std::string_view path) {
  BucketLayout layout(server_name, path);
  layout.backups_.clear();
  return layout;
}

std::string BucketLayout::shown(std::string_view key) const {
  return fmt::format("{}{}", path_, key);
}

std::string BucketLayout::backup_prefix(const BackupId& id) const {
  return fmt::format("{}{}/", backups_prefix(), id.value);
}

std::string BucketLayout::backup_info_key(const BackupId& id) const {
  return backup_prefix(id) + kBackupInfo;
}

std::string BucketLayout::keep_key(const BackupId& id) const {
  return backup_prefix(id).append(kKeepObject);
}

std::string BucketLayout::archive_key(const BackupId& id, const BucketArchiveName& name) const {
  return backup_prefix(id) + format_archive_name(name);
}

std::optional<BucketLayout::BackupObject> BucketLayout::parse_backup_key(
    std::string_view key) const {
  const std::string prefix = backups_prefix();
  if (!key.starts_with(prefix)) return std::nullopt;
  key.remove_prefix(prefix.size());
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto id = parse_backup_id(key.substr(0, slash));
  if (!id) return std::nullopt;
  return BackupObject{.id = std::move(*id), .name = std::string(key.substr(slash + 1))};
}

std::string BucketLayout::wal_directory(const wal::WalFileName& name) const {
  const std::string directory = name.hash_directory();
  return directory.empty() ? wals_prefix() : fmt::format("{}{}/", wals_prefix(), directory);
}

std::string BucketLayout::wal_key(const wal::WalFileName& name,
                                  std::optional<Algorithm> algorithm) const {
  return wal_directory(name).append(name.name).append(suffix_of(algorithm));
}

}  // namespace barman::catalogue
