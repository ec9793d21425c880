#include "stored/content_tree.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::stored {

namespace {

class TextFile final : public ContentFile {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    if (offset >= text_.size()) return 0;
    const Bytes rest = as_bytes(text_).subspan(static_cast<std::size_t>(offset));
    const std::size_t size = std::min(rest.size(), buffer.size());
    std::copy_n(rest.begin(), size, buffer.begin());
    return size;
  }
  std::uint64_t size_bytes() const override { return text_.size(); }

 private:
  const std::string text_;
};

}  // namespace

void ContentTree::read_through(const ContentVisitor& visit) const {
  walk([&](const Entry& entry) { visit(entry, [this, path = entry.path] { return open(path); }); });
}

std::unique_ptr<ContentFile> make_text_file(std::string text) {
  return std::make_unique<TextFile>(std::move(text));
}

std::string read_content(const ContentTree& tree, const std::string& path,
                         std::size_t max_size_bytes) {
  const std::unique_ptr<ContentFile> file = tree.open(path);
  std::array<std::byte, 16384> buffer;
  std::string content;
  for (;;) {
    const std::size_t size = file->read_at(content.size(), buffer);
    content += as_text(Bytes(buffer).first(size));
    if (content.size() > max_size_bytes) {
      throw Error(ErrorKind::corrupt, fmt::format("\"{}\" is larger than {} bytes",
                                                  tree.describe(path), max_size_bytes));
    }
    if (size < buffer.size()) return content;
  }
}

}  // namespace barman::stored
