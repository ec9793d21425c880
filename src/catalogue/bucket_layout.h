// Where the objects of one server lie in a bucket (docs/formats/object_layout.md): the names that
// Barman gives them, so that both programs read what the other has written. Pure.
//
// Nobody else builds or takes apart a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "catalogue/backup_id.h"
#include "compression/algorithm.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {

// ".gz": of objects compressed so; "" without.
std::string_view suffix_of(std::optional<compression::Algorithm> algorithm);

// One archive of a backup: "data.tar", "16384_0001.tar.gz".
struct BucketArchiveName {
  // 0 = the data directory.
  std::uint32_t tablespace_oid = 0;
  // 0 = the first one of its tree.
  std::uint32_t number = 0;
  std::optional<compression::Algorithm> compression = {};
  // After it was compressed: "data.tar.zst.gpg", which Barman does not know.
  bool is_encrypted = false;
  friend bool operator==(const BucketArchiveName&, const BucketArchiveName&) = default;
};
std::string format_archive_name(const BucketArchiveName& name);
// Of the index of an archive (docs/formats/archive_index.md): "index/data_0001". No name that
// Barman takes for an archive begins like this.
std::string format_index_name(const BucketArchiveName& name);
// Of what is in the name but cannot be read: the extension that nobody knows.
struct ParsedArchiveName {
  BucketArchiveName name;
  std::string unknown_extension = {};  // "" = none
};
// nullopt for what is no archive of a backup. `file_name` is the last component of a key.
std::optional<ParsedArchiveName> parse_backup_archive_name(std::string_view file_name);

// The name of an object below wals/.
struct WalObjectName {
  wal::WalFileName name;
  std::optional<compression::Algorithm> compression = {};
};
// The last component counts. nullopt for what is no WAL file.
std::optional<WalObjectName> parse_wal_object(std::string_view key);

// Keys are those of a store that is rooted at the path of the URL.
class BucketLayout {
 public:
  // `path` of the URL, for shown() only; slashes at its ends do not count.
  explicit BucketLayout(std::string_view server_name, std::string_view path = {});
  // Keys of a store that is rooted where the backups of the server begin, "ID/backup.info". `path`
  // is the whole way there, "PATH/SRV/base".
  static BucketLayout of_backups(std::string_view server_name, std::string_view path);

  const std::string& server_name() const { return server_name_; }
  // The whole key in the bucket, as users know it: "PATH/SRV/base/…".
  std::string shown(std::string_view key) const;

  // "SRV/base/", and everything of one backup.
  const std::string& backups_prefix() const { return backups_; }
  std::string backup_prefix(const BackupId& id) const;
  std::string backup_info_key(const BackupId& id) const;
  std::string keep_key(const BackupId& id) const;
  std::string archive_key(const BackupId& id, const BucketArchiveName& name) const;

  // What a key below backups_prefix() belongs to; nullopt for what is not the object of a backup.
  struct BackupObject {
    BackupId id;
    std::string name;  // "data.tar", "annotations/keep"
  };
  std::optional<BackupObject> parse_backup_key(std::string_view key) const;

  std::string wals_prefix() const { return root_ + "wals/"; }
  // "SRV/wals/0000000100000000/", wals_prefix() of history files.
  std::string wal_directory(const wal::WalFileName& name) const;
  std::string wal_key(const wal::WalFileName& name,
                      std::optional<compression::Algorithm> algorithm) const;

 private:
  std::string server_name_;
  std::string path_;     // with a slash at its end, or ""
  std::string root_;     // "SRV/"
  std::string backups_;  // "SRV/base/"
};

// Names of objects of a backup.
inline constexpr std::string_view kKeepObject = "annotations/keep";
// Beside the one in the archive of the data directory, so that it can be read without that.
inline constexpr std::string_view kManifestObject = "backup_manifest";
// What servers write beside the archives of a backup: the manifest, indexes, kept configuration. It
// is of no use without them.
bool is_companion_of_archives(std::string_view name);

}  // namespace barman::catalogue
