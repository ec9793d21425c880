#include "client/put_stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "compression/stored_file.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kMaxName = 100;

struct stat status_of(const Fd& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  return status;
}

// Compressed content, whose size must be known before it is sent. It has no name, so that nothing
// stays behind whatever ends this program.
Fd open_scratch_file() {
  std::string name = (fs::temp_directory_path() / "barman-wal-archive-XXXXXX").string();
  Fd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd.is_open()) throw_errno("cannot create \"" + name + "\"");
  ::unlink(name.c_str());
  return fd;
}

std::string sha256_of(const Fd& file, const fs::path& path) {
  Digest digest(DigestAlgorithm::sha256);
  std::vector<std::byte> buffer(kReadSize);
  for (std::uint64_t offset = 0;; offset += kReadSize) {
    const std::size_t size = read_full_at(file, buffer, offset, path);
    digest.update(Bytes(buffer).first(size));
    if (size < kReadSize) return digest.finish();
  }
}

}  // namespace

std::string PutStream::add(const Fd& file, const fs::path& path) {
  const std::string name = path.filename().string();
  const struct stat status = status_of(file, path);
  std::string sha256;
  if (!options_.algorithm) {
    add_content(file, path, name, status.st_mtim.tv_sec, &sha256);
    return sha256;
  }
  const Fd packed = open_scratch_file();
  compression::compress_file(file, path, *options_.algorithm, options_.level, packed.get(), path);
  add_content(packed, path, name, status.st_mtim.tv_sec, nullptr);
  return sha256_of(file, path);
}

// `plain_sha256` nullptr: not wanted.
void PutStream::add_content(const Fd& file, const fs::path& path, const std::string& name,
                            std::int64_t mtime, std::string* plain_sha256) {
  const auto size_bytes = static_cast<std::uint64_t>(status_of(file, path).st_size);
  write_header(name, size_bytes, mtime);
  Digest digest(options_.checksum);
  std::vector<std::byte> buffer(kReadSize);
  for (std::uint64_t offset = 0; offset < size_bytes;) {
    const auto wanted = std::min<std::uint64_t>(kReadSize, size_bytes - offset);
    const MutableBytes piece = MutableBytes(buffer).first(static_cast<std::size_t>(wanted));
    if (read_full_at(file, piece, offset, path) != wanted) {
      throw Error(ErrorKind::corrupt, fmt::format("\"{}\" has become shorter", path.string()));
    }
    digest.update(piece);
    output_.write(piece);
    offset += wanted;
  }
  write_padding(size_bytes);
  const std::string checksum = digest.finish();
  list_ += fmt::format("{} *{}\n", checksum, name);
  if (plain_sha256 == nullptr) return;
  *plain_sha256 = options_.checksum == DigestAlgorithm::sha256 ? checksum : sha256_of(file, path);
}

void PutStream::finish() {
  write_header(options_.checksum == DigestAlgorithm::md5 ? "MD5SUMS" : "SHA256SUMS", list_.size(),
               static_cast<std::int64_t>(::time(nullptr)));
  output_.write(as_bytes(list_));
  write_padding(list_.size());
  output_.write(as_bytes(std::string(2 * kTarBlock, '\0')));
  output_.finish();
}

// ustar, as POSIX describes it: numbers in octal, the checksum counted with blanks in its place.
void PutStream::write_header(const std::string& name, std::uint64_t size_bytes,
                             std::int64_t mtime) {
  if (name.size() >= kMaxName) {
    throw Error(ErrorKind::usage, fmt::format("the file name \"{}\" is too long", name));
  }
  std::string header(kTarBlock, '\0');
  const auto put = [&](std::size_t offset, const std::string& text) {
    header.replace(offset, text.size(), text);
  };
  put(0, name);
  put(100, "0000600");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size_bytes));
  put(136, fmt::format("{:011o}", std::max<std::int64_t>(mtime, 0)));
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  output_.write(as_bytes(header));
}

void PutStream::write_padding(std::uint64_t size_bytes) {
  const std::size_t size = (kTarBlock - size_bytes % kTarBlock) % kTarBlock;
  if (size > 0) output_.write(as_bytes(std::string(size, '\0')));
}

}  // namespace barman::client
