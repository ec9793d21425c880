#include "base/blake2b.h"

#include <openssl/evp.h>

#include <array>

#include <fmt/format.h>

#include "base/error.h"

namespace barman {
namespace {

struct BlakeContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

void require_success(int result) {
  if (result != 1) throw Error(ErrorKind::internal, "cannot compute a BLAKE2b checksum");
}

}  // namespace

struct Blake2b::State {
  std::unique_ptr<EVP_MD_CTX, BlakeContextDeleter> context{EVP_MD_CTX_new()};
};

Blake2b::Blake2b() : state_(std::make_unique<State>()) {
  require_success(state_->context ? 1 : 0);
  require_success(EVP_DigestInit_ex(state_->context.get(), EVP_blake2b512(), nullptr));
}

Blake2b::~Blake2b() = default;

void Blake2b::update(Bytes data) {
  require_success(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()));
}

std::string Blake2b::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  require_success(EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &size));
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes.at(i));
  return text;
}

}  // namespace barman
