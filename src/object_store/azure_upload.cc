#include "object_store/azure_upload.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "object_store/azure_answers.h"
#include "object_store/range_file.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr unsigned kMaxBlocks = 50'000;
constexpr unsigned kBlocksOfOneSize = 5000;
constexpr std::uint64_t kLargestBlock = std::uint64_t{4000} << 20;
constexpr std::uint64_t kSmallestBlock = std::uint64_t{64} << 10;
constexpr const char* kAzureMarkHeader = "x-ms-meta-barman_upload";

std::uint64_t first_block_size(const StoreOptions& options, const UploadOptions& upload) {
  // What is known to fit goes up in one request.
  if (upload.expected_size_bytes &&
      *upload.expected_size_bytes <= options.max_single_put_size_bytes) {
    return std::max(options.max_single_put_size_bytes, kSmallestBlock);
  }
  std::uint64_t size = std::max(options.max_block_size_bytes, kSmallestBlock);
  if (upload.expected_size_bytes) {
    size = std::max(size, *upload.expected_size_bytes / (kMaxBlocks / 10 * 9) + 1);
  }
  return std::min(size, kLargestBlock);
}

}  // namespace

std::uint64_t azure_block_size(std::uint64_t first_size_bytes, unsigned number) {
  if (number > kMaxBlocks) return 0;
  // Doubled after each tenth of the blocks.
  return std::min(first_size_bytes << ((number - 1) / kBlocksOfOneSize), kLargestBlock);
}

AzureUpload::AzureUpload(std::shared_ptr<AzureClient> client, std::string key,
                         const UploadOptions& options)
    : PartedUpload(std::move(client), std::move(key), options,
                   {.look = "Get Blob Properties", .mark_header = kAzureMarkHeader}),
      tags_(options.tags ? *options.tags : this->client().options().tags),
      first_block_size_(first_block_size(this->client().options(), options)) {}

AzureUpload::~AzureUpload() { end_parts(); }

// All IDs of a blob have the same length; those of two writers differ.
std::string AzureUpload::block_id(unsigned number) const {
  return base64(fmt::format("{}-{:05}", mark(), number));
}

HttpHeaders AzureUpload::blob_headers() const {
  HttpHeaders headers = {{kAzureMarkHeader, mark()}};
  std::vector<std::string> tags;
  for (const auto& [name, value] : tags_) {
    tags.push_back(percent_encoded(name) + "=" + percent_encoded(value));
  }
  if (!tags.empty()) headers.emplace_back("x-ms-tags", join(tags, "&"));
  const std::string& scope = client().options().encryption_scope;
  if (!scope.empty()) headers.emplace_back("x-ms-encryption-scope", scope);
  const std::string& tier = client().options().storage_class;
  if (!tier.empty()) headers.emplace_back("x-ms-access-tier", tier);
  if (refuses()) headers.emplace_back("If-None-Match", "*");
  return headers;
}

void AzureUpload::send_part(unsigned number, Bytes content) {
  StoreCall call{.operation = "Put Block",
                 .action = "cannot store",
                 .method = "PUT",
                 .key = key(),
                 .query = {{"comp", "block"}, {"blockid", block_id(number)}},
                 .body = content};
  const std::string& scope = client().options().encryption_scope;
  if (!scope.empty()) call.headers.emplace_back("x-ms-encryption-scope", scope);
  client().send(call);
}

void AzureUpload::put_whole(Bytes content) {
  StoreCall call{.operation = "Put Blob",
                 .action = "cannot store",
                 .method = "PUT",
                 .key = key(),
                 .headers = blob_headers(),
                 .body = content};
  call.headers.emplace_back("x-ms-blob-type", "BlockBlob");
  if (content.size() <= kFirstWindow) {
    call.headers.emplace_back(kAzureDigestHeader, hex(md5(content)));
  }
  commit(std::move(call));
}

void AzureUpload::complete() {
  std::vector<std::string> ids;
  for (unsigned number = 1; number <= part_count(); ++number) ids.push_back(block_id(number));
  const std::string body = block_list_request(ids);
  commit({.operation = "Put Block List",
          .action = "cannot store",
          .method = "PUT",
          .key = key(),
          .query = {{"comp", "blocklist"}},
          .headers = blob_headers(),
          .body = as_bytes(body)});
  check_size();
}

void AzureUpload::commit(StoreCall call) {
  if (refuses()) call.expected = {409, 412};
  const HttpAnswer answer = client().send(call);
  if (answer.status < 400) return;
  const std::string code = answer.header("x-ms-error-code");
  if (code != "BlobAlreadyExists" && code != "ConditionNotMet" &&
      code != "UnauthorizedBlobOverwrite") {
    client().fail(call, answer);
  }
  // Of ours, whose answer was lost?
  if (!is_ours(find_object())) throw_taken();
}

}  // namespace barman::object_store
