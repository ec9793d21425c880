#include "cloud_cli/deletion_options.h"

#include <string>

namespace barman::cloud_cli {
namespace {

using object_store::Provider;

std::size_t most_in_batch(Provider provider) {
  switch (provider) {
    case Provider::aws_s3:
      return 1000;
    case Provider::azure_blob_storage:
      return 256;
    case Provider::google_cloud_storage:
      return 100;
  }
  return 100;
}

}  // namespace

cloud::CloudDeletionOptions deletion_options(const OpenBucket& bucket) {
  cloud::CloudDeletionOptions options;
  options.tell = [](const std::string& line) { print_result(line + "\n"); };
  options.batch_size = most_in_batch(bucket.store->url().provider);
  options.abort_uploads = [&store = *bucket.store](const std::string& prefix) {
    for (const auto& upload : store.list_unfinished(prefix)) store.abort_unfinished(upload);
  };
  return options;
}

}  // namespace barman::cloud_cli
