#include "object_store/bucket_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "pipeline/relative_path.h"

namespace barman::object_store {

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

std::optional<HttpAnswer> BucketStore::find_answer(const std::string& key) const {
  require_key(key);
  HttpAnswer answer = ask_for(key);
  if (answer.status != 404) {
    has_seen_bucket();
    return answer;
  }
  if (!has_seen_bucket_) {
    if (is_bucket_missing()) {
      throw Error(ErrorKind::config, fmt::format("Bucket {} does not exist", url().bucket),
                  "Create the bucket, or correct its name.");
    }
    has_seen_bucket();
  }
  return std::nullopt;
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

std::vector<ListedPage> BucketStore::list_pages(std::string_view prefix,
                                                std::string_view delimiter) const {
  storage::require_prefix(prefix, teller());
  std::vector<ListedPage> pages;
  std::string token;
  do {
    ListedPage page = in_context(fmt::format("listing {}", teller()), [&] {
      return list_page(shared_client_->full_key(prefix), delimiter, token);
    });
    // A store that hands out the same page for ever would never come to its end.
    if (page.is_truncated && page.next_token == token) {
      throw Error(ErrorKind::corrupt, fmt::format("the listing of {} does not go on", teller()));
    }
    token = page.is_truncated ? page.next_token : "";
    pages.push_back(std::move(page));
  } while (!token.empty());
  has_seen_bucket();
  return pages;
}

void BucketStore::list(std::string_view prefix, const storage::ObjectVisitor& visitor) const {
  std::vector<storage::ObjectFacts> objects;
  for (ListedPage& page : list_pages(prefix, "")) {
    for (storage::ObjectFacts& object : page.objects) {
      auto key = own_key(object.key);
      // Other programs make "directories" and names that are none of ours.
      if (!key || !pipeline::is_safe_relative_path(*key) ||
          key->ends_with(storage::kTemporarySuffix)) {
        continue;
      }
      object.key = std::move(*key);
      objects.push_back(std::move(object));
    }
  }
  // Not every store keeps the order from page to page, or has one.
  if (!std::ranges::is_sorted(objects, {}, &storage::ObjectFacts::key)) {
    std::ranges::sort(objects, {}, &storage::ObjectFacts::key);
  }
  const auto is_same = [](const storage::ObjectFacts& a, const storage::ObjectFacts& b) {
    return a.key == b.key;
  };
  objects.erase(std::unique(objects.begin(), objects.end(), is_same), objects.end());
  for (const storage::ObjectFacts& object : objects) visitor(object);
}

std::vector<std::string> BucketStore::list_directories(std::string_view prefix) const {
  std::set<std::string> directories;
  for (const ListedPage& page : list_pages(prefix, "/")) {
    for (const std::string& full_key : page.directories) {
      auto key = own_key(full_key);
      if (!key || !key->ends_with('/')) continue;
      key->pop_back();
      if (pipeline::is_safe_relative_path(*key)) directories.insert(std::move(*key));
    }
  }
  return {directories.begin(), directories.end()};
}

std::vector<UnfinishedUpload> BucketStore::list_multipart_uploads(std::string_view prefix) const {
  storage::require_prefix(prefix, teller());
  std::vector<UnfinishedUpload> uploads;
  UploadsPage page;
  do {
    QueryParameters query = {
        {"uploads", ""}, {"encoding-type", "url"}, {"prefix", shared_client_->full_key(prefix)}};
    if (page.is_truncated) {
      query.emplace_back("key-marker", page.next_key);
      query.emplace_back("upload-id-marker", page.next_id);
    }
    const HttpAnswer answer =
        shared_client_->send({.operation = "ListMultipartUploads",
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

void BucketStore::abort_multipart_upload(const UnfinishedUpload& upload) const {
  shared_client_->send({.operation = "AbortMultipartUpload",
                        .action = "cannot abort the upload of",
                        .method = "DELETE",
                        .key = upload.key,
                        .query = {{"uploadId", upload.id}},
                        .expected = {404}});
}

}  // namespace barman::object_store
