#include "storage/object_text.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"

namespace barman::storage {
namespace {

constexpr std::size_t kReadSize = std::size_t{4} << 20;

}  // namespace

std::optional<std::string> find_object_text(const Storage& storage, const std::string& key) {
  std::unique_ptr<pipeline::ContentFile> file;
  try {
    file = storage.open(key);
  } catch (const Error& error) {  // Absence is an answer here.
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
  if (file->size_bytes() > kMaxSmallFile) {
    throw Error(ErrorKind::corrupt, fmt::format("{} is too large", storage.describe(key)),
                "Look at it; it is no file of a backup.");
  }
  std::string text(file->size_bytes(), '\0');
  text.resize(file->read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

void put_object_text(Storage& storage, const std::string& key, std::string_view text) {
  const auto sink = storage.create(key, IfPresent::replace);
  sink->write(as_bytes(text));
  sink->finish();
}

void push_object(const Storage& storage, const std::string& key, pipeline::Sink& sink) {
  const auto file = storage.open(key);
  std::vector<std::byte> buffer(std::min<std::uint64_t>(kReadSize, file->size_bytes() + 1));
  std::uint64_t offset = 0;
  while (offset < file->size_bytes()) {
    const std::size_t size = file->read_at(offset, buffer);
    // What is not the whole object must not become visible as if it were.
    if (size == 0) {
      throw Error(ErrorKind::io,
                  fmt::format("{} has become shorter while it was read", storage.describe(key)),
                  "Try again.");
    }
    sink.write(Bytes(buffer).first(size));
    offset += size;
  }
  sink.finish();
}

}  // namespace barman::storage
