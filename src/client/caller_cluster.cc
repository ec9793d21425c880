#include "client/caller_cluster.h"

#include <fcntl.h>

#include <array>
#include <cstring>

#include "base/fd.h"

namespace barman::client {

std::optional<std::uint64_t> find_caller_system_id() {
  // ControlFileData begins with it (src/include/catalog/pg_control.h).
  constexpr const char* kControlFile = "global/pg_control";
  const Fd file(::open(kControlFile, O_RDONLY | O_CLOEXEC));
  std::array<std::byte, sizeof(std::uint64_t)> begin{};
  if (file.get() < 0 || read_full_at(file, begin, 0, kControlFile) != begin.size())
    return std::nullopt;
  std::uint64_t system_id = 0;
  std::memcpy(&system_id, begin.data(), sizeof system_id);
  if (system_id == 0) return std::nullopt;
  return system_id;
}

}  // namespace barman::client
