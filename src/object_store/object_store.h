// Buckets. A driver is a Storage, and nothing above knows which provider it belongs to; what only
// buckets have (they may be missing, "directories" are made by listing, uploads may be left
// unfinished, objects may be locked) is added here.
//
// A store is opened without asking anybody: credentials are looked for, and the network is used, at
// the first request. All functions may be called by several threads; connections are kept and
// shared by them. Each request is tried again, with pauses, as its provider wants it to be
// (StoreOptions::max_attempts), and each body is sent again from its beginning then.
//
// Errors are StoreError where the provider has answered (kinds: `not_found`, `conflict`,
// `permission`, `remote`), `connection` where it cannot be reached or does not answer, `config`
// where there are no usable credentials or settings or no such bucket, `interrupted`. They name
// bucket, key, operation, the provider's code and request ID; no secret and no signature.
//
// Sizes and integrity: each request carries a checksum of its body, which the provider compares;
// an upload of several parts is looked at once more when it is complete. An object that is read in
// ranges is one object: when it is replaced meanwhile, reading throws `io`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/timestamp.h"
#include "object_store/store_options.h"
#include "object_store/store_url.h"
#include "storage/storage.h"

namespace barman::object_store {

// The provider has answered, but not as it was asked to.
class StoreError : public Error {
 public:
  struct Answer {
    int http_status = 0;
    std::string code;        // "AccessDenied"; "" when it has told none
    std::string message;     // the provider's own words
    std::string request_id;  // "" when it has told none
  };
  StoreError(ErrorKind kind, std::string message, std::string hint, Answer answer)
      : Error(kind, std::move(message), std::move(hint)), answer_(std::move(answer)) {}
  const Answer& answer() const noexcept { return answer_; }

 private:
  Answer answer_;
};

struct UploadOptions {
  storage::IfPresent if_present = storage::IfPresent::replace;
  // Instead of StoreOptions::tags.
  std::optional<ObjectTags> tags = {};
  // Where StoreOptions::lock is set: until then instead of its days.
  std::optional<Timestamp> retain_until = {};
  // What is known of the size: parts are made large enough from the beginning.
  std::optional<std::uint64_t> expected_size_bytes = {};
};

struct UnfinishedUpload {
  std::string key;
  std::string id;
  Timestamp begun;
};

struct ObjectLock {
  std::optional<Timestamp> retain_until;
  bool has_legal_hold = false;
};

// "Object is locked and can't be deleted until …"; "" when the lock is over.
std::string reason_of_lock(const ObjectLock& lock, Timestamp now);

// Unfinished uploads that are older belong to runs that are dead.
inline constexpr std::chrono::hours kLeftoverAge{24};

class ObjectStore : public storage::Storage {
 public:
  // create() with more options. Sinks of several objects may be written by several threads.
  virtual std::unique_ptr<pipeline::Sink> upload(const std::string& key,
                                                 const UploadOptions& options) = 0;
  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return upload(key, {.if_present = if_present});
  }

  // One request, for `-t`: returns when the bucket is there and may be used. Throws `connection`
  // when the provider cannot be reached, `not_found` ("Bucket b does not exist"), `permission`
  // ("Permission denied when accessing bucket 'b'. …"), or `remote` ("Bad request when accessing
  // bucket 'b'. …") when it has answered.
  virtual void check_bucket() = 0;
  // False where check_bucket() throws `not_found`; throws what else it throws.
  bool bucket_exists();
  // Private. One that is there already and belongs to the same account is no error.
  virtual void create_bucket() = 0;

  // The "directories" directly below `prefix` ("" or with a slash at its end): "main/base/" gives
  // {"main/base/20260101T000000", …}, sorted. One listing, whatever lies below them.
  virtual std::vector<std::string> list_directories(std::string_view prefix) const = 0;

  // Uploads that were begun and neither finished nor aborted: of runs that are under way, and of
  // those that were killed. Empty where the provider forgets them by itself.
  virtual std::vector<UnfinishedUpload> list_unfinished(std::string_view prefix) const = 0;
  // What is gone already is no error.
  virtual void abort_unfinished(const UnfinishedUpload& upload) = 0;

  // Those below `prefix` that were begun before that moment: whoever aborts them takes the upload
  // of a run that goes on for so long. kLeftoverAge is a careful distance. At most so many.
  std::vector<UnfinishedUpload> list_leftovers(std::string_view prefix, Timestamp begun_before,
                                               std::size_t max_count = SIZE_MAX) const;

  // nullopt when nothing forbids to delete the object; always with Google, whose locks are told
  // when something is deleted. Throws `not_found`.
  virtual std::optional<ObjectLock> find_lock(const std::string& key) const = 0;

  // The place without a key: "s3://bucket/path".
  virtual const StoreUrl& url() const = 0;
};

// For programs that start for each file: begins to load what requests need, by a thread of its own.
void prepare_requests();

// Throws `config` for options that contradict each other, and where the provider needs a setting
// that is missing ("A connection string must be provided when using emulated storage").
std::unique_ptr<ObjectStore> open_store(const StoreUrl& url, const StoreOptions& options);

}  // namespace barman::object_store
