#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "fuzz_target.h"
#include "replication/messages.h"

BARMAN_FUZZ_TARGET(replication_messages) {
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
