// What lies in a bucket is described further down, where servers whose backups are in one need it,
// too. These are its names here.
#pragma once

#include "catalogue/bucket_layout.h"
#include "catalogue/cloud_catalogue.h"
#include "stored/archive_set.h"

namespace barman::cloud {

using catalogue::BackupObjects;
using catalogue::BucketArchiveName;
using catalogue::BucketLayout;
using catalogue::CloudBackups;
using catalogue::CloudCatalogue;
using catalogue::format_archive_name;
using catalogue::kKeepObject;
using catalogue::parse_backup_archive_name;
using catalogue::parse_wal_object;
using catalogue::ParsedArchiveName;
using catalogue::StoredArchive;
using catalogue::suffix_of;
using catalogue::WalObjectName;
using stored::ArchiveForm;
using stored::ArchiveSet;

}  // namespace barman::cloud
