// The one writer of stored backups: trees of files go in, the files of a backup lie in the
// catalogue, in the form that was asked for (directories, archives, a copy of what is stored
// elsewhere). Made by BackupStore (stored/backup_store.h).
//
//   writer->begin_tree(…) or begin_stream(…), its members, finish()    for each tree, one at a time
//   writer->put_manifest(), write…, finish()
//   writer->make_durable()
//
// Everything is durable when make_durable() returns, and nothing need be before. A writer that is
// destroyed without it has written into directories of a backup that nobody takes for complete;
// then nothing is written any more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_kind.h"
#include "compression/algorithm.h"
#include "encryption/cipher.h"
#include "pipeline/sink.h"
#include "pipeline/tar_reader.h"
#include "stored/archive_set.h"

namespace barman::stored {

// What the bytes of an archive are: as the server sends them, and as they are stored.
enum class CompressionPlace { none, server, client };

struct ArchiveCoding {
  // nullopt with CompressionPlace::none only.
  std::optional<compression::Algorithm> algorithm;
  CompressionPlace place = CompressionPlace::none;
  // Of the client; the server got its own.
  std::optional<int> level;
  std::size_t worker_count = 2;
  // What is stored is encrypted, after it was compressed; archives only.
  std::optional<encryption::Cipher> cipher;
};

struct WriterOptions {
  catalogue::StoredForm form = catalogue::StoredForm::plain;
  // CompressionPlace::server says that streams come compressed, for whatever form.
  ArchiveCoding coding;
  // Whether streams end with tar's two blocks of zeroes; PostgreSQL before 15 leaves them away.
  pipeline::TarEnd stream_end = pipeline::TarEnd::required;
  // Those with a directory of their own: in plain form `pg_tblspc/<oid>` leads there.
  std::vector<std::uint32_t> tablespaces;
  // Of archives in a bucket; `form` and the rest of `coding` are for this host.
  ArchiveForm bucket_form = {};
};

// Where the files of a backup lie.
struct BackupDirectories {
  std::filesystem::path data_directory;
  std::function<std::filesystem::path(std::uint32_t oid)> tablespace_directory;
};

// Those of a backup whose directory is `root`, with the names that new backups have.
BackupDirectories directories_below(const std::filesystem::path& root);
std::filesystem::path manifest_in(const std::filesystem::path& data_directory);

struct TreePlace {
  std::uint32_t oid = 0;  // 0 = the data directory
  // Of a tablespace that lies below the data directory: "pg_tblspc/16384".
  std::string in_place_location;
};

// The members of one tree, with paths relative to it.
class TreeSink : public pipeline::TarVisitor {
 public:
  virtual void finish() = 0;
};

class BackupWriter {
 public:
  // Is put before what takes the members.
  using MemberTap =
      std::function<std::unique_ptr<pipeline::TarVisitor>(pipeline::TarVisitor& next)>;

  virtual ~BackupWriter() = default;
  // Valid until the next tree begins.
  virtual TreeSink& begin_tree(const TreePlace& place) = 0;
  // The same for a tar stream as a server sends it; archives store it as it is.
  virtual pipeline::Sink& begin_stream(const TreePlace& place, const MemberTap& tap) = 0;
  // `backup_manifest`; it appears with finish().
  virtual std::unique_ptr<pipeline::Sink> put_manifest() = 0;
  virtual void make_durable() = 0;
};

// Files below the directories; `data_directory` exists.
std::unique_ptr<BackupWriter> make_plain_writer(BackupDirectories directories,
                                                const WriterOptions& options);
// `base.tar.zst`, `<oid>.tar.zst` in the data directory, each with its index
// (stored/archive_index.h); encrypted ones, `base.tar.zst.gpg`, have none.
std::unique_ptr<BackupWriter> make_archive_writer(BackupDirectories directories,
                                                  const WriterOptions& options);

// Symbolic links in a copy: an error, or made as they are, which is for who has looked at them.
enum class CopiedLinks { refuse, make };
// All files of a backup below `root`, which exists, as somebody else has stored them: one tree, and
// the manifest is one of its files.
std::unique_ptr<BackupWriter> make_copy_writer(std::filesystem::path root, CopiedLinks links);

// The symbolic links of a plain backup to its tablespaces, those that are not there already.
void link_tablespaces(const BackupDirectories& directories,
                      const std::vector<std::uint32_t>& tablespaces);

}  // namespace barman::stored
