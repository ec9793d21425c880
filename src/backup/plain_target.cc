#include <unistd.h>

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "backup/archive_target.h"
#include "base/durable.h"
#include "base/error.h"
#include "compression/codec.h"
#include "content/archive_file.h"
#include "pipeline/file_writers.h"
#include "pipeline/relative_path.h"
#include "pipeline/tree_writer.h"

namespace barman::backup {
namespace {

constexpr mode_t kPrivateDirectory = 0700;

class PlainTarget final : public ArchiveTarget {
 public:
  PlainTarget(TargetDirectories directories, const ArchiveCoding& coding, const Arrivals& arrivals)
      : directories_(std::move(directories)),
        coding_(coding),
        arrivals_(arrivals),
        writers_(directories_.data_directory) {}

  void begin_archive(const replication::BackupArchive& archive) override {
    is_base_ = archive.is_base();
    std::filesystem::path root = directories_.data_directory;
    if (!is_base_) {
      root = archive.is_in_place()
                 ? pipeline::path_below(directories_.data_directory, archive.location, "the server")
                 : directories_.tablespace_directory(archive.oid);
      make_directories(root, kPrivateDirectory);
    }
    const std::string name = content::archive_stem(archive.oid) + ".tar";
    // What the links of the server say is not needed: see link_tablespaces().
    writer_.emplace(root, writers_, pipeline::TreeWriterOptions{.map_link = [](const auto&) {
                      return std::nullopt;
                    }});
    tap_.emplace(manifest_prefix(archive), arrivals_, *writer_);
    reader_.emplace(*tap_, name, arrivals_.archive_end);
    if (coding_.algorithm) {
      decompressor_ = compression::make_decompressor(*coding_.algorithm, *reader_, name);
    }
  }

  void write(Bytes data) override { input().write(data); }

  void end_archive() override {
    input().finish();
    if (is_base_) link_tablespaces();
    writer_->finish();
    decompressor_.reset();
  }

  void make_durable() override { writers_.wait(); }

 private:
  pipeline::Sink& input() {
    if (decompressor_) return *decompressor_;
    return *reader_;
  }

  // pg_tblspc/<oid> leads to the backup's own copy of the tablespace: of those that were announced.
  // One that was made since then is made again by recovery.
  void link_tablespaces() {
    const std::filesystem::path links = directories_.data_directory / "pg_tblspc";
    for (const replication::BackupArchive& archive : arrivals_.archives) {
      if (archive.is_base() || archive.is_in_place()) continue;
      make_directories(links, kPrivateDirectory);
      const std::filesystem::path link = links / std::to_string(archive.oid);
      if (::symlink(directories_.tablespace_directory(archive.oid).c_str(), link.c_str()) != 0)
        throw_errno("cannot create symbolic link \"" + link.string() + "\"");
    }
    if (std::filesystem::is_directory(links)) sync_directory(links);
  }

  const TargetDirectories directories_;
  const ArchiveCoding coding_;
  const Arrivals arrivals_;
  bool is_base_ = false;
  pipeline::FileWriters writers_;
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
