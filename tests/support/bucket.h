// Buckets of an ObjectServer for tests that use the drivers directly.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "object_store/object_store.h"
#include "support/object_server.h"

namespace barman::test {

// Options with the keys of the server, and nothing of the environment of this process.
inline object_store::StoreOptions store_options(const ObjectServer& server) {
  object_store::StoreOptions options;
  options.endpoint_url = server.endpoint();
  options.first_retry_pause = std::chrono::milliseconds(1);
  options.environment =
      [variables = server.environment()](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return options;
}

inline object_store::StoreUrl bucket_url(const std::string& bucket, const std::string& path = "") {
  return object_store::parse_store_url("s3://" + bucket + "/" + path,
                                       object_store::Provider::aws_s3);
}

inline std::unique_ptr<object_store::ObjectStore> open_bucket(
    const std::string& bucket, const std::string& path, const object_store::StoreOptions& options) {
  auto store = object_store::open_store(bucket_url(bucket, path), options);
  // Once a program: it takes longer than most other requests.
  static std::set<std::string> made;
  if (made.insert(bucket).second) store->create_bucket();
  return store;
}

}  // namespace barman::test
