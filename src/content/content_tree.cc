#include "content/content_tree.h"

#include <array>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::content {

void ContentTree::read_through(const ContentVisitor& visit) const {
  walk([&](const Entry& entry) { visit(entry, [this, path = entry.path] { return open(path); }); });
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

}  // namespace barman::content
