#include "encryption/scratch_file.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"

namespace barman::encryption {
namespace {

constexpr std::size_t kPieceSize = std::size_t{256} << 10;
constexpr std::size_t kBlockSize = 16;  // of AES
static_assert(ScratchFile::kAlignment == kBlockSize);

[[noreturn]] void throw_openssl(std::string_view what) {
  throw Error(ErrorKind::internal, fmt::format("OpenSSL cannot {}", what));
}

}  // namespace

// What is added to the bytes from `offset` on; the same for both directions.
class ScratchFile::Keystream {
 public:
  Keystream(const std::array<unsigned char, kKeySize>& key, std::uint64_t offset)
      : context_(::EVP_CIPHER_CTX_new(), ::EVP_CIPHER_CTX_free) {
    std::array<unsigned char, kBlockSize> counter{};
    std::uint64_t block = offset / kBlockSize;
    for (std::size_t i = counter.size(); block != 0; block >>= 8) {
      counter[--i] = static_cast<unsigned char>(block & 0xFF);
    }
    if (!context_ || ::EVP_EncryptInit_ex(context_.get(), ::EVP_aes_256_ctr(), nullptr, key.data(),
                                          counter.data()) != 1) {
      throw_openssl("begin to encrypt");
    }
    std::array<std::byte, kBlockSize> passed{};
    apply(Bytes(passed).first(offset % kBlockSize), passed);
  }

  void apply(Bytes data, MutableBytes result) {
    int size = 0;
    if (::EVP_EncryptUpdate(context_.get(), reinterpret_cast<unsigned char*>(result.data()), &size,
                            reinterpret_cast<const unsigned char*>(data.data()),
                            static_cast<int>(data.size())) != 1) {
      throw_openssl("encrypt");
    }
  }

 private:
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&::EVP_CIPHER_CTX_free)> context_;
};

ScratchFile::ScratchFile(std::filesystem::path directory)
    : directory_(std::move(directory)), file_(open_anonymous_file(directory_)) {
  if (::RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) {
    throw_openssl("make a random key");
  }
}

ScratchFile::~ScratchFile() { ::explicit_bzero(key_.data(), key_.size()); }

void ScratchFile::write_at(std::uint64_t offset, Bytes data) {
  if (offset % kAlignment != 0) throw Error(ErrorKind::internal, "a place that is not aligned");
  Keystream keystream(key_, offset);
  thread_local std::vector<std::byte> encrypted(kPieceSize);
  while (!data.empty()) {
    const Bytes piece = data.first(std::min(data.size(), encrypted.size()));
    const MutableBytes result = MutableBytes(encrypted).first(piece.size());
    keystream.apply(piece, result);
    write_full_at(file_, result, offset, directory_);
    offset += piece.size();
    data = data.subspan(piece.size());
  }
}

std::size_t ScratchFile::read_at(std::uint64_t offset, MutableBytes buffer) const {
  const std::size_t size = read_full_at(file_, buffer, offset, directory_);
  Keystream keystream(key_, offset);
  for (MutableBytes rest = buffer.first(size); !rest.empty();) {
    const MutableBytes piece = rest.first(std::min(rest.size(), kPieceSize));
    keystream.apply(piece, piece);
    rest = rest.subspan(piece.size());
  }
  return size;
}

}  // namespace barman::encryption
