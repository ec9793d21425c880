// The answer of a primary node, printed again: what is printed is JSON with the same text when it
// is printed once more.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "output/json_copy.h"

namespace {

using namespace barman;

std::string copy(std::string_view text) {
  Fd in(::memfd_create("in", MFD_CLOEXEC));
  const Fd out(::memfd_create("out", MFD_CLOEXEC));
  write_full(in, as_bytes(text), "in");
  ::lseek(in.get(), 0, SEEK_SET);
  output::copy_json_object(out, std::move(in), "input");
  std::string copied(static_cast<std::size_t>(::lseek(out.get(), 0, SEEK_END)), '\0');
  read_full_at(out, std::as_writable_bytes(std::span(copied)), 0, "out");
  return copied;
}

}  // namespace

BARMAN_FUZZ_TARGET(json_copy) {
  std::string once;
  try {
    once = copy({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
    return 0;
  }
  // Outside of the try block: what we wrote ourselves must be readable.
  if (copy(once) != once) std::abort();
  return 0;
}
