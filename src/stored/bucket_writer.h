// The writer of a backup whose files go into a bucket, as they come: nothing of them lies on this
// host but `backup_manifest`, which the next incremental backup is made with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "catalogue/cloud_catalogue.h"
#include "stored/archive_set.h"
#include "stored/backup_writer.h"

namespace barman::stored {

struct BucketWriterOptions {
  // Of each archive, as it is stored.
  ArchiveForm form = {};
  // Where backup_manifest lies on this host.
  std::filesystem::path manifest_copy;
};

// An archive is visible when it is complete; the last one of the data directory, with
// `global/pg_control` and `backup_label` at its end, is when make_durable() returns, and not
// before. The storage of `bucket` lives longer.
std::unique_ptr<BackupWriter> make_bucket_writer(catalogue::CloudCatalogue bucket,
                                                 catalogue::BackupId id,
                                                 const WriterOptions& options,
                                                 BucketWriterOptions bucket_options);

// A copy on this host of the manifest in the bucket; false when there is none.
bool fetch_manifest(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id,
                    const std::filesystem::path& copy);

}  // namespace barman::stored
