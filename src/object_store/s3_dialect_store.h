// Buckets of S3, and of Google in the same dialect of XML: pages of listings, and uploads of
// several parts that were left unfinished.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/bucket_store.h"
#include "object_store/s3_upload.h"

namespace barman::object_store {

class S3DialectStore : public BucketStore {
 public:
  std::vector<UnfinishedUpload> list_unfinished(std::string_view prefix) const final;
  void abort_unfinished(const UnfinishedUpload& upload) final;

 protected:
  // `key_headers` are those of the customer's key.
  S3DialectStore(std::shared_ptr<StoreClient> client, S3Dialect dialect, HttpHeaders key_headers);

  const S3Dialect& dialect() const { return dialect_; }

 private:
  ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                       const std::string& token) const final;

  const std::shared_ptr<StoreClient> dialect_client_;
  const S3Dialect dialect_;
};

}  // namespace barman::object_store
