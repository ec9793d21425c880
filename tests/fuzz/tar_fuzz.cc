// The last byte says into how large pieces the archive is cut. Whatever the archive says, members
// have safe paths and as many bytes as they announce.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "fuzz_target.h"
#include "pipeline/relative_path.h"
#include "pipeline/tar_reader.h"

namespace {

class Check final : public barman::pipeline::TarVisitor {
 public:
  void begin_member(const barman::pipeline::TarMember& member) override {
    if (!barman::pipeline::is_safe_relative_path(member.path)) std::abort();
    left_ = member.size_bytes;
  }
  void write(barman::Bytes data) override {
    if (data.size() > left_) std::abort();
    left_ -= data.size();
  }
  void end_member() override {
    if (left_ != 0) std::abort();
  }

 private:
  std::uint64_t left_ = 0;
};

}  // namespace

BARMAN_FUZZ_TARGET(tar) {
  if (size == 0) return 0;
  const std::size_t step = (std::size_t{data[size - 1]} + 1) * 8;
  barman::Bytes rest = std::as_bytes(std::span(data, size));
  Check visitor;
  try {
    barman::pipeline::TarReader reader(visitor, "input");
    while (!rest.empty()) {
      const std::size_t count = std::min(step, rest.size());
      reader.write(rest.first(count));
      rest = rest.subspan(count);
    }
    reader.finish();
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
