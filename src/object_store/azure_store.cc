#include "object_store/azure_store.h"

#include <utility>

#include "base/text.h"
#include "base/timestamp.h"
#include "object_store/azure_answers.h"
#include "object_store/azure_upload.h"

namespace barman::object_store {

AzureStore::AzureStore(const StoreUrl& url, const StoreOptions& options)
    : AzureStore((refuse_options_of_s3(options), std::make_shared<AzureClient>(url, options))) {}

AzureStore::AzureStore(std::shared_ptr<AzureClient> client)
    : BucketStore(client, {.look = "Get Blob Properties",
                           .read = "Get Blob",
                           .remove = "Delete Blob",
                           .digest_header = kAzureDigestHeader,
                           .removal_headers = {{"x-ms-delete-snapshots", "include"}},
                           .missing_bucket_hint = "Create the container, or correct its name."}),
      client_(std::move(client)) {}

std::unique_ptr<pipeline::Sink> AzureStore::upload(const std::string& key,
                                                   const UploadOptions& options) {
  require_key(key);
  return std::make_unique<AzureUpload>(client_, key, options);
}

ListedPage AzureStore::list_page(const std::string& full_prefix, std::string_view delimiter,
                                 const std::string& token) const {
  QueryParameters query = {{"restype", "container"}, {"comp", "list"}};
  if (!full_prefix.empty()) query.emplace_back("prefix", full_prefix);
  if (!delimiter.empty()) query.emplace_back("delimiter", delimiter);
  if (!token.empty()) query.emplace_back("marker", token);
  const HttpAnswer answer = client_->send(
      {.operation = "List Blobs", .action = "cannot list", .query = std::move(query)});
  return parse_azure_page(answer.body);
}

// A listing, so that a signature for the container suffices.
StoreCall AzureStore::probe() const {
  QueryParameters query = {{"restype", "container"}, {"comp", "list"}, {"maxresults", "1"}};
  if (!url().prefix.empty()) query.emplace_back("prefix", client_->full_key(""));
  return {.operation = "List Blobs", .action = "cannot list", .query = std::move(query)};
}

std::optional<ObjectLock> AzureStore::find_lock(const std::string& key) const {
  const HttpAnswer answer = require_answer(key);
  ObjectLock lock{.has_legal_hold = to_lower(answer.header("x-ms-legal-hold")) == "true"};
  const auto until = parse_timestamp(answer.header("x-ms-immutability-policy-until-date"));
  if (until) lock.retain_until = until->time;
  if (!lock.has_legal_hold && !lock.retain_until) return std::nullopt;
  return lock;
}

void AzureStore::create_bucket() {
  create_by({.operation = "Create Container",
             .action = "cannot create",
             .query = {{"restype", "container"}}},
            "ContainerAlreadyExists");
}

}  // namespace barman::object_store
