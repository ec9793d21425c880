// The files of an export on their way into a bucket, straight out of the tar file, whatever form
// they have there: plain files, or archives (compressed, encrypted) that are unpacked on the way.
// What is written has the form of the backups that the server makes, with indexes.
//
// The file is read twice: once with InspectedMembers, which writes nothing, so that everything that
// can be told beforehand is; then with ImportedBucket.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "catalogue/backup_info.h"
#include "encryption/cipher.h"
#include "pipeline/sink.h"
#include "stored/backup_writer.h"

namespace barman::transfer {

// What the WAL files of an export are.
class InspectedMembers final : public stored::TreeSink {
 public:
  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  void finish() override {}

  // SHA-256 of each as it is stored, by name.
  const std::map<std::string, std::string>& wals() const { return wals_; }

 private:
  std::string wal_;  // "" = another member
  std::optional<Digest> digest_;
  std::map<std::string, std::string> wals_;
};

class ImportedBucket final : public stored::TreeSink {
 public:
  struct Targets {
    // Of this backup; lives longer.
    stored::BackupWriter& writer;
    // A place for a WAL file, as it is stored; nullptr for one that is not wanted.
    std::function<std::unique_ptr<pipeline::Sink>(const std::string& name)> put_wal;
    // For archives that are encrypted.
    encryption::Cipher cipher = {};
  };

  // `info` is what the export says of the backup.
  ImportedBucket(const catalogue::BackupInfo& info, Targets targets);

  // Members as staging.h lets them through. Throws `corrupt` for what a restore would not find
  // again: files of a tablespace that `info` does not know, trees in pieces.
  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  // All members have come.
  void finish() override;

  // Files of `backup/configuration`, as they are stored, by name.
  const std::map<std::string, std::string>& configuration() const { return configuration_; }
  bool has_manifest() const { return has_manifest_; }

 private:
  enum class Target { nowhere, tree, sink, text };

  void begin_of_backup(const pipeline::TarMember& member, std::string_view path);
  void begin_of_data(const pipeline::TarMember& member, const std::string& path);
  void begin_in_tree(std::uint32_t oid, const pipeline::TarMember& member, const std::string& path);
  void begin_archive(const pipeline::TarMember& member, const std::string& name);
  void open_tree(std::uint32_t oid);
  void close_tree();
  // Those with a place outside of the data directory.
  bool is_separate(std::uint32_t oid) const;

  const catalogue::BackupInfo info_;
  const Targets targets_;
  Target target_ = Target::nowhere;
  // A plain backup's.
  stored::TreeSink* tree_ = nullptr;
  std::optional<std::uint32_t> open_oid_;
  std::set<std::uint32_t> seen_oids_;
  // Where a member goes that is one stream, and what unpacks it: the last one first.
  std::unique_ptr<pipeline::Sink> sink_;
  std::unique_ptr<pipeline::Sink> decompressor_;
  std::unique_ptr<pipeline::Sink> decryptor_;
  pipeline::Sink* input_ = nullptr;
  std::string* text_ = nullptr;
  std::map<std::string, std::string> configuration_;
  bool has_manifest_ = false;
};

}  // namespace barman::transfer
