#include <fcntl.h>

#include <array>
#include <utility>

#include "base/durable.h"
#include "compression/codec.h"
#include "compression/parallel_compressor.h"
#include "pipeline/file_sink.h"
#include "pipeline/large_file_sink.h"
#include "pipeline/tar_writer.h"
#include "stored/archive_file.h"
#include "stored/archive_index.h"
#include "stored/backup_writer.h"

namespace barman::stored {
namespace {

// What ends an archive, and PostgreSQL sends since version 15 only.
constexpr std::array<std::byte, 2 * pipeline::TarReader::kBlockSize> kEndMarker{};

// Members go into the index only.
class MemberRecorder final : public pipeline::TarVisitor {
 public:
  explicit MemberRecorder(std::optional<ArchiveIndexWriter>& index) : index_(index) {}
  void begin_member(const pipeline::TarMember& member) override {
    if (index_) index_->add(member);
  }
  void write(Bytes) override {}
  void end_member() override {}

 private:
  std::optional<ArchiveIndexWriter>& index_;
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

// What is compressed or encrypted is smaller, and its writing must not cost the processors
// anything: measured, a detour around the page cache made backups with lz4 slower
// (docs/performance.md).
std::unique_ptr<pipeline::Sink> make_file(const ArchiveFile& archive) {
  if (archive.algorithm || archive.is_encrypted) {
    return std::make_unique<pipeline::FileSink>(archive.path);
  }
  return std::make_unique<pipeline::LargeFileSink>(archive.path);
}

// One archive: its bytes go into the file, compressed here or by the server, and its members into
// the index. Durable with finish().
class WrittenArchive final : public pipeline::Sink {
 public:
  WrittenArchive(ArchiveFile archive, const WriterOptions& options,
                 const BackupWriter::MemberTap& tap)
      : archive_(std::move(archive)),
        is_from_server_(options.coding.place == CompressionPlace::server),
        expected_end_(options.stream_end),
        recorder_(index_),
        tap_(tap ? tap(recorder_) : nullptr),
        reader_(tap_ ? *tap_ : static_cast<pipeline::TarVisitor&>(recorder_),
                archive_.path.filename().string(), options.stream_end),
        stream_(reader_),
        file_(make_file(archive_)) {
    const ArchiveCoding& coding = options.coding;
    // The index would tell names of files.
    if (!archive_.is_encrypted) index_.emplace(archive_.index_path());
    if (archive_.is_encrypted) {
      encryptor_ = coding.cipher->make_encryptor(*file_, archive_.path.string());
    }
    if (coding.place == CompressionPlace::client) {
      compressor_.emplace(*coding.algorithm, coding.level, coding.worker_count, stored());
    } else if (is_from_server_) {
      decompressor_ = compression::make_decompressor(*coding.algorithm, stream_,
                                                     archive_.path.filename().string());
    }
  }

  void write(Bytes data) override {
    output().write(data);
    input().write(data);
  }

  void finish() override {
    const bool adds_end = expected_end_ == pipeline::TarEnd::optional && !is_from_server_;
    if (adds_end && !reader_.has_end_marker()) write(kEndMarker);
    input().finish();
    output().finish();
    if (!index_) return;
    const Fd file = open_file(archive_.path, O_RDONLY);
    index_->commit({.stamp = stamp_of(file, archive_.path),
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
    return *file_;
  }
  pipeline::Sink& input() {
    if (decompressor_) return *decompressor_;
    return stream_;
  }

  const ArchiveFile archive_;
  const bool is_from_server_;
  const pipeline::TarEnd expected_end_;
  std::optional<ArchiveIndexWriter> index_;
  MemberRecorder recorder_;
  const std::unique_ptr<pipeline::TarVisitor> tap_;
  pipeline::TarReader reader_;
  StreamCounter stream_;
  const std::unique_ptr<pipeline::Sink> file_;
  std::unique_ptr<pipeline::Sink> encryptor_;
  std::optional<compression::ParallelCompressor> compressor_;
  std::unique_ptr<pipeline::Sink> decompressor_;
};

// Members that become a tar stream here.
class ArchivedTree final : public TreeSink {
 public:
  explicit ArchivedTree(pipeline::Sink& archive) : tar_(archive) {}
  void begin_member(const pipeline::TarMember& member) override { tar_.begin_member(member); }
  void write(Bytes data) override { tar_.write(data); }
  void end_member() override { tar_.end_member(); }
  void finish() override { tar_.finish(); }

 private:
  pipeline::TarWriter tar_;
};

class ArchiveWriter final : public BackupWriter {
 public:
  ArchiveWriter(BackupDirectories directories, const WriterOptions& options)
      : directories_(std::move(directories)), options_(options) {}

  TreeSink& begin_tree(const TreePlace& place) override {
    tree_.reset();
    return tree_.emplace(begin_stream(place, {}));
  }
  pipeline::Sink& begin_stream(const TreePlace& place, const MemberTap& tap) override {
    std::string name = archive_stem(place.oid) + ".tar";
    name += archive_extension(options_.coding.algorithm);
    if (options_.coding.cipher) name += kEncryptedExtension;
    return archive_.emplace(
        ArchiveFile{directories_.data_directory / name, options_.coding.algorithm,
                    options_.coding.cipher.has_value()},
        options_, tap);
  }
  std::unique_ptr<pipeline::Sink> put_manifest() override {
    return std::make_unique<pipeline::FileSink>(manifest_in(directories_.data_directory));
  }
  // Each archive is durable when it ends, in its directory.
  void make_durable() override { sync_directory(directories_.data_directory.parent_path()); }

 private:
  const BackupDirectories directories_;
  const WriterOptions options_;
  std::optional<WrittenArchive> archive_;
  std::optional<ArchivedTree> tree_;
};

}  // namespace

std::unique_ptr<BackupWriter> make_archive_writer(BackupDirectories directories,
                                                  const WriterOptions& options) {
  return std::make_unique<ArchiveWriter>(std::move(directories), options);
}

}  // namespace barman::stored
