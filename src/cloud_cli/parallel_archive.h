// `barman-cloud-wal-archive --parallel`: the segments that wait behind the one that PostgreSQL has
// asked for go up together with it. What is in the bucket then is noted, and the calls for those
// only look into the notes.
#pragma once

#include <cstddef>
#include <filesystem>

#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"

namespace barman::cloud_cli {

struct ParallelArchiving {
  // Files at once.
  std::size_t count = 2;
  // Of the notes; "" = one of this server and bucket.
  std::filesystem::path directory = {};
};

// Returns when the file of `upload` is in the bucket, as archive_wal_object(). That others could
// not be archived is told when PostgreSQL asks for them.
void archive_in_parallel(const OpenBucket& bucket, const cloud::WalUpload& upload,
                         const ParallelArchiving& archiving);

}  // namespace barman::cloud_cli
