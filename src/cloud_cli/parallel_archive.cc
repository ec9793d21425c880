#include "cloud_cli/parallel_archive.h"

#include <fcntl.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "client/archived_ahead.h"
#include "client/next_segments.h"

namespace barman::cloud_cli {
namespace {

namespace fs = std::filesystem;
using client::ArchivedAhead;
using client::SentFile;

// The notes of this server, bucket and form of objects.
std::optional<ArchivedAhead> find_notes(const OpenBucket& bucket, const cloud::WalUpload& upload,
                                        const fs::path& directory) {
  const std::string suffix(cloud::suffix_of(upload.compression));
  const std::string identity = replace_all(
      fmt::format("{} {} {}", bucket.store->url().text(), bucket.layout.server_name(), suffix),
      "\n", " ");
  try {
    return ArchivedAhead(directory.empty()
                             ? ArchivedAhead::default_directory(
                                   replace_all(bucket.layout.server_name(), "/", "_"), identity)
                             : directory,
                         identity);
  } catch (const Error& error) {  // Without notes they are archived all the same, one by one.
    log::warning("barman.cloud", "archiving one WAL file at a time: {}{}", error.describe(),
                 error.hint_line());
    return std::nullopt;
  }
}

// Archives the file, and says what it was. nullopt when it has changed meanwhile.
std::optional<SentFile> archive_and_note(const OpenBucket& bucket, const cloud::WalUpload& upload) {
  const Fd file = open_file(upload.file, O_RDONLY, 0600, Links::follow);
  const std::string state = client::untouched_state(file, upload.file);
  const SentFile before{.sha256 = digest_of_file(DigestAlgorithm::sha256, file, upload.file),
                        .state = state};
  cloud::archive_wal_object(*bucket.store, bucket.layout, upload);
  const bool is_untouched =
      !before.state.empty() && before.state == client::untouched_state(file, upload.file);
  if (is_untouched || before.sha256 == digest_of_file(DigestAlgorithm::sha256, file, upload.file)) {
    return before;
  }
  return std::nullopt;
}

std::vector<cloud::WalUpload> list_following(const cloud::WalUpload& upload, std::size_t count) {
  std::vector<cloud::WalUpload> following;
  const auto status = find_status(upload.file);
  if (!status) return following;
  for (const std::string& name : client::list_ready_segments(
           upload.file, static_cast<std::uint64_t>(status->st_size), count)) {
    auto parsed = wal::parse_wal_file_name(name);
    if (!parsed) continue;
    following.push_back({.file = upload.file.parent_path() / name,
                         .name = *std::move(parsed),
                         .compression = upload.compression,
                         .level = upload.level});
  }
  return following;
}

}  // namespace

void archive_in_parallel(const OpenBucket& bucket, const cloud::WalUpload& upload,
                         const ParallelArchiving& archiving) {
  auto notes = find_notes(bucket, upload, archiving.directory);
  if (!notes) {
    cloud::archive_wal_object(*bucket.store, bucket.layout, upload);
    return;
  }
  const std::string& name = upload.name.name;
  if (notes->holds(name, open_file(upload.file, O_RDONLY, 0600, Links::follow), upload.file)) {
    return;
  }
  object_store::prepare_requests();
  std::map<std::string, SentFile> archived;
  std::mutex mutex;
  const std::vector<cloud::WalUpload> following = list_following(upload, archiving.count - 1);
  WorkerPool workers(following.size() + 1);
  // What fails of this one is the failure of the call.
  workers.submit([&] { archive_and_note(bucket, upload); });
  for (const cloud::WalUpload& one : following) {
    workers.submit([&] {
      try {
        const auto sent = archive_and_note(bucket, one);
        const std::lock_guard lock(mutex);
        if (sent) archived.emplace(one.name.name, *sent);
      } catch (const Error& error) {  // PostgreSQL asks for it, and is told then.
        log::debug("barman.cloud", "{} is not archived yet: {}", one.name.name, error.describe());
      }
    });
  }
  workers.wait();
  notes->clear();
  for (const auto& [archived_name, sent] : archived) notes->add(archived_name, sent);
  try {
    notes->save();
  } catch (const Error& error) {  // They are archived again then.
    log::warning("barman.cloud", "cannot note what is archived: {}", error.describe());
  }
}

}  // namespace barman::cloud_cli
