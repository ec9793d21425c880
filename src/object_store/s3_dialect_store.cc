#include "object_store/s3_dialect_store.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::object_store {

S3DialectStore::S3DialectStore(std::shared_ptr<StoreClient> client, S3Dialect dialect,
                               HttpHeaders key_headers)
    : BucketStore(client, {.look = "HeadObject",
                           .read = "GetObject",
                           .remove = "DeleteObject",
                           .digest_header = dialect.digest_header(),
                           .object_headers = std::move(key_headers)}),
      dialect_client_(std::move(client)),
      dialect_(std::move(dialect)) {}

ListedPage S3DialectStore::list_page(const std::string& full_prefix, std::string_view delimiter,
                                     const std::string& token) const {
  QueryParameters query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", full_prefix}};
  if (!delimiter.empty()) query.emplace_back("delimiter", delimiter);
  if (!token.empty()) query.emplace_back("continuation-token", token);
  const HttpAnswer answer = dialect_client_->send(
      {.operation = "ListObjectsV2", .action = "cannot list", .query = std::move(query)});
  return parse_listed_page(answer.body);
}

std::vector<UnfinishedUpload> S3DialectStore::list_unfinished(std::string_view prefix) const {
  storage::require_prefix(prefix, teller());
  std::vector<UnfinishedUpload> uploads;
  UploadsPage page;
  do {
    QueryParameters query = {
        {"uploads", ""}, {"encoding-type", "url"}, {"prefix", dialect_client_->full_key(prefix)}};
    if (page.is_truncated) {
      query.emplace_back("key-marker", page.next_key);
      query.emplace_back("upload-id-marker", page.next_id);
    }
    const HttpAnswer answer =
        dialect_client_->send({.operation = "ListMultipartUploads",
                               .action = "cannot list the unfinished uploads of",
                               .query = std::move(query)});
    const std::pair last(page.next_key, page.next_id);
    const bool is_first = !page.is_truncated;
    page = parse_uploads_page(answer.body);
    if (!is_first && page.is_truncated && last == std::pair(page.next_key, page.next_id)) {
      throw Error(ErrorKind::corrupt, fmt::format("the listing of {} does not go on", teller()));
    }
    for (UnfinishedUpload& upload : page.uploads) {
      auto key = own_key(upload.key);
      if (!key) continue;
      upload.key = std::move(*key);
      uploads.push_back(std::move(upload));
    }
  } while (page.is_truncated);
  return uploads;
}

void S3DialectStore::abort_unfinished(const UnfinishedUpload& upload) {
  dialect_client_->send({.operation = "AbortMultipartUpload",
                         .action = "cannot abort the upload of",
                         .method = "DELETE",
                         .key = upload.key,
                         .query = {{"uploadId", upload.id}},
                         .expected = {404}});
}

}  // namespace barman::object_store
