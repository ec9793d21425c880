#include "base/digest.h"

#include <isa-l/crc.h>
#include <openssl/evp.h>

#include <array>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace barman {
namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const EVP_MD* evp_of(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::md5:
      return EVP_md5();
    case DigestAlgorithm::sha224:
      return EVP_sha224();
    case DigestAlgorithm::sha256:
      return EVP_sha256();
    case DigestAlgorithm::sha384:
      return EVP_sha384();
    case DigestAlgorithm::sha512:
      return EVP_sha512();
    case DigestAlgorithm::none:
    case DigestAlgorithm::crc32c:
      break;
  }
  return nullptr;
}

}  // namespace

std::uint32_t crc32c_extend(std::uint32_t crc, Bytes data) {
  while (!data.empty()) {
    const std::size_t size = std::min<std::size_t>(data.size(), std::numeric_limits<int>::max());
    // ISA-L takes a non-const pointer although it only reads.
    auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
    crc = crc32_iscsi(bytes, static_cast<int>(size), crc);
    data = data.subspan(size);
  }
  return crc;
}

struct Digest::State {
  DigestAlgorithm algorithm = DigestAlgorithm::none;
  std::uint32_t crc = kCrc32cInitial;
  std::unique_ptr<EVP_MD_CTX, ContextDeleter> context;
};

Digest::Digest(DigestAlgorithm algorithm) : state_(std::make_unique<State>()) {
  state_->algorithm = algorithm;
  if (const EVP_MD* type = evp_of(algorithm)) {
    state_->context.reset(EVP_MD_CTX_new());
    if (!state_->context || EVP_DigestInit_ex(state_->context.get(), type, nullptr) != 1) {
      throw Error(ErrorKind::internal, "cannot initialise a message digest");
    }
  }
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(Bytes data) {
  if (state_->algorithm == DigestAlgorithm::crc32c) {
    state_->crc = crc32c_extend(state_->crc, data);
  } else if (state_->context) {
    EVP_DigestUpdate(state_->context.get(), data.data(), data.size());
  }
}

std::string crc32c_text(std::uint32_t crc) {
  return fmt::format("{:02x}{:02x}{:02x}{:02x}", crc & 0xFFU, crc >> 8 & 0xFFU, crc >> 16 & 0xFFU,
                     crc >> 24);
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value = {};
  unsigned int size = 0;
  if (state_->algorithm == DigestAlgorithm::crc32c) {
    return crc32c_text(crc32c_finish(state_->crc));
  }
  if (state_->context) {
    EVP_DigestFinal_ex(state_->context.get(), value.data(), &size);
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", value.at(i));
  return text;
}

std::string digest_of(DigestAlgorithm algorithm, std::string_view text) {
  Digest digest(algorithm);
  digest.update(as_bytes(text));
  return digest.finish();
}

std::string digest_of_file(DigestAlgorithm algorithm, const Fd& file,
                           const std::filesystem::path& path) {
  constexpr std::size_t kReadSize = std::size_t{256} << 10;
  Digest digest(algorithm);
  std::vector<std::byte> buffer(kReadSize);
  for (std::uint64_t offset = 0;; offset += kReadSize) {
    const std::size_t size = read_full_at(file, buffer, offset, path);
    digest.update(Bytes(buffer).first(size));
    if (size < kReadSize) return digest.finish();
  }
}

}  // namespace barman
