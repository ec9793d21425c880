#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "replication/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const barman::Bytes message = std::as_bytes(std::span(data + 1, size - 1));
  try {
    if (data[0] % 2 == 0) {
      barman::replication::decode_wal_message(message);
    } else {
      barman::replication::decode_backup_message(message);
    }
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
