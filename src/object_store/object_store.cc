#include "object_store/object_store.h"

#include <fmt/format.h>

#include "object_store/s3_store.h"

namespace barman::object_store {

bool ObjectStore::bucket_exists() {
  // The answer to the question; all other errors are passed on.
  try {
    check_bucket();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
  return true;
}

std::unique_ptr<ObjectStore> open_store(const StoreUrl& url, const StoreOptions& options) {
  switch (url.provider) {
    case Provider::aws_s3:
      return std::make_unique<S3Store>(url, options);
    case Provider::azure_blob_storage:
    case Provider::google_cloud_storage:
      break;
  }
  throw Error(ErrorKind::config,
              fmt::format("the provider \"{}\" is not supported yet", provider_word(url.provider)),
              "Use S3 or a compatible store.");
}

}  // namespace barman::object_store
