// What the programs for buckets tell of backups, as text and as JSON, byte for byte as scripts know
// it.
#pragma once

#include <string>

#include "catalogue/backup_info.h"
#include "cloud/bucket_names.h"

namespace barman::cloud_cli {

// One row a backup, all of them, under a header.
std::string cloud_list_text(const cloud::CloudBackups& backups);
// {"backups_list": [...]}
std::string cloud_list_json(const cloud::CloudBackups& backups);
std::string cloud_show_text(const catalogue::BackupInfo& backup);
// {"<server_name of its metadata>": {...}}
std::string cloud_show_json(const catalogue::BackupInfo& backup);

}  // namespace barman::cloud_cli
