// What the drivers of all providers have in common: keys, listings, and requests for one object.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/aws_answers.h"
#include "object_store/object_store.h"
#include "object_store/store_client.h"

namespace barman::object_store {

class BucketStore : public ObjectStore {
 public:
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const final;
  std::optional<storage::ObjectFacts> find(const std::string& key) const final;
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const final;
  // One request for each key, several at once.
  void remove(std::span<const std::string> keys) override;
  std::string describe(const std::string& key) const final;
  std::vector<std::string> list_directories(std::string_view prefix) const final;
  void check_bucket() override;
  const StoreUrl& url() const final { return shared_client_->url(); }

 protected:
  // How the provider calls its requests, and what goes with each of them.
  struct Words {
    std::string_view look;  // "HeadObject"
    std::string_view read;
    std::string_view remove;
    // Of answers: digits of the MD5 of a small object.
    std::string digest_header;
    HttpHeaders object_headers = {};  // a key of the customer
    HttpHeaders removal_headers = {};
    std::string_view missing_bucket_hint = "Create the bucket, or correct its name.";
  };

  BucketStore(std::shared_ptr<StoreClient> client, Words words)
      : shared_client_(std::move(client)), words_(std::move(words)) {}

  // One page of all keys below `full_prefix`, with those of "directories" when there is a
  // delimiter; `token` is the one of the page before.
  virtual ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                               const std::string& token) const = 0;
  // A request that is answered 404 when the bucket is missing, and 403 when it is not ours to ask.
  virtual StoreCall probe() const = 0;

  // nullopt when the object is missing. Throws `config` when the bucket is.
  std::optional<HttpAnswer> find_answer(const std::string& key) const;
  // Throws `not_found`.
  HttpAnswer require_answer(const std::string& key) const;
  // A bucket that the same account has made already is no error: 409 with the code `own_code`.
  void create_by(StoreCall call, std::string_view own_code);
  void remove_one(const std::string& key) const;
  void require_key(const std::string& key) const;
  std::string teller() const;
  // Of keys in the bucket those that lie below our prefix, without it; nullopt for others.
  std::optional<std::string> own_key(const std::string& full_key) const;
  void has_seen_bucket() const { has_seen_bucket_ = true; }
  const HttpHeaders& object_headers() const { return words_.object_headers; }

 private:
  [[noreturn]] void throw_missing_bucket(ErrorKind kind) const;
  void for_each_page(std::string_view prefix, std::string_view delimiter,
                     const std::function<void(const ListedPage&)>& visitor) const;

  const std::shared_ptr<StoreClient> shared_client_;
  const Words words_;
  mutable std::atomic<bool> has_seen_bucket_ = false;
};

// Calls `work` with each key, several at once; the first error is thrown when all have come to
// their end.
void for_each_key(std::span<const std::string> keys,
                  const std::function<void(const std::string& key)>& work);

}  // namespace barman::object_store
