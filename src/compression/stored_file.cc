#include "compression/stored_file.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::compression {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{1} << 20;

}  // namespace

void TextSink::write(Bytes data) {
  if (data.size() > limit_bytes_ - text_.size()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is too large: more than {}", name_,
                            human_size(static_cast<std::int64_t>(limit_bytes_))));
  }
  text_ += as_text(data);
}

void FdSink::write(Bytes data) {
  size_bytes_ += data.size();
  if (size_bytes_ > limit_bytes_) {
    throw Error(ErrorKind::corrupt, "the content of \"" + path_.string() + "\" is too large");
  }
  while (!data.empty()) {
    const ssize_t count = ::write(fd_, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE) {
      throw ReaderGone(ErrorKind::io, "cannot write \"" + path_.string() + "\": nobody reads it");
    }
    if (count < 0) throw_errno("cannot write \"" + path_.string() + "\"");
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void push_file(const Fd& source, const fs::path& source_path, pipeline::Sink& sink) {
  std::vector<std::byte> buffer(kReadSize);
  for (std::uint64_t offset = 0;;) {
    const std::size_t size = read_full_at(source, buffer, offset, source_path);
    if (size > 0) sink.write(Bytes(buffer).first(size));
    if (size < buffer.size()) break;
    offset += size;
  }
  sink.finish();
}

}  // namespace barman::compression
