#include "stored/archive_set.h"

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "compression/codec.h"
#include "compression/parallel_compressor.h"
#include "pipeline/relative_path.h"
#include "pipeline/tar_writer.h"
#include "stored/archive_index.h"

namespace barman::stored {
namespace {

// Hands on what goes into the object, and counts it.
class ObjectTap final : public pipeline::Sink {
 public:
  explicit ObjectTap(pipeline::Sink& next) : next_(next) {}
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

// Members go into the index only, with the checksums of their content.
class IndexedMembers final : public pipeline::TarVisitor {
 public:
  explicit IndexedMembers(ArchiveIndexWriter& index) : index_(index) {}
  void begin_member(const pipeline::TarMember& member) override {
    using enum pipeline::TarMemberType;
    is_indexed_ = (member.type == regular || member.type == directory || member.type == symlink) &&
                  pipeline::is_safe_relative_path(member.path);
    member_ = member;
    crc_ = kCrc32cInitial;
  }
  void write(Bytes data) override { crc_ = crc32c_extend(crc_, data); }
  void end_member() override {
    if (is_indexed_) index_.add(member_, crc32c_finish(crc_));
  }

 private:
  ArchiveIndexWriter& index_;
  bool is_indexed_ = false;
  pipeline::TarMember member_;
  std::uint32_t crc_ = kCrc32cInitial;
};

// The index of one archive, as the archive is written.
class ObjectIndex {
 public:
  ObjectIndex(storage::Storage& storage, const std::string& key, const std::string& archive_name)
      : object_(storage.create(key, storage::IfPresent::replace)),
        writer_(*object_),
        members_(writer_),
        reader_(members_, archive_name, pipeline::TarEnd::required, pipeline::TarTypes::all) {}

  void write(Bytes data) {
    stream_size_ += data.size();
    reader_.write(data);
  }
  void finish(ArchiveFacts facts, const std::vector<compression::FrameSize>& frames) {
    reader_.finish();
    facts.stream_size = stream_size_;
    writer_.commit(facts, frames);
    object_->finish();
  }

 private:
  const std::unique_ptr<pipeline::Sink> object_;
  ArchiveIndexWriter writer_;
  IndexedMembers members_;
  pipeline::TarReader reader_;
  std::uint64_t stream_size_ = 0;
};

// The tar stream on its way into the object, and into the index.
class IndexedStream final : public pipeline::Sink {
 public:
  IndexedStream(pipeline::Sink& next, std::optional<ObjectIndex>& index)
      : next_(next), index_(index) {}
  void write(Bytes data) override {
    next_.write(data);
    if (index_) index_->write(data);
  }
  void finish() override { next_.finish(); }

 private:
  pipeline::Sink& next_;
  std::optional<ObjectIndex>& index_;
};

bool can_have_index(const ArchiveForm& form) {
  return form.has_index && !form.cipher &&
         (!form.compression || compression::has_pieces(*form.compression));
}

}  // namespace

class ArchiveSet::Lane final : public pipeline::TarVisitor {
 public:
  explicit Lane(ArchiveSet& set) : set_(set) {}

  void begin_member(const pipeline::TarMember& member) override {
    if (archive_ && archive_->tap.size_bytes() > set_.form_.max_archive_bytes) finish();
    open();
    archive_->tar.begin_member(member);
    has_content_ = member.type == pipeline::TarMemberType::regular;
  }
  void write(Bytes data) override { archive_->tar.write(data); }
  void end_member() override {
    if (has_content_) archive_->tar.end_member();
  }
  void open() {
    if (!archive_) archive_ = std::make_unique<Archive>(set_);
  }
  void finish() {
    if (!archive_) return;
    archive_->finish();
    archive_.reset();
  }
  // nullopt when none is open.
  std::optional<std::uint32_t> number() const {
    return archive_ ? std::optional(archive_->number) : std::nullopt;
  }

 private:
  // Built back to front.
  struct Archive {
    explicit Archive(ArchiveSet& set)
        : form(set.form_),
          number(set.next_number_++),
          name({.tablespace_oid = set.tablespace_oid_,
                .number = number,
                .compression = form.compression,
                .is_encrypted = form.cipher.has_value()}),
          object(set.storage_.create(set.backup_prefix_ + catalogue::format_archive_name(name),
                                     storage::IfPresent::replace)),
          tap(*object),
          stream(compressed_stream(), index),
          tar(stream) {
      if (!can_have_index(form)) return;
      index.emplace(set.storage_, set.backup_prefix_ + catalogue::format_index_name(name),
                    catalogue::format_archive_name(name));
    }

    pipeline::Sink& stored_stream() {
      if (!form.cipher) return tap;
      encryptor = form.cipher->make_encryptor(tap, catalogue::format_archive_name(name));
      return *encryptor;
    }
    pipeline::Sink& compressed_stream() {
      pipeline::Sink& target = stored_stream();
      if (!form.compression) return target;
      if (can_have_index(form) || compression::is_always_in_pieces(*form.compression)) {
        return pieces.emplace(*form.compression, form.compression_level, form.compression_threads,
                              target, compression::Joining::one_stream);
      }
      compressor = compression::make_archive_compressor(*form.compression, form.compression_level,
                                                        form.compression_threads, target);
      return *compressor;
    }

    void finish() {
      tar.finish();
      if (!index) return;
      // Nobody says when the store will have written the archive: its time is left out.
      ArchiveFacts facts{.stamp = {.size_bytes = tap.size_bytes()},
                         .algorithm = form.compression,
                         .joining = compression::Joining::one_stream,
                         .has_file_checksums = true};
      if (pieces) facts.first_frame_offset = pieces->first_frame_offset();
      index->finish(facts, pieces ? pieces->frames() : std::vector<compression::FrameSize>());
    }

    const ArchiveForm form;
    const std::uint32_t number;
    const catalogue::BucketArchiveName name;
    const std::unique_ptr<pipeline::Sink> object;
    ObjectTap tap;
    std::optional<ObjectIndex> index;
    std::unique_ptr<pipeline::Sink> encryptor;
    std::optional<compression::ParallelCompressor> pieces;
    std::unique_ptr<pipeline::Sink> compressor;
    IndexedStream stream;
    pipeline::TarWriter tar;
  };

  ArchiveSet& set_;
  std::unique_ptr<Archive> archive_;
  bool has_content_ = false;
};

ArchiveSet::ArchiveSet(storage::Storage& storage, std::string backup_prefix,
                       std::uint32_t tablespace_oid, ArchiveForm form, std::size_t lane_count)
    : storage_(storage),
      backup_prefix_(std::move(backup_prefix)),
      tablespace_oid_(tablespace_oid),
      form_(form) {
  for (std::size_t i = 0; i < std::max<std::size_t>(lane_count, 1); ++i) {
    lanes_.push_back(std::make_unique<Lane>(*this));
    free_.insert(free_.begin(), lanes_.back().get());
  }
}

ArchiveSet::~ArchiveSet() = default;

ArchiveSet::Lane& ArchiveSet::take_lane() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    throw Error(ErrorKind::internal, "more threads write archives than there are lanes");
  }
  Lane& lane = *free_.back();
  free_.pop_back();
  return lane;
}

void ArchiveSet::give_back(Lane& lane) {
  const std::lock_guard lock(mutex_);
  free_.push_back(&lane);
}

void ArchiveSet::with_archive(const std::function<void(pipeline::TarVisitor& archive)>& write) {
  Lane& lane = take_lane();
  // A lane with half a member is of no use to anybody, and its archive is given up.
  write(lane);
  give_back(lane);
}

pipeline::TarVisitor& ArchiveSet::only_archive() { return take_lane(); }

ArchiveSet::Lane& ArchiveSet::last_lane() {
  const auto found =
      std::max_element(lanes_.begin(), lanes_.end(),
                       [](const auto& a, const auto& b) { return a->number() < b->number(); });
  return **found;
}

void ArchiveSet::close_all_but_last() {
  Lane& last = last_lane();
  for (const auto& lane : lanes_) {
    if (lane.get() != &last) lane->finish();
  }
  const std::lock_guard lock(mutex_);
  free_ = {&last};
}

void ArchiveSet::finish() {
  close_all_but_last();
  if (next_number_ == 0) last_lane().open();
  last_lane().finish();
}

}  // namespace barman::stored
