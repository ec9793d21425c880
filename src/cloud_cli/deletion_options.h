// How objects of a bucket are deleted: what its provider takes.
#pragma once

#include "cloud/delete_cloud_backups.h"
#include "cloud_cli/cloud_program.h"

namespace barman::cloud_cli {

// Batches as large as the provider takes them; lines go to standard output. `bucket` lives longer.
cloud::CloudDeletionOptions deletion_options(const OpenBucket& bucket);

}  // namespace barman::cloud_cli
