#include "stored/sequential_tree.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "stored/archive_tree.h"

namespace barman::stored {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;
using Block = std::vector<std::byte>;

constexpr std::size_t kMemberBlockSize = std::size_t{1} << 20;
constexpr std::size_t kMemberBlocks = 4;

// The content of one file on its way from the archive's thread to its reader. Without a reader the
// content is dropped.
class Pipe {
 public:
  bool push(Block block) { return blocks_.push(std::move(block)); }
  std::optional<Block> pop() { return blocks_.pop(); }
  // Either end; what was pushed can still be read.
  void close() { blocks_.close(); }
  // The archive could not be read to the end of this file.
  void fail() {
    has_failed_ = true;
    close();
  }
  bool has_failed() const { return has_failed_; }

 private:
  BoundedQueue<Block> blocks_{kMemberBlocks};
  std::atomic<bool> has_failed_ = false;
};

// Goes away with the opener and the file, so that nobody pushes for a reader that is gone.
class ReadEnd {
 public:
  explicit ReadEnd(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ReadEnd(const ReadEnd&) = delete;
  ReadEnd& operator=(const ReadEnd&) = delete;
  ~ReadEnd() { pipe_->close(); }
  Pipe& pipe() { return *pipe_; }

 private:
  const std::shared_ptr<Pipe> pipe_;
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
  std::optional<Block> block_;
  std::size_t block_begin_ = 0;
  std::uint64_t offset_ = 0;
};

class Feeder final : public pipeline::TarVisitor {
 public:
  Feeder(const SequentialTree& tree, const ArchiveFile& archive, const ContentVisitor& visit)
      : tree_(tree), archive_(archive), visit_(visit) {}
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;
  ~Feeder() override {
    if (pipe_) pipe_->fail();
  }

  void begin_member(const TarMember& member) override {
    block_.clear();
    left_ = member.size_bytes;
    ContentOpener open;
    if (member.type == TarMemberType::regular) {
      pipe_ = std::make_shared<Pipe>();
      open = [end = std::make_shared<ReadEnd>(pipe_), name = tree_.describe(member.path),
              size = member.size_bytes] { return std::make_unique<PipedFile>(end, name, size); };
    }
    visit_as_entry(
        member, [&](const Entry& entry) { visit_(entry, open); }, archive_.path.string());
  }

  void write(Bytes data) override {
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

  void end_member() override {
    if (!pipe_) return;
    if (!block_.empty()) pipe_->push(std::exchange(block_, {}));
    pipe_->close();
    pipe_.reset();
  }

 private:
  const SequentialTree& tree_;
  const ArchiveFile& archive_;
  const ContentVisitor& visit_;
  std::shared_ptr<Pipe> pipe_;
  Block block_;
  std::uint64_t left_ = 0;
};

}  // namespace

void SequentialTree::read_through(const ContentVisitor& visit) const {
  visit(archive_root(archive_), {});
  Feeder feeder(*this, archive_, visit);
  read_archive_sequentially(archive_, feeder, {.interrupt = interrupt_, .cipher = cipher_});
}

void SequentialTree::walk(const EntryVisitor& visit) const {
  read_through([&](const Entry& entry, const ContentOpener&) { visit(entry); });
}

bool SequentialTree::has_file(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::unique_ptr<ContentFile> SequentialTree::open(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::string SequentialTree::describe(const std::string& path) const {
  return archive_.path.string() + ":" + path;
}

}  // namespace barman::stored
