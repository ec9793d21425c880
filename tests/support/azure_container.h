// Containers of an AzureServer for tests that use the drivers directly.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "object_store/object_store.h"
#include "support/azure_server.h"

namespace barman::test {

// Options with these variables, and nothing of the environment of this process.
inline object_store::StoreOptions azure_options(
    std::map<std::string, std::string> variables = AzureServer::shared().environment()) {
  object_store::StoreOptions options;
  options.first_retry_pause = std::chrono::milliseconds(1);
  options.environment =
      [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return options;
}

inline object_store::StoreUrl container_url(const std::string& container,
                                            const std::string& path = "") {
  return object_store::parse_store_url(
      AzureServer::shared().account_url() + "/" + container + "/" + path,
      object_store::Provider::azure_blob_storage);
}

inline std::unique_ptr<object_store::ObjectStore> open_container(
    const std::string& path, const object_store::StoreOptions& options,
    const std::string& container = "container") {
  auto store = object_store::open_store(container_url(container, path), options);
  store->create_bucket();
  return store;
}

}  // namespace barman::test
