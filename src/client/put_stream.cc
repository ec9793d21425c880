#include "client/put_stream.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "compression/codec.h"
#include "compression/stored_file.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPutReadSize = std::size_t{256} << 10;
constexpr mode_t kMode = 0600;

struct stat status_of(const Fd& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  return status;
}

// Passes on what it has seen.
class DigestingSink final : public pipeline::Sink {
 public:
  explicit DigestingSink(pipeline::Sink& next) : next_(next), digest_(DigestAlgorithm::sha256) {}
  void write(Bytes data) override {
    digest_.update(data);
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  std::string sha256() { return digest_.finish(); }

 private:
  pipeline::Sink& next_;
  Digest digest_;
};

}  // namespace

std::string PutStream::add(const Fd& file, const fs::path& path) {
  const std::string name = path.filename().string();
  const struct stat status = status_of(file, path);
  std::string sha256;
  if (!options_.algorithm) {
    add_content(file, path, name, status.st_mtim.tv_sec, &sha256);
    return sha256;
  }
  // The size must be known before the content is sent.
  const Fd packed = open_anonymous_file(fs::temp_directory_path());
  compression::FdSink target(packed.get(), path);
  const auto compressor = compression::make_compressor(*options_.algorithm, options_.level, target);
  DigestingSink plain(*compressor);
  compression::push_file(file, path, plain);
  add_content(packed, path, name, status.st_mtim.tv_sec, nullptr);
  return plain.sha256();
}

// `plain_sha256` nullptr: not wanted.
void PutStream::add_content(const Fd& file, const fs::path& path, const std::string& name,
                            std::int64_t mtime, std::string* plain_sha256) {
  const auto size_bytes = static_cast<std::uint64_t>(status_of(file, path).st_size);
  writer_.begin_member({.path = name, .mode = kMode, .size_bytes = size_bytes, .mtime = mtime});
  Digest digest(options_.checksum);
  std::vector<std::byte> buffer(kPutReadSize);
  for (std::uint64_t offset = 0; offset < size_bytes;) {
    const auto wanted = std::min<std::uint64_t>(kPutReadSize, size_bytes - offset);
    const MutableBytes piece = MutableBytes(buffer).first(static_cast<std::size_t>(wanted));
    if (read_full_at(file, piece, offset, path) != wanted) {
      throw Error(ErrorKind::corrupt, fmt::format("\"{}\" has become shorter", path.string()));
    }
    digest.update(piece);
    writer_.write(piece);
    offset += wanted;
  }
  writer_.end_member();
  const std::string checksum = digest.finish();
  list_ += fmt::format("{} *{}\n", checksum, name);
  if (plain_sha256 == nullptr) return;
  *plain_sha256 = options_.checksum == DigestAlgorithm::sha256
                      ? checksum
                      : digest_of_file(DigestAlgorithm::sha256, file, path);
}

void PutStream::finish() {
  writer_.add_file({.path = options_.checksum == DigestAlgorithm::md5 ? "MD5SUMS" : "SHA256SUMS",
                    .mode = kMode,
                    .mtime = static_cast<std::int64_t>(::time(nullptr))},
                   list_);
  writer_.finish();
}

}  // namespace barman::client
