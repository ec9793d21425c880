#include "stored/member_feeder.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "stored/archive_tree.h"

namespace barman::stored {
namespace {

using MemberBlock = std::vector<std::byte>;

constexpr std::size_t kMemberBlockSize = std::size_t{1} << 20;
constexpr std::size_t kMemberBlocks = 4;

}  // namespace

// The content of one file on its way from the archive's thread to its reader. Without a reader the
// content is dropped.
class MemberPipe {
 public:
  bool push(MemberBlock block) { return blocks_.push(std::move(block)); }
  std::optional<MemberBlock> pop() { return blocks_.pop(); }
  // Either end; what was pushed can still be read.
  void close() { blocks_.close(); }
  // The archive could not be read to the end of this file.
  void fail() {
    has_failed_ = true;
    close();
  }
  bool has_failed() const { return has_failed_; }

 private:
  BoundedQueue<MemberBlock> blocks_{kMemberBlocks};
  std::atomic<bool> has_failed_ = false;
};

namespace {

// Goes away with the opener and the file, so that nobody pushes for a reader that is gone.
class ReadEnd {
 public:
  explicit ReadEnd(std::shared_ptr<MemberPipe> pipe) : pipe_(std::move(pipe)) {}
  ReadEnd(const ReadEnd&) = delete;
  ReadEnd& operator=(const ReadEnd&) = delete;
  ~ReadEnd() { pipe_->close(); }
  MemberPipe& pipe() { return *pipe_; }

 private:
  const std::shared_ptr<MemberPipe> pipe_;
};

class PipedFile final : public ContentFile {
 public:
  PipedFile(std::shared_ptr<ReadEnd> end, std::string name, std::uint64_t size_bytes)
      : end_(std::move(end)), name_(std::move(name)), size_bytes_(size_bytes) {}

  std::uint64_t size_bytes() const override { return size_bytes_; }

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    if (offset != offset_)
      throw Error(ErrorKind::internal, "\"" + name_ + "\" is read in order only");
    std::size_t size = 0;
    while (size < buffer.size() && has_block()) {
      const std::size_t piece = std::min(buffer.size() - size, block_->size() - block_begin_);
      std::memcpy(buffer.data() + size, block_->data() + block_begin_, piece);
      block_begin_ += piece;
      size += piece;
    }
    offset_ += size;
    return size;
  }

 private:
  bool has_block() {
    if (block_ && block_begin_ < block_->size()) return true;
    block_ = end_->pipe().pop();
    block_begin_ = 0;
    if (!block_ && end_->pipe().has_failed()) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("\"{}\" cannot be read: its archive ends early or is damaged", name_));
    }
    return block_.has_value();
  }

  const std::shared_ptr<ReadEnd> end_;
  const std::string name_;
  const std::uint64_t size_bytes_;
  std::optional<MemberBlock> block_;
  std::size_t block_begin_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace

MemberFeeder::MemberFeeder(std::string archive_name, const ContentVisitor& visit)
    : archive_name_(std::move(archive_name)), visit_(visit) {}

MemberFeeder::~MemberFeeder() {
  if (pipe_) pipe_->fail();
}

void MemberFeeder::begin_member(const pipeline::TarMember& member) {
  block_.clear();
  left_ = member.size_bytes;
  ContentOpener open;
  if (member.type == pipeline::TarMemberType::regular) {
    pipe_ = std::make_shared<MemberPipe>();
    open = [end = std::make_shared<ReadEnd>(pipe_), name = archive_name_ + ":" + member.path,
            size = member.size_bytes] { return std::make_unique<PipedFile>(end, name, size); };
  }
  visit_as_entry(
      member, [&](const Entry& entry) { visit_(entry, open); }, archive_name_);
}

void MemberFeeder::write(Bytes data) {
  while (!data.empty()) {
    if (block_.empty()) {
      block_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(left_, kMemberBlockSize)));
    }
    const Bytes piece = data.first(std::min(data.size(), kMemberBlockSize - block_.size()));
    block_.insert(block_.end(), piece.begin(), piece.end());
    data = data.subspan(piece.size());
    left_ -= piece.size();
    if (block_.size() == kMemberBlockSize) pipe_->push(std::exchange(block_, {}));
  }
}

void MemberFeeder::end_member() {
  if (!pipe_) return;
  if (!block_.empty()) pipe_->push(std::exchange(block_, {}));
  pipe_->close();
  pipe_.reset();
}

}  // namespace barman::stored
