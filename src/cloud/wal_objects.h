// WAL files as objects of a bucket: one goes up, one comes down, and which there are.
//
// A name is a promise: an object of that name is never replaced by other content. What is sent
// twice (PostgreSQL does that after a crash) is compared and counts as archived.
#pragma once

#include <cstddef>
#include <filesystem>
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

// Complete and durable in the bucket when it returns. Throws `conflict` when another content has
// that name, `corrupt` when the file changes while it is read.
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
  std::vector<WalObject> following;  // ascending, one for each segment
};

// One listing. The file itself before its compressed form, both before an unfinished one.
FoundWalObjects find_wal_objects(const storage::Storage& storage, const BucketLayout& layout,
                                 const WalQuery& query);

// Writes the content, decompressed, to `target`. What comes out and does not look like the file of
// that name is a warning of the log: PostgreSQL would take it for the end of WAL.
void fetch_wal_object(const storage::Storage& storage, const WalObject& object, const Fd& target,
                      const std::filesystem::path& target_path);

// All WAL files of the archive, ascending by key.
std::vector<WalObject> list_wal_objects(const storage::Storage& storage,
                                        const BucketLayout& layout);

}  // namespace barman::cloud
