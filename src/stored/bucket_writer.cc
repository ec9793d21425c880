#include "stored/bucket_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "pipeline/file_sink.h"
#include "pipeline/relative_path.h"
#include "postgres/backup_manifest.h"
#include "storage/object_text.h"
#include "stored/archive_file.h"
#include "stored/unpacked_stream.h"

namespace barman::stored {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;

// They end the last archive of the data directory, in this order: who finds them has found all.
constexpr std::array<std::string_view, 2> kLastMembers = {"global/pg_control", "backup_label"};
constexpr std::uint64_t kMaxLastMember = std::uint64_t{1} << 20;
constexpr std::size_t kCopyBuffer = std::size_t{1} << 20;
constexpr mode_t kFileMode = 0600;

// As Barman names members at the root of the data directory: "./PG_VERSION".
std::string name_in_data_archive(const std::string& path) {
  return path.find('/') == std::string::npos ? "./" + path : path;
}

struct LastMember {
  TarMember member;
  std::string content;
};

void put_text(pipeline::TarVisitor& archive, TarMember member, std::string_view content) {
  member.size_bytes = content.size();
  archive.begin_member(member);
  archive.write(as_bytes(content));
  archive.end_member();
}

// The members of one tree on their way into its archives.
class BucketSink final : public TreeSink {
 public:
  // `prefix` is that of a tablespace that lies in the data directory: "pg_tblspc/16384/".
  BucketSink(ArchiveSet& set, pipeline::TarVisitor& archive, std::string prefix,
             bool is_data_directory, bool ends_its_set, std::vector<LastMember>& last)
      : set_(set),
        archive_(archive),
        prefix_(std::move(prefix)),
        is_data_directory_(is_data_directory),
        ends_its_set_(ends_its_set),
        last_(last) {}

  void begin_member(const TarMember& member) override {
    target_ = target_of(member);
    if (target_ == Target::nowhere) return;
    TarMember renamed = member;
    renamed.path = prefix_ + member.path;
    if (target_ == Target::last) {
      last_.push_back({.member = std::move(renamed), .content = {}});
      return;
    }
    if (is_data_directory_) renamed.path = name_in_data_archive(renamed.path);
    archive_.begin_member(renamed);
  }
  void write(Bytes data) override {
    if (target_ == Target::archive) archive_.write(data);
    if (target_ == Target::last) last_.back().content += as_text(data);
  }
  void end_member() override {
    if (target_ == Target::archive) archive_.end_member();
  }
  void finish() override {
    if (ends_its_set_) set_.finish();
  }

 private:
  enum class Target { archive, last, nowhere };

  Target target_of(const TarMember& member) const {
    // Links to tablespaces are made for the places of the restore.
    if (member.type == TarMemberType::symlink) return Target::nowhere;
    const bool is_last =
        is_data_directory_ && prefix_.empty() && member.type == TarMemberType::regular &&
        member.size_bytes <= kMaxLastMember &&
        std::find(kLastMembers.begin(), kLastMembers.end(), member.path) != kLastMembers.end();
    return is_last ? Target::last : Target::archive;
  }

  ArchiveSet& set_;
  pipeline::TarVisitor& archive_;
  const std::string prefix_;
  const bool is_data_directory_;
  const bool ends_its_set_;
  std::vector<LastMember>& last_;
  Target target_ = Target::archive;
};

class BucketWriter final : public BackupWriter {
 public:
  BucketWriter(catalogue::CloudCatalogue bucket, catalogue::BackupId id,
               const WriterOptions& options, BucketWriterOptions bucket_options)
      : bucket_(std::move(bucket)),
        id_(std::move(id)),
        options_(options),
        bucket_options_(std::move(bucket_options)) {}

  TreeSink& begin_tree(const TreePlace& place) override {
    stream_.reset();
    // One in place is a part of the data directory, and goes into its archives.
    const bool is_data_directory = place.oid == 0 || !place.in_place_location.empty();
    const std::string prefix =
        place.in_place_location.empty() ? std::string() : place.in_place_location + "/";
    if (is_data_directory) {
      ArchiveSet& set = data_set();  // Makes the archive, too.
      return tree_.emplace(set, *data_archive_, prefix, true, false, last_);
    }
    sets_.push_back(make_set(place.oid));
    ArchiveSet& set = *sets_.back();
    return tree_.emplace(set, set.only_archive(), std::string(), false, true, last_);
  }

  pipeline::Sink& begin_stream(const TreePlace& place, const MemberTap& tap) override {
    TreeSink& tree = begin_tree(place);
    return stream_.emplace(tree, tap, options_, archive_stem(place.oid) + ".tar");
  }

  std::unique_ptr<pipeline::Sink> put_manifest() override {
    make_directories(bucket_options_.manifest_copy.parent_path());
    has_manifest_ = true;
    return std::make_unique<pipeline::FileSink>(bucket_options_.manifest_copy);
  }

  void make_durable() override {
    data_set();
    if (has_manifest_) add_manifest();
    for (const std::string_view name : kLastMembers) {
      for (const LastMember& last : last_) {
        if (last.member.path != name) continue;
        TarMember member = last.member;
        member.path = name_in_data_archive(member.path);
        put_text(*data_archive_, std::move(member), last.content);
      }
    }
    // Commit point of the archives; the metadata is still that of a backup that is being made.
    data_->finish();
  }

 private:
  std::unique_ptr<ArchiveSet> make_set(std::uint32_t oid) {
    return std::make_unique<ArchiveSet>(bucket_.storage(), bucket_.layout().backup_prefix(id_), oid,
                                        bucket_options_.form);
  }

  ArchiveSet& data_set() {
    if (!data_) {
      data_ = make_set(0);
      data_archive_ = &data_->only_archive();
      TarMember root;
      root.path = ".";
      root.type = TarMemberType::directory;
      root.mode = 0700;
      data_archive_->begin_member(root);
      data_archive_->end_member();
    }
    return *data_;
  }

  // As a file of the backup, and as an object that can be read without the archive.
  void add_manifest() {
    const std::filesystem::path& path = bucket_options_.manifest_copy;
    const Fd file = open_file(path, O_RDONLY);
    const auto status = find_status(path);
    TarMember member;
    member.path = name_in_data_archive(postgres::kBackupManifest);
    member.mode = kFileMode;
    member.size_bytes = status ? static_cast<std::uint64_t>(status->st_size) : 0;
    member.mtime = status ? status->st_mtim.tv_sec : 0;
    const auto object = bucket_.storage().create(
        bucket_.layout().backup_prefix(id_).append(catalogue::kManifestObject),
        storage::IfPresent::replace);
    std::vector<std::byte> buffer(kCopyBuffer);
    data_archive_->begin_member(member);
    for (;;) {
      const std::size_t size = read_full(file, buffer, path);
      data_archive_->write(Bytes(buffer).first(size));
      object->write(Bytes(buffer).first(size));
      if (size < buffer.size()) break;
    }
    data_archive_->end_member();
    object->finish();
  }

  const catalogue::CloudCatalogue bucket_;
  const catalogue::BackupId id_;
  const WriterOptions options_;
  const BucketWriterOptions bucket_options_;
  bool has_manifest_ = false;
  std::vector<LastMember> last_;
  std::vector<std::unique_ptr<ArchiveSet>> sets_;
  std::unique_ptr<ArchiveSet> data_;
  pipeline::TarVisitor* data_archive_ = nullptr;
  std::optional<BucketSink> tree_;
  std::optional<UnpackedStream> stream_;
};

}  // namespace

std::unique_ptr<BackupWriter> make_bucket_writer(catalogue::CloudCatalogue bucket,
                                                 catalogue::BackupId id,
                                                 const WriterOptions& options,
                                                 BucketWriterOptions bucket_options) {
  return std::make_unique<BucketWriter>(std::move(bucket), std::move(id), options,
                                        std::move(bucket_options));
}

bool fetch_manifest(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id,
                    const std::filesystem::path& copy) {
  const std::string key = bucket.layout().backup_prefix(id).append(catalogue::kManifestObject);
  if (!bucket.storage().find(key)) return false;
  make_directories(copy.parent_path());
  pipeline::FileSink file(copy);
  push_object(bucket.storage(), key, file);
  return true;
}

}  // namespace barman::stored
