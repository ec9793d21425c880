#include "accident/picked_tree.h"

#include <mutex>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"

namespace barman::accident {
namespace {

constexpr std::uint64_t kLargestPicked = std::uint64_t{64} << 20;
constexpr std::size_t kPickBuffer = std::size_t{256} << 10;

// Of which only the size is known.
class UnreadFile final : public stored::ContentFile {
 public:
  explicit UnreadFile(std::uint64_t size_bytes) : size_bytes_(size_bytes) {}
  std::size_t read_at(std::uint64_t, MutableBytes) override { return 0; }
  std::uint64_t size_bytes() const override { return size_bytes_; }

 private:
  const std::uint64_t size_bytes_;
};

std::string read_picked(stored::ContentFile& file, const Interrupt& interrupt) {
  std::vector<std::byte> buffer(kPickBuffer);
  std::string content;
  for (;;) {
    interrupt.throw_if_requested();
    const std::size_t size = file.read_at(content.size(), buffer);
    content += as_text(Bytes(buffer).first(size));
    if (size < buffer.size()) return content;
  }
}

}  // namespace

PickedTree::PickedTree(const stored::ContentTree& tree, const Chooser& is_held,
                       const Chooser& is_listed, Progress& progress, const Interrupt& interrupt) {
  std::mutex mutex;
  WorkerPool reader(1);
  tree.read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
    interrupt.throw_if_requested();
    progress.advance(entry.size_bytes);
    if (entry.is_directory) return;
    if (is_listed(entry.path)) sizes_[entry.path] = entry.size_bytes;
    if (entry.size_bytes > kLargestPicked || !is_held(entry.path)) return;
    reader.submit([&, path = entry.path, open] {
      std::string content = read_picked(*open(), interrupt);
      const std::lock_guard lock(mutex);
      contents_[path] = std::move(content);
    });
  });
  reader.wait();
}

bool PickedTree::has_file(const std::string& path) const {
  return contents_.contains(path) || sizes_.contains(path);
}

std::unique_ptr<stored::ContentFile> PickedTree::open(const std::string& path) const {
  if (const auto found = contents_.find(path); found != contents_.end())
    return stored::make_text_file(found->second);
  const auto found = sizes_.find(path);
  if (found == sizes_.end())
    throw Error(ErrorKind::not_found, fmt::format("\"{}\" was not read", path));
  return std::make_unique<UnreadFile>(found->second);
}

}  // namespace barman::accident
