#include "object_store/object_store.h"

#include <utility>

#include <fmt/format.h>

#include "object_store/azure_store.h"
#include "object_store/google_store.h"
#include "object_store/http_client.h"
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

std::string reason_of_lock(const ObjectLock& lock, Timestamp now) {
  if (lock.retain_until && *lock.retain_until > now) {
    return fmt::format("Object is locked and can't be deleted until {}",
                       format_iso(*lock.retain_until));
  }
  return lock.has_legal_hold ? "Object has a legal hold and can't be deleted until the legal hold "
                               "is removed"
                             : "";
}

std::vector<UnfinishedUpload> ObjectStore::list_leftovers(std::string_view prefix,
                                                          Timestamp begun_before,
                                                          std::size_t max_count) const {
  std::vector<UnfinishedUpload> leftovers;
  for (UnfinishedUpload& upload : list_unfinished(prefix)) {
    if (leftovers.size() >= max_count) break;
    if (upload.begun < begun_before) leftovers.push_back(std::move(upload));
  }
  return leftovers;
}

void prepare_requests() { load_http_ahead(); }

std::unique_ptr<ObjectStore> open_store(const StoreUrl& url, const StoreOptions& options) {
  switch (url.provider) {
    case Provider::aws_s3:
      return std::make_unique<S3Store>(url, options);
    case Provider::azure_blob_storage:
      return std::make_unique<AzureStore>(url, options);
    case Provider::google_cloud_storage:
      return std::make_unique<GoogleStore>(url, options);
  }
  throw Error(ErrorKind::internal, "unknown provider of object storage");
}

}  // namespace barman::object_store
