// The header of an incremental file.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "fuzz_target.h"
#include "stored/incremental_file.h"

namespace {

class Input final : public barman::stored::ContentFile {
 public:
  explicit Input(barman::Bytes bytes) : bytes_(bytes) {}
  std::size_t read_at(std::uint64_t offset, barman::MutableBytes buffer) override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t size =
        std::min(buffer.size(), bytes_.size() - static_cast<std::size_t>(offset));
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), size, buffer.begin());
    return size;
  }
  std::uint64_t size_bytes() const override { return bytes_.size(); }

 private:
  barman::Bytes bytes_;
};

}  // namespace

BARMAN_FUZZ_TARGET(incremental_file) {
  Input input(std::as_bytes(std::span(data, size)));
  try {
    const auto header = barman::stored::read_incremental_header(input, "INCREMENTAL.1");
    if (header.block_count() < header.blocks.size()) __builtin_trap();
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
