#include "backup/backup_form.h"

#include <algorithm>

#include "compression/algorithm.h"

namespace barman::backup {
namespace {

// More only compete with the threads that receive and write.
constexpr std::size_t kMaxDefaultWorkers = 8;
// Each of them takes about 25 MiB.
constexpr std::size_t kMaxDefaultXzWorkers = 4;

// So that several are read at once when they are restored.
constexpr std::int64_t kMaxBucketArchive = std::int64_t{1} << 30;

std::optional<compression::Algorithm> algorithm_of(config::BackupCompression word) {
  switch (word) {
    case config::BackupCompression::gzip:
      return compression::Algorithm::gzip;
    case config::BackupCompression::lz4:
      return compression::Algorithm::lz4;
    case config::BackupCompression::zstd:
      return compression::Algorithm::zstd;
    case config::BackupCompression::xz:
      return compression::Algorithm::xz;
    case config::BackupCompression::none:
      break;
  }
  return std::nullopt;
}

std::optional<int> to_int(std::optional<std::int64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<int>(*value);
}

stored::ArchiveForm plan_bucket_archives(const config::ServerConfig& config,
                                         const stored::ArchiveCoding& coding) {
  const std::int64_t limit = config.cloud_upload_max_archive_size > 0
                                 ? std::min(config.cloud_upload_max_archive_size, kMaxBucketArchive)
                                 : kMaxBucketArchive;
  return {.compression = coding.algorithm,
          .compression_level = coding.level,
          .max_archive_bytes = static_cast<std::uint64_t>(limit),
          .compression_threads = coding.worker_count,
          .has_index = true};
}

BackupForm plan_local_form(const config::ServerConfig& config, const encryption::Cipher& cipher,
                           std::size_t processor_count) {
  BackupForm form;
  if (!config.backup_compression) return form;
  if (config.backup_compression_format != config::BackupFormat::plain) {
    form.form = catalogue::StoredForm::tar;
    form.compression = to_text(*config.backup_compression);
    if (config.encryption == config::Encryption::gpg) form.coding.cipher = cipher;
  }
  form.coding.algorithm = algorithm_of(*config.backup_compression);
  if (!form.coding.algorithm) return form;
  const auto workers = config.backup_compression_workers;
  if (config.backup_compression_location == config::CompressionSide::server) {
    form.coding.place = stored::CompressionPlace::server;
    form.server_compression =
        replication::ServerCompression{.algorithm = *form.coding.algorithm,
                                       .level = to_int(config.backup_compression_level),
                                       .worker_count = to_int(workers)};
    return form;
  }
  form.coding.place = stored::CompressionPlace::client;
  form.coding.level = to_int(config.backup_compression_level);
  const std::size_t most = form.coding.algorithm == compression::Algorithm::xz
                               ? kMaxDefaultXzWorkers
                               : kMaxDefaultWorkers;
  form.coding.worker_count = static_cast<std::size_t>(std::max<std::int64_t>(
      workers.value_or(static_cast<std::int64_t>(std::min(processor_count, most))), 1));
  return form;
}

}  // namespace

BackupForm plan_form(const config::ServerConfig& config, const encryption::Cipher& cipher,
                     std::size_t processor_count) {
  BackupForm form = plan_local_form(config, cipher, processor_count);
  if (!config.has_cloud_basebackups()) return form;
  form.form = catalogue::StoredForm::plain;
  form.compression = std::nullopt;
  form.coding.cipher.reset();
  form.bucket_archives = plan_bucket_archives(config, form.coding);
  if (config.encryption == config::Encryption::gpg) form.bucket_archives.cipher = cipher;
  return form;
}

}  // namespace barman::backup
