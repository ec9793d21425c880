#include "object_store/bucket_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/worker_pool.h"
#include "object_store/compact_listing.h"
#include "object_store/range_reader.h"
#include "pipeline/relative_path.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kKeysAtOnce = 8;

}  // namespace

std::string BucketStore::teller() const { return fmt::format("\"{}\"", url().text()); }

std::string BucketStore::describe(const std::string& key) const {
  return fmt::format("\"{}\"", url().text(key));
}

void BucketStore::require_key(const std::string& key) const { storage::require_key(key, teller()); }

std::optional<std::string> BucketStore::own_key(const std::string& full_key) const {
  const std::string beginning = shared_client_->full_key("");
  if (!full_key.starts_with(beginning)) return std::nullopt;
  return full_key.substr(beginning.size());
}

void BucketStore::throw_missing_bucket(ErrorKind kind) const {
  throw Error(kind, fmt::format("Bucket {} does not exist", url().bucket),
              std::string(words_.missing_bucket_hint));
}

std::unique_ptr<pipeline::ContentFile> BucketStore::open(const std::string& key) const {
  require_key(key);
  auto file = open_in_ranges(shared_client_,
                             {.operation = words_.read,
                              .action = "cannot read",
                              .key = key,
                              .headers = words_.object_headers},
                             words_.digest_header);
  has_seen_bucket();
  return file;
}

std::optional<HttpAnswer> BucketStore::find_answer(const std::string& key) const {
  require_key(key);
  HttpAnswer answer = shared_client_->send({.operation = words_.look,
                                            .action = "cannot look at",
                                            .method = "HEAD",
                                            .key = key,
                                            .headers = words_.object_headers,
                                            .expected = {404}});
  if (answer.status != 404) {
    has_seen_bucket();
    return answer;
  }
  if (shared_client_->tells_missing_bucket(answer)) throw_missing_bucket(ErrorKind::config);
  // Not every provider says in an answer to HEAD what is missing.
  if (!has_seen_bucket_) {
    StoreCall call = probe();
    // Who may not ask for the bucket may still use it.
    call.expected = {403, 404};
    if (shared_client_->send(call).status == 404) throw_missing_bucket(ErrorKind::config);
    has_seen_bucket();
  }
  return std::nullopt;
}

HttpAnswer BucketStore::require_answer(const std::string& key) const {
  auto answer = find_answer(key);
  if (!answer) throw Error(ErrorKind::not_found, describe(key) + " does not exist");
  return *std::move(answer);
}

void BucketStore::check_bucket() {
  StoreCall call = probe();
  call.expected = {404};
  if (shared_client_->send(call).status == 404) throw_missing_bucket(ErrorKind::not_found);
  has_seen_bucket();
}

void BucketStore::create_by(StoreCall call, std::string_view own_code) {
  call.operation = call.operation.empty() ? "CreateBucket" : call.operation;
  call.action = "cannot create";
  call.method = "PUT";
  call.expected = {409};
  const HttpAnswer answer = shared_client_->send(call);
  if (answer.status == 409 && shared_client_->error_code(answer) != own_code) {
    shared_client_->fail(call, answer);
  }
  has_seen_bucket();
}

void BucketStore::remove(std::span<const std::string> keys) {
  for (const std::string& key : keys) require_key(key);
  for_each_key(keys, [this](const std::string& key) { remove_one(key); });
}

void BucketStore::remove_one(const std::string& key) const {
  const StoreCall call{.operation = words_.remove,
                       .action = "cannot delete",
                       .method = "DELETE",
                       .key = key,
                       .headers = words_.removal_headers,
                       .expected = {404}};
  const HttpAnswer answer = shared_client_->send(call);
  if (shared_client_->tells_missing_bucket(answer)) shared_client_->fail(call, answer);
}

void for_each_key(std::span<const std::string> keys,
                  const std::function<void(const std::string& key)>& work) {
  if (keys.size() == 1) {
    work(keys.front());
    return;
  }
  if (keys.empty()) return;
  WorkerPool pool(std::min(keys.size(), kKeysAtOnce));
  for (const std::string& key : keys) {
    pool.submit([&work, &key] { work(key); });
  }
  pool.wait();
}

std::optional<storage::ObjectFacts> BucketStore::find(const std::string& key) const {
  const auto answer = find_answer(key);
  if (!answer) return std::nullopt;
  const auto size = parse_integer(answer->header("content-length"));
  const auto time = parse_timestamp(answer->header("last-modified"));
  if (!size || *size < 0 || !time) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the provider does not tell size and time of {}", describe(key)));
  }
  return storage::ObjectFacts{.key = key,
                              .size_bytes = static_cast<std::uint64_t>(*size),
                              .mtime_seconds = time->time.seconds()};
}

void BucketStore::for_each_page(std::string_view prefix, std::string_view delimiter,
                                const std::function<void(const ListedPage&)>& visitor) const {
  storage::require_prefix(prefix, teller());
  std::string token;
  do {
    const ListedPage page = in_context(fmt::format("listing {}", teller()), [&] {
      return list_page(shared_client_->full_key(prefix), delimiter, token);
    });
    // A store that hands out the same page for ever would never come to its end.
    if (page.is_truncated && page.next_token == token) {
      throw Error(ErrorKind::corrupt, fmt::format("the listing of {} does not go on", teller()));
    }
    token = page.is_truncated ? page.next_token : "";
    visitor(page);
  } while (!token.empty());
  has_seen_bucket();
}

// Not every store keeps the order from page to page, or has one: nothing is told before all is
// known.
void BucketStore::list(std::string_view prefix, const storage::ObjectVisitor& visitor) const {
  CompactListing objects;
  for_each_page(prefix, "", [&](const ListedPage& page) {
    for (const storage::ObjectFacts& object : page.objects) {
      const auto key = own_key(object.key);
      // Other programs make "directories" and names that are none of ours.
      if (!key || !pipeline::is_safe_relative_path(*key) ||
          key->ends_with(storage::kTemporarySuffix)) {
        continue;
      }
      storage::ObjectFacts own = object;
      own.key = *key;
      objects.add(own);
    }
  });
  objects.visit(visitor);
}

std::vector<std::string> BucketStore::list_directories(std::string_view prefix) const {
  std::set<std::string> directories;
  for_each_page(prefix, "/", [&](const ListedPage& page) {
    for (const std::string& full_key : page.directories) {
      auto key = own_key(full_key);
      if (!key || !key->ends_with('/')) continue;
      key->pop_back();
      if (pipeline::is_safe_relative_path(*key)) directories.insert(std::move(*key));
    }
  });
  return {directories.begin(), directories.end()};
}

}  // namespace barman::object_store
