// What the drivers of all providers have in common: keys and listings.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/aws_answers.h"
#include "object_store/object_store.h"
#include "object_store/store_client.h"

namespace barman::object_store {

class BucketStore : public ObjectStore {
 public:
  std::optional<storage::ObjectFacts> find(const std::string& key) const final;
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const final;
  std::string describe(const std::string& key) const final;
  std::vector<std::string> list_directories(std::string_view prefix) const final;
  const StoreUrl& url() const final { return shared_client_->url(); }

 protected:
  explicit BucketStore(std::shared_ptr<StoreClient> client) : shared_client_(std::move(client)) {}

  // One page of all keys below `full_prefix`, with those of "directories" when there is a
  // delimiter; `token` is the one of the page before.
  virtual ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                               const std::string& token) const = 0;
  // The answer to a HEAD for the object; 404 is expected.
  virtual HttpAnswer ask_for(const std::string& key) const = 0;
  // Whether the bucket is missing, where an answer to HEAD does not tell.
  virtual bool is_bucket_missing() const = 0;

  // nullopt when the object is missing. Throws `config` when the bucket is.
  std::optional<HttpAnswer> find_answer(const std::string& key) const;
  // The key of a checked name.
  void require_key(const std::string& key) const;
  std::string teller() const;
  // Of keys in the bucket those that lie below our prefix, without it; nullopt for others.
  std::optional<std::string> own_key(const std::string& full_key) const;
  // As S3 and Google have them.
  std::vector<UnfinishedUpload> list_multipart_uploads(std::string_view prefix) const;
  void abort_multipart_upload(const UnfinishedUpload& upload) const;
  void has_seen_bucket() const { has_seen_bucket_ = true; }

 private:
  std::vector<ListedPage> list_pages(std::string_view prefix, std::string_view delimiter) const;

  const std::shared_ptr<StoreClient> shared_client_;
  mutable std::atomic<bool> has_seen_bucket_ = false;
};

}  // namespace barman::object_store
