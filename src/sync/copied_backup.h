// The files of a backup on their way from the primary node into the catalogue, and what they must
// prove before the copy counts (docs/decisions/0011-what-a-copy-proves.md).
//
// While members are written, 32 bytes a file are kept: where it lies, its size and its CRC-32C.
// Then the copy is compared with `backup_manifest`, as a backup is, and, where a backup has nothing
// that tells its content, with a list of digests that the primary makes of its files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "pipeline/tar_reader.h"
#include "stored/backup_writer.h"
#include "stored/path_table.h"

namespace barman::sync {

// False for what is of another time or of that host alone: metadata and locks of old layouts, and
// the links to tablespaces, which lead to places of the primary.
bool is_copied(std::string_view path, bool is_link);

// True when a symbolic link at `path` of a tree would lead to something outside of it, or to the
// tree itself.
bool leads_outside(std::string_view path, std::string_view target);

class CopiedBackup final : public pipeline::TarVisitor {
 public:
  // `tree` writes below `root` and makes links as they are; `backup` is what the primary says of
  // it. Both live longer.
  CopiedBackup(std::filesystem::path root, const catalogue::BackupInfo& backup,
               stored::TreeSink& tree);

  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  // A file of the backup that is here without having come; it must prove what the others do.
  void add_present(const std::string& path, std::uint64_t size_bytes);
  // After the last member.
  void finish_writing();
  // What came over another connection, after its finish_writing().
  void take_over(CopiedBackup& part);
  // What follows may be called once this was, and its files are durable.
  void seal();
  void finish() {
    finish_writing();
    seal();
  }

  // Throws `corrupt` when something is absent that every backup of this form has.
  void require_whole() const;
  // Of a backup in plain form: compares each file with the manifest. Throws `corrupt` naming the
  // file, or when the manifest is of another backup. False when there is no manifest, or one that
  // does not tell the content of each file.
  bool confirm_by_manifest();
  // `listing`: "<SHA-256>  <path>" a line, of each file below `directory` of the primary, as
  // sha256sum prints it. Reads the files here. Throws `corrupt` naming the file.
  void confirm_by_listing(std::string_view listing, const std::filesystem::path& directory);

  bool has_manifest() const;

 private:
  class ManifestComparison;
  struct Arrival {
    std::uint64_t size_bytes = 0;
    std::uint32_t crc32c = 0;
    bool is_confirmed = false;
    bool is_present = false;  // its checksum is not known yet
  };

  // A file of the manifest, and where it lies.
  Arrival* find_listed(const std::string& path, std::string& stored);

  const std::filesystem::path root_;
  const catalogue::BackupInfo& backup_;
  stored::TreeSink& tree_;
  bool is_wanted_ = false;
  bool is_file_ = false;
  std::string path_;
  std::uint64_t size_bytes_ = 0;
  std::uint32_t crc_ = 0;
  // Another one in catalogues of old versions.
  std::string data_directory_ = catalogue::kDataDirectory;
  std::vector<std::string> directories_;  // those of the first level
  stored::PathTable<Arrival> arrivals_;   // sealed once finished
};

}  // namespace barman::sync
