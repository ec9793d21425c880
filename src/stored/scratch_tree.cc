#include "stored/scratch_tree.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"

namespace barman::stored {
namespace {

constexpr std::size_t kPieceSize = std::size_t{256} << 10;
static_assert(kPieceSize % encryption::ScratchFile::kAlignment == 0);

std::uint64_t aligned(std::uint64_t offset) {
  constexpr std::uint64_t kAlignment = encryption::ScratchFile::kAlignment;
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

class ScratchTree::File final : public ContentFile {
 public:
  File(std::shared_ptr<const encryption::ScratchFile> scratch, const Place& place)
      : scratch_(std::move(scratch)), place_(place) {}

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    if (offset >= place_.size_bytes) return 0;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(place_.size_bytes - offset, buffer.size()));
    return scratch_->read_at(place_.offset + offset, buffer.first(size));
  }
  std::uint64_t size_bytes() const override { return place_.size_bytes; }

 private:
  const std::shared_ptr<const encryption::ScratchFile> scratch_;
  const Place place_;
};

ScratchTree::ScratchTree(std::shared_ptr<const ContentTree> source,
                         const std::filesystem::path& directory, const Interrupt& interrupt)
    : source_(std::move(source)), scratch_(std::make_shared<encryption::ScratchFile>(directory)) {
  std::uint64_t end = 0;
  WorkerPool worker(1);  // files are read in another thread than the one that visits them
  source_->read_through([&](const Entry& entry, const ContentOpener& open) {
    interrupt.throw_if_requested();
    if (worker.has_failed()) worker.wait();
    entries_.push_back(entry);
    if (entry.is_directory) return;
    const Place place{end, entry.size_bytes};
    end = aligned(end + entry.size_bytes);
    files_.insert_or_assign(entry.path, place);
    worker.submit([this, open, path = entry.path, place] { copy(open, path, place); });
  });
  worker.wait();
}

void ScratchTree::copy(const ContentOpener& open, const std::string& path, const Place& place) {
  const std::unique_ptr<ContentFile> file = open();
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(kPieceSize, place.size_bytes)));
  for (std::uint64_t offset = 0; offset < place.size_bytes;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(place.size_bytes - offset, buffer.size()));
    const std::size_t size = file->read_at(offset, MutableBytes(buffer).first(wanted));
    if (size < wanted) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}\" has {} bytes instead of {}", describe(path), offset + size,
                              place.size_bytes),
                  "Choose another backup, or put an intact copy of the file in its place.");
    }
    scratch_->write_at(place.offset + offset, Bytes(buffer).first(size));
    offset += size;
  }
}

void ScratchTree::walk(const EntryVisitor& visit) const {
  for (const Entry& entry : entries_) visit(entry);
}

bool ScratchTree::has_file(const std::string& path) const { return files_.contains(path); }

std::unique_ptr<ContentFile> ScratchTree::open(const std::string& path) const {
  const auto found = files_.find(path);
  if (found == files_.end()) {
    throw Error(ErrorKind::not_found, fmt::format("\"{}\" does not exist", describe(path)));
  }
  return std::make_unique<File>(scratch_, found->second);
}

std::string ScratchTree::describe(const std::string& path) const { return source_->describe(path); }

}  // namespace barman::stored
