// `backup_manifest`: docs/formats/backup_manifest.md. Read and written as a stream; memory does not
// depend on the number of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/fd.h"
#include "base/timestamp.h"
#include "postgres/system_id.h"
#include "wal/lsn.h"

namespace barman::postgres {

// Its name in a data directory.
inline constexpr const char* kBackupManifest = "backup_manifest";

struct ManifestFile {
  // Relative to the data directory, bytes as on disk ("Encoded-Path" is decoded).
  std::string path;
  std::uint64_t size_bytes = 0;
  // "2026-11-21 01:42:37 GMT", as written.
  std::string last_modified;
  DigestAlgorithm algorithm = DigestAlgorithm::none;
  // Lower-case hex; empty with DigestAlgorithm::none.
  std::string checksum;
  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

struct ManifestWalRange {
  wal::TimelineId timeline;
  wal::Lsn start;
  wal::Lsn end;
  friend bool operator==(const ManifestWalRange&, const ManifestWalRange&) = default;
};

// What the parser reports, in the order of the file. Values seen before finish() returns are not
// verified yet. What a visitor throws comes out of feed().
class ManifestVisitor {
 public:
  virtual ~ManifestVisitor() = default;
  virtual void on_version(int version) = 0;
  // Version 2, since PostgreSQL 17.
  virtual void on_system_id(SystemId system_id) = 0;
  virtual void on_file(const ManifestFile& file) = 0;
  virtual void on_wal_range(const ManifestWalRange& range) = 0;
};

class ManifestParser {
 public:
  // The visitor must outlive the parser.
  explicit ManifestParser(ManifestVisitor& visitor);
  ManifestParser(const ManifestParser&) = delete;
  ManifestParser& operator=(const ManifestParser&) = delete;
  ~ManifestParser();

  // Any division into chunks. Throws `corrupt` for what is not a manifest.
  void feed(Bytes chunk);
  // After the last chunk: throws `corrupt` when the manifest is incomplete or its own checksum does
  // not match.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Gives the next chunk, empty at the end.
using ChunkSource = std::function<Bytes()>;
void parse_backup_manifest(const ChunkSource& next_chunk, ManifestVisitor& visitor);
// Opens and parses the file; the path is in the context of errors.
void parse_backup_manifest_file(const std::filesystem::path& path, ManifestVisitor& visitor);

// Writes a manifest to `write`, in PostgreSQL's own layout. Order of calls: begin, add_file…,
// begin_wal_ranges, add_wal_range…, finish.
class ManifestWriter {
 public:
  using Write = std::function<void(std::string_view)>;
  // With a system id: version 2; without: version 1.
  ManifestWriter(Write write, std::optional<SystemId> system_id);

  void add_file(const ManifestFile& file);
  void add_wal_range(const ManifestWalRange& range);
  // Writes the checksum over all that was written.
  void finish();

 private:
  enum class Part { files, wal_ranges };
  void put(std::string_view text);
  void end_files();

  Write write_;
  Digest digest_;
  Part part_ = Part::files;
  bool first_ = true;
};

// "SHA256", "CRC32C", "NONE"; the names of the manifest.
std::string_view manifest_algorithm_name(DigestAlgorithm algorithm);
std::optional<DigestAlgorithm> parse_manifest_algorithm(std::string_view name);

}  // namespace barman::postgres
