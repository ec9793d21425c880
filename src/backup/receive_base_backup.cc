#include "backup/receive_base_backup.h"

#include <fcntl.h>

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "backup/arrival_ledger.h"
#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"
#include "pipeline/file_syncer.h"
#include "pipeline/tar_reader.h"
#include "pipeline/tree_writer.h"
#include "postgres/backup_manifest.h"

namespace barman::backup {
namespace {

constexpr mode_t kPrivateDirectory = 0700;

void recreate_directory(const std::filesystem::path& path) {
  remove_tree(path);
  make_directories(path.parent_path());
  make_directories(path, kPrivateDirectory);
}

// One archive: its members go to a TreeWriter, their checksums into the ledger.
class ArchiveWriter final : public pipeline::TarVisitor {
 public:
  ArchiveWriter(const std::filesystem::path& root, std::string manifest_prefix,
                ArrivalLedger& ledger, pipeline::FileSyncer& syncer,
                pipeline::TreeWriterOptions options, Progress& progress)
      : writer_(root, syncer, std::move(options)),
        prefix_(std::move(manifest_prefix)),
        ledger_(ledger),
        progress_(progress) {}

  void begin_member(const pipeline::TarMember& member) override {
    is_file_ = member.type == pipeline::TarMemberType::regular;
    path_ = prefix_ + member.path;
    size_bytes_ = 0;
    crc_ = kCrc32cInitial;
    if (is_file_) progress_.set_item(path_);
    writer_.begin_member(member);
  }
  void write(Bytes data) override {
    crc_ = crc32c_extend(crc_, data);
    size_bytes_ += data.size();
    writer_.write(data);
    progress_.advance(data.size());
  }
  void end_member() override {
    writer_.end_member();
    if (!is_file_) return;
    ledger_.add(path_, size_bytes_, crc32c_finish(crc_));
    total_bytes_ += size_bytes_;
  }
  void finish() { writer_.finish(); }
  std::uint64_t total_bytes() const { return total_bytes_; }

 private:
  pipeline::TreeWriter writer_;
  const std::string prefix_;
  ArrivalLedger& ledger_;
  Progress& progress_;
  std::string path_;
  bool is_file_ = false;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::uint32_t crc_ = kCrc32cInitial;
};

class Receiver final : public replication::BaseBackupVisitor, public postgres::ManifestVisitor {
 public:
  Receiver(const BaseBackupTarget& target, const NoticeHandler& on_notice, Progress& progress)
      : target_(target), on_notice_(on_notice), progress_(progress) {}

  void begin_archive(const replication::BackupArchive& archive) override {
    pipeline::TreeWriterOptions options;
    std::filesystem::path root = target_.data_directory;
    std::string prefix;
    if (archive.is_base()) {
      options.map_link = [this](const pipeline::TarMember& member) {
        return relocated_link(member);
      };
    } else {
      prefix = fmt::format("pg_tblspc/{}/", archive.oid);
      root = archive.is_in_place() ? target_.data_directory / archive.location
                                   : target_.tablespace_directory(archive.oid);
      make_directories(root, kPrivateDirectory);
    }
    writer_ = std::make_unique<ArchiveWriter>(root, prefix, ledger_, syncer_, std::move(options),
                                              progress_);
    reader_ = std::make_unique<pipeline::TarReader>(
        *writer_, archive.is_base() ? "base.tar" : fmt::format("{}.tar", archive.oid));
  }
  void write_archive(Bytes data) override { reader_->write(data); }
  void end_archive() override {
    reader_->finish();
    writer_->finish();
    size_bytes_ += writer_->total_bytes();
    reader_.reset();
    writer_.reset();
  }

  void begin_manifest() override {
    ledger_.seal();
    manifest_file_ = std::make_unique<AtomicFile>(target_.data_directory / "backup_manifest", 0600);
    parser_ = std::make_unique<postgres::ManifestParser>(*this);
  }
  void write_manifest(Bytes data) override {
    manifest_file_->write(data);
    size_bytes_ += data.size();
    parser_->feed(data);
  }
  void end_manifest() override {
    parser_->finish();
    ledger_.finish();
    manifest_file_->commit();
  }
  void on_notice(const std::string& text) override { on_notice_(text); }

  void make_durable() { syncer_.wait(); }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  void on_version(int) override {}
  void on_system_id(postgres::SystemId) override {}
  void on_file(const postgres::ManifestFile& file) override { ledger_.confirm(file); }
  void on_wal_range(const postgres::ManifestWalRange&) override {}

  // pg_tblspc/<oid> leads to the backup's own copy of the tablespace.
  std::string relocated_link(const pipeline::TarMember& member) const {
    constexpr std::string_view kTablespaces = "pg_tblspc/";
    if (!member.path.starts_with(kTablespaces)) return member.link_target;
    const auto oid = parse_integer(member.path.substr(kTablespaces.size()));
    if (!oid || *oid <= 0) {
      throw Error(ErrorKind::corrupt,
                  "unexpected symbolic link \"" + member.path + "\" in the base backup");
    }
    return target_.tablespace_directory(static_cast<std::uint32_t>(*oid)).string();
  }

  const BaseBackupTarget& target_;
  const NoticeHandler& on_notice_;
  Progress& progress_;
  ArrivalLedger ledger_;
  pipeline::FileSyncer syncer_;
  std::unique_ptr<ArchiveWriter> writer_;
  std::unique_ptr<pipeline::TarReader> reader_;
  std::unique_ptr<AtomicFile> manifest_file_;
  std::unique_ptr<postgres::ManifestParser> parser_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const NoticeHandler& on_notice, Progress& progress,
                                       const Interrupt& interrupt) {
  recreate_directory(target.data_directory);
  replication::BaseBackupStream stream(connection, request, interrupt);
  ReceivedBaseBackup result;
  result.begin = stream.begin();
  std::uint64_t estimated_bytes = 0;
  for (const replication::BackupArchive& archive : result.begin.archives) {
    estimated_bytes += archive.size_bytes.value_or(0);
    if (!archive.is_base() && !archive.is_in_place())
      recreate_directory(target.tablespace_directory(archive.oid));
  }

  progress.begin("backup", estimated_bytes);
  Receiver receiver(target, on_notice, progress);
  result.end = stream.receive(receiver);
  receiver.make_durable();
  sync_directory(target.data_directory.parent_path());
  progress.end();
  result.size_bytes = receiver.size_bytes();
  return result;
}

}  // namespace barman::backup
