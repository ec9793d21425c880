// The storage of a WAL archive in a bucket. There the name of an object tells how it is stored, as
// Barman's do: "0000000100000000/000000010000000000000003.gz". This stands in front of the bucket
// and gives objects the names that they have in a directory, without suffix; which one it is, is
// told by ObjectFacts::stored_key, so that nobody has to read an object to know its form.
//
// The suffix of a new object is found in its first bytes: that of its compression, or ".gpg" for an
// OpenPGP message, which Barman's programs then do not take for WAL. Of several forms of one name
// the file itself counts, then the compressed, then the encrypted one.
//
// What Storage promises holds for one form of a name: IfPresent::refuse does not see another one.
// Who stores WAL asks find() first, and has the lock of the archiver.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/storage.h"
#include "wal_archive/wal_encoding.h"

namespace barman::wal_archive {

class ArchiveBucket final : public storage::Storage {
 public:
  // Asks for objects of at most so many names to be removed at once; 0 = as many as there are.
  explicit ArchiveBucket(std::shared_ptr<storage::Storage> objects, std::size_t removed_at_once = 0)
      : objects_(std::move(objects)), removed_at_once_(removed_at_once) {}

  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override;
  // Each asks for a listing of the name first.
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override;
  std::optional<storage::ObjectFacts> find(const std::string& key) const override;
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override;
  // All forms of these names. One listing for each "directory" that has several of them.
  void remove(std::span<const std::string> keys) override;
  std::string describe(const std::string& key) const override { return objects_->describe(key); }

 private:
  class NewObject;
  // All forms of the names below `prefix` that `wanted` is true for, as keys of the bucket.
  std::vector<std::string> list_forms(
      std::string_view prefix, const std::function<bool(const std::string& key)>& wanted) const;

  const std::shared_ptr<storage::Storage> objects_;
  const std::size_t removed_at_once_;
};

// What the name of an object in a bucket tells.
struct StoredName {
  std::string key;  // without suffix
  WalEncoding encoding;
};
StoredName parse_stored_name(std::string_view stored_key);
// Whether an object of a bucket is compressed or encrypted, by its name; false for what is no
// object of a bucket. `barman cloud-wal-archive` of Barman notes the file that it has compressed as
// plain, with its size: where this is true, a line of the index that knows of neither says nothing
// of the object's size.
bool has_coded_name(const storage::ObjectFacts& object);

}  // namespace barman::wal_archive
