// For unit tests of this folder.
#pragma once

#include "catalogue/bucket_test_support.h"
#include "cloud/bucket_names.h"

namespace barman::cloud {

using catalogue::LocalBucket;

}  // namespace barman::cloud
