#include "object_store/azure_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/worker_pool.h"
#include "object_store/azure_answers.h"
#include "object_store/azure_upload.h"
#include "object_store/range_reader.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kParallelDeletions = 8;

}  // namespace

AzureStore::AzureStore(const StoreUrl& url, const StoreOptions& options)
    : AzureStore(std::make_shared<AzureClient>(url, options)) {}

AzureStore::AzureStore(std::shared_ptr<AzureClient> client)
    : BucketStore(client), client_(std::move(client)) {}

std::unique_ptr<pipeline::Sink> AzureStore::upload(const std::string& key,
                                                   const UploadOptions& options) {
  require_key(key);
  return std::make_unique<AzureUpload>(client_, key, options);
}

std::unique_ptr<pipeline::ContentFile> AzureStore::open(const std::string& key) const {
  require_key(key);
  auto file = open_in_ranges(
      client_, {.operation = "Get Blob", .action = "cannot read", .key = key}, kAzureDigestHeader);
  has_seen_bucket();
  return file;
}

HttpAnswer AzureStore::ask_for(const std::string& key) const {
  return client_->send({.operation = "Get Blob Properties",
                        .action = "cannot look at",
                        .method = "HEAD",
                        .key = key,
                        .expected = {404}});
}

bool AzureStore::is_bucket_missing() const {
  const StoreCall call{.operation = "List Blobs",
                       .action = "cannot list",
                       .query = {{"restype", "container"}, {"comp", "list"}, {"maxresults", "1"}},
                       .expected = {403, 404}};
  return client_->send(call).status == 404;
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

void AzureStore::remove(std::span<const std::string> keys) {
  for (const std::string& key : keys) require_key(key);
  if (keys.size() == 1) {
    remove_one(keys.front());
    return;
  }
  WorkerPool pool(std::min(keys.size(), kParallelDeletions));
  for (const std::string& key : keys) {
    pool.submit([this, &key] { remove_one(key); });
  }
  pool.wait();
}

void AzureStore::remove_one(const std::string& key) {
  const StoreCall call{.operation = "Delete Blob",
                       .action = "cannot delete",
                       .method = "DELETE",
                       .key = key,
                       .headers = {{"x-ms-delete-snapshots", "include"}},
                       .expected = {404}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 404 && answer.header("x-ms-error-code") == "ContainerNotFound") {
    client_->fail(call, answer);
  }
}

std::optional<ObjectLock> AzureStore::find_lock(const std::string& key) const {
  const auto answer = find_answer(key);
  if (!answer) throw Error(ErrorKind::not_found, describe(key) + " does not exist");
  ObjectLock lock{.has_legal_hold = to_lower(answer->header("x-ms-legal-hold")) == "true"};
  const auto until = parse_timestamp(answer->header("x-ms-immutability-policy-until-date"));
  if (until) lock.retain_until = until->time;
  if (!lock.has_legal_hold && !lock.retain_until) return std::nullopt;
  return lock;
}

// A listing, so that a signature for the container suffices.
void AzureStore::check_bucket() {
  const StoreCall call{.operation = "List Blobs",
                       .action = "cannot list",
                       .query = {{"restype", "container"},
                                 {"comp", "list"},
                                 {"maxresults", "1"},
                                 {"prefix", url().prefix}},
                       .expected = {404}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 404) {
    throw Error(ErrorKind::not_found, fmt::format("Bucket {} does not exist", url().bucket),
                "Create the container, or correct its name.");
  }
  has_seen_bucket();
}

void AzureStore::create_bucket() {
  const StoreCall call{.operation = "Create Container",
                       .action = "cannot create",
                       .method = "PUT",
                       .query = {{"restype", "container"}},
                       .expected = {409}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 409 && answer.header("x-ms-error-code") != "ContainerAlreadyExists") {
    client_->fail(call, answer);
  }
  has_seen_bucket();
}

}  // namespace barman::object_store
