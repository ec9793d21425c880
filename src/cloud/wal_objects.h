// WAL files as objects of a bucket: one goes up, one comes down, and which there are.
//
// A name is a promise: an object of that name is never replaced by other content, and no other form
// of it (compressed, or in another way) is put beside one of other content. What is sent twice
// (PostgreSQL does that after a crash) is compared and counts as archived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "cloud/bucket_names.h"
#include "compression/algorithm.h"
#include "storage/storage.h"
#include "wal/wal_file_name.h"

namespace barman::cloud {

struct WalUpload {
  std::filesystem::path file;
  wal::WalFileName name;
  std::optional<compression::Algorithm> compression = {};
  std::string level = {};  // as users write it; "" = medium
};

enum class Archived { stored, was_there };

// Complete and durable in the bucket when it returns. One listing, while the file is read, tells
// the forms that are there; who may not list is told of the form only that is to be written. Throws
// `conflict` when another content has that name, `corrupt` when the file changes while it is read.
Archived archive_wal_object(storage::Storage& storage, const BucketLayout& layout,
                            const WalUpload& upload);

enum class Partials { refuse, take };

struct WalQuery {
  wal::WalFileName name;
  Partials partials = Partials::take;
  // Also those that follow it in its directory; complete segments only.
  std::size_t following = 0;
};

struct WalObject {
  std::string key;
  WalObjectName name;
};

struct FoundWalObjects {
  std::optional<WalObject> wanted;
  // Forms of the same file in which it is there, too, the better ones first.
  std::vector<WalObject> other_forms;
  std::vector<WalObject> following;  // ascending, one for each segment
};

// One listing. The file itself before its compressed form, both before an unfinished one.
FoundWalObjects find_wal_objects(const storage::Storage& storage, const BucketLayout& layout,
                                 const WalQuery& query);

// Writes the content, decompressed, to `target`. Throws `corrupt` when what comes out is not the
// file of that name, of the cluster `system_id` if that is known: PostgreSQL would take it for the
// end of the WAL, or replay what is not its own.
void fetch_wal_object(const storage::Storage& storage, const WalObject& object, const Fd& target,
                      const std::filesystem::path& target_path,
                      std::optional<std::uint64_t> system_id = {});

// The wanted file, in the first of its forms that is what its name says; that another one is not is
// a warning of the log. `begin` gives the empty file before each attempt. Throws what was wrong
// with the first form.
void fetch_wanted_wal(const storage::Storage& storage, const FoundWalObjects& found,
                      const std::function<const Fd&()>& begin,
                      const std::filesystem::path& target_path,
                      std::optional<std::uint64_t> system_id = {});

// All WAL files of the archive, ascending by key.
std::vector<WalObject> list_wal_objects(const storage::Storage& storage,
                                        const BucketLayout& layout);

}  // namespace barman::cloud
