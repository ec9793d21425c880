#include <fcntl.h>

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "backup/archive_target.h"
#include "compression/codec.h"
#include "compression/parallel_compressor.h"
#include "content/archive_file.h"
#include "content/archive_index.h"
#include "pipeline/file_sink.h"

namespace barman::backup {
namespace {

// What ends an archive, and PostgreSQL sends since version 15 only.
constexpr std::array<std::byte, 2 * pipeline::TarReader::kBlockSize> kEndMarker{};

// Members go into the index only.
class MemberRecorder final : public pipeline::TarVisitor {
 public:
  explicit MemberRecorder(std::optional<content::ArchiveIndexWriter>& index) : index_(index) {}
  void begin_member(const pipeline::TarMember& member) override {
    if (index_) index_->add(member);
  }
  void write(Bytes) override {}
  void end_member() override {}

 private:
  std::optional<content::ArchiveIndexWriter>& index_;
};

// The tar stream on its way to the TarReader.
class StreamCounter final : public pipeline::Sink {
 public:
  explicit StreamCounter(pipeline::Sink& next) : next_(next) {}
  void write(Bytes data) override {
    size_bytes_ += data.size();
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  pipeline::Sink& next_;
  std::uint64_t size_bytes_ = 0;
};

// One archive: its bytes go into the file, compressed here or by the server, and its members into
// the index.
class TarFile {
 public:
  TarFile(content::ArchiveFile archive, const ArchiveCoding& coding, std::string manifest_prefix,
          const Arrivals& arrivals)
      : archive_(std::move(archive)),
        is_from_server_(coding.place == CompressionPlace::server),
        expected_end_(arrivals.archive_end),
        recorder_(index_),
        tap_(std::move(manifest_prefix), arrivals, recorder_),
        reader_(tap_, archive_.path.filename().string(), arrivals.archive_end),
        stream_(reader_),
        file_(archive_.path) {
    // The index would tell names of files.
    if (!archive_.is_encrypted) index_.emplace(archive_.index_path());
    if (archive_.is_encrypted) {
      encryptor_ = coding.cipher->make_encryptor(file_, archive_.path.string());
    }
    if (coding.place == CompressionPlace::client) {
      compressor_ = std::make_unique<compression::ParallelCompressor>(
          *coding.algorithm, coding.level, coding.worker_count, stored());
    } else if (is_from_server_) {
      decompressor_ = compression::make_decompressor(*coding.algorithm, stream_,
                                                     archive_.path.filename().string());
    }
  }

  void write(Bytes data) {
    output().write(data);
    input().write(data);
  }

  void finish() {
    const bool adds_end = expected_end_ == pipeline::TarEnd::optional && !is_from_server_;
    if (adds_end && !reader_.has_end_marker()) write(kEndMarker);
    input().finish();
    output().finish();
    if (!index_) return;
    const Fd file = open_file(archive_.path, O_RDONLY);
    index_->commit({.stamp = content::stamp_of(file, archive_.path),
                    .stream_size = stream_.size_bytes(),
                    .algorithm = archive_.algorithm},
                   compressor_ ? compressor_->frames() : std::vector<compression::FrameSize>());
  }

 private:
  pipeline::Sink& output() {
    if (compressor_) return *compressor_;
    return stored();
  }
  pipeline::Sink& stored() {
    if (encryptor_) return *encryptor_;
    return file_;
  }
  pipeline::Sink& input() {
    if (decompressor_) return *decompressor_;
    return stream_;
  }

  const content::ArchiveFile archive_;
  const bool is_from_server_;
  const pipeline::TarEnd expected_end_;
  std::optional<content::ArchiveIndexWriter> index_;
  MemberRecorder recorder_;
  ArrivalTap tap_;
  pipeline::TarReader reader_;
  StreamCounter stream_;
  pipeline::FileSink file_;
  std::unique_ptr<pipeline::Sink> encryptor_;
  std::unique_ptr<compression::ParallelCompressor> compressor_;
  std::unique_ptr<pipeline::Sink> decompressor_;
};

class TarTarget final : public ArchiveTarget {
 public:
  TarTarget(std::filesystem::path data_directory, const ArchiveCoding& coding,
            const Arrivals& arrivals)
      : data_directory_(std::move(data_directory)), coding_(coding), arrivals_(arrivals) {}

  void begin_archive(const replication::BackupArchive& archive) override {
    std::string name = content::archive_stem(archive.oid) + ".tar";
    name += content::archive_extension(coding_.algorithm);
    if (coding_.cipher) name += content::kEncryptedExtension;
    file_ = std::make_unique<TarFile>(
        content::ArchiveFile{data_directory_ / name, coding_.algorithm, coding_.cipher.has_value()},
        coding_, manifest_prefix(archive), arrivals_);
  }
  void write(Bytes data) override { file_->write(data); }
  void end_archive() override {
    file_->finish();
    file_.reset();
  }
  // Each archive is durable when it ends.
  void make_durable() override {}

 private:
  const std::filesystem::path data_directory_;
  const ArchiveCoding coding_;
  const Arrivals arrivals_;
  std::unique_ptr<TarFile> file_;
};

}  // namespace

std::unique_ptr<ArchiveTarget> make_tar_target(std::filesystem::path data_directory,
                                               const ArchiveCoding& coding,
                                               const Arrivals& arrivals) {
  return std::make_unique<TarTarget>(std::move(data_directory), coding, arrivals);
}

}  // namespace barman::backup
