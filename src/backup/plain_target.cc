#include <memory>
#include <utility>

#include <fmt/format.h>

#include "backup/archive_target.h"
#include "base/durable.h"
#include "base/error.h"
#include "compression/codec.h"
#include "content/archive_file.h"
#include "pipeline/file_syncer.h"
#include "pipeline/relative_path.h"
#include "pipeline/tree_writer.h"

namespace barman::backup {
namespace {

constexpr mode_t kPrivateDirectory = 0700;

class PlainTarget final : public ArchiveTarget {
 public:
  PlainTarget(TargetDirectories directories, const ArchiveCoding& coding, const Arrivals& arrivals)
      : directories_(std::move(directories)), coding_(coding), arrivals_(arrivals) {}

  void begin_archive(const replication::BackupArchive& archive) override {
    pipeline::TreeWriterOptions options;
    std::filesystem::path root = directories_.data_directory;
    if (archive.is_base()) {
      options.map_link = [this](const pipeline::TarMember& member) {
        return relocated_link(member);
      };
    } else {
      root = archive.is_in_place()
                 ? pipeline::path_below(directories_.data_directory, archive.location, "the server")
                 : directories_.tablespace_directory(archive.oid);
      make_directories(root, kPrivateDirectory);
    }
    const std::string name = content::archive_stem(archive.oid) + ".tar";
    writer_.emplace(root, syncer_, std::move(options));
    tap_.emplace(manifest_prefix(archive), arrivals_, *writer_);
    reader_.emplace(*tap_, name);
    if (coding_.algorithm) {
      decompressor_ = compression::make_decompressor(*coding_.algorithm, *reader_, name);
    }
  }

  void write(Bytes data) override { input().write(data); }

  void end_archive() override {
    input().finish();
    writer_->finish();
    decompressor_.reset();
  }

  void make_durable() override { syncer_.wait(); }

 private:
  pipeline::Sink& input() {
    if (decompressor_) return *decompressor_;
    return *reader_;
  }

  // pg_tblspc/<oid> leads to the backup's own copy of the tablespace.
  std::string relocated_link(const pipeline::TarMember& member) const {
    const auto oid = pipeline::tablespace_oid_of(member.path);
    if (!oid) {
      throw Error(ErrorKind::corrupt,
                  "unexpected symbolic link \"" + member.path + "\" in the base backup",
                  "PostgreSQL sends links to tablespaces only: find out who has answered.");
    }
    return directories_.tablespace_directory(*oid).string();
  }

  const TargetDirectories directories_;
  const ArchiveCoding coding_;
  const Arrivals arrivals_;
  pipeline::FileSyncer syncer_;
  std::optional<pipeline::TreeWriter> writer_;
  std::optional<ArrivalTap> tap_;
  std::optional<pipeline::TarReader> reader_;
  std::unique_ptr<pipeline::Sink> decompressor_;
};

}  // namespace

std::unique_ptr<ArchiveTarget> make_plain_target(TargetDirectories directories,
                                                 const ArchiveCoding& coding,
                                                 const Arrivals& arrivals) {
  return std::make_unique<PlainTarget>(std::move(directories), coding, arrivals);
}

}  // namespace barman::backup
