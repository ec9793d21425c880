#include <unistd.h>

#include <utility>

#include "base/durable.h"
#include "base/error.h"
#include "pipeline/file_sink.h"
#include "pipeline/file_writers.h"
#include "pipeline/relative_path.h"
#include "pipeline/tree_writer.h"
#include "stored/archive_file.h"
#include "stored/backup_writer.h"
#include "stored/unpacked_stream.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivateDirectory = 0700;

class DirectorySink final : public TreeSink {
 public:
  DirectorySink(const fs::path& root, pipeline::FileWriters& writers,
                pipeline::TreeWriterOptions options)
      : tree_(root, writers, std::move(options)) {}

  void begin_member(const pipeline::TarMember& member) override { tree_.begin_member(member); }
  void write(Bytes data) override { tree_.write(data); }
  void end_member() override { tree_.end_member(); }
  void finish() override { tree_.finish(); }

 private:
  pipeline::TreeWriter tree_;
};

class PlainWriter final : public BackupWriter {
 public:
  PlainWriter(BackupDirectories directories, const WriterOptions& options)
      : directories_(std::move(directories)),
        options_(options),
        writers_(directories_.data_directory) {}

  TreeSink& begin_tree(const TreePlace& place) override {
    const fs::path root = root_of(place);
    if (place.oid != 0) make_directories(root, kPrivateDirectory);
    // What the links of the server say is not needed: see link_tablespaces().
    return tree_.emplace(root, writers_, pipeline::TreeWriterOptions{.map_link = [](const auto&) {
                           return std::nullopt;
                         }});
  }

  pipeline::Sink& begin_stream(const TreePlace& place, const MemberTap& tap) override {
    stream_.reset();
    TreeSink& tree = begin_tree(place);
    return stream_.emplace(tree, tap, options_, archive_stem(place.oid) + ".tar");
  }

  std::unique_ptr<pipeline::Sink> put_manifest() override {
    return std::make_unique<pipeline::FileSink>(manifest_in(directories_.data_directory));
  }

  void make_durable() override {
    link_tablespaces(directories_, options_.tablespaces);
    writers_.wait();
    sync_directory(directories_.data_directory.parent_path());
  }

 private:
  fs::path root_of(const TreePlace& place) const {
    if (place.oid == 0) return directories_.data_directory;
    if (place.in_place_location.empty()) return directories_.tablespace_directory(place.oid);
    return pipeline::path_below(directories_.data_directory, place.in_place_location, "the server");
  }

  const BackupDirectories directories_;
  const WriterOptions options_;
  pipeline::FileWriters writers_;
  std::optional<DirectorySink> tree_;
  std::optional<UnpackedStream> stream_;
};

class CopyWriter final : public BackupWriter {
 public:
  CopyWriter(fs::path root, CopiedLinks links)
      : root_(std::move(root)), links_(links), writers_(root_) {}

  TreeSink& begin_tree(const TreePlace&) override {
    pipeline::TreeWriterOptions options;
    options.keeps_times = true;
    if (links_ == CopiedLinks::make) {
      options.map_link = [](const pipeline::TarMember& member) {
        return std::optional(member.link_target);
      };
    }
    return tree_.emplace(root_, writers_, std::move(options));
  }
  pipeline::Sink& begin_stream(const TreePlace& place, const MemberTap& tap) override {
    stream_.reset();
    TreeSink& tree = begin_tree(place);
    return stream_.emplace(tree, tap, WriterOptions{}, root_.filename().string());
  }
  std::unique_ptr<pipeline::Sink> put_manifest() override {
    throw Error(ErrorKind::internal, "a copied backup has its manifest among its files");
  }
  void make_durable() override { writers_.wait(); }

 private:
  const fs::path root_;
  const CopiedLinks links_;
  pipeline::FileWriters writers_;
  std::optional<DirectorySink> tree_;
  std::optional<UnpackedStream> stream_;
};

}  // namespace

void link_tablespaces(const BackupDirectories& directories,
                      const std::vector<std::uint32_t>& tablespaces) {
  const fs::path links = directories.data_directory / "pg_tblspc";
  for (const std::uint32_t oid : tablespaces) {
    make_directories(links, kPrivateDirectory);
    const fs::path link = links / std::to_string(oid);
    const fs::path target = directories.tablespace_directory(oid);
    if (fs::is_symlink(fs::symlink_status(link))) {
      if (fs::read_symlink(link) == target) continue;
      fs::remove(link);  // of a catalogue that was moved
    }
    if (::symlink(target.c_str(), link.c_str()) != 0) {
      throw_errno("cannot create symbolic link \"" + link.string() + "\"");
    }
  }
  if (fs::is_directory(links)) sync_directory(links);
}

std::unique_ptr<BackupWriter> make_plain_writer(BackupDirectories directories,
                                                const WriterOptions& options) {
  return std::make_unique<PlainWriter>(std::move(directories), options);
}

std::unique_ptr<BackupWriter> make_copy_writer(fs::path root, CopiedLinks links) {
  return std::make_unique<CopyWriter>(std::move(root), links);
}

}  // namespace barman::stored
