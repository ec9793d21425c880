// docs/formats/replication_messages.md
#include "replication/messages.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::replication {
namespace {

// 2000-01-01 in seconds since 1970-01-01.
constexpr std::int64_t kPostgresEpochSeconds = 946684800;

class Reader {
 public:
  explicit Reader(Bytes message) : message_(message), rest_(message) {}

  char read_type() { return static_cast<char>(take(1).front()); }
  std::uint64_t read_uint64() {
    std::uint64_t value = 0;
    for (const std::byte byte : take(8)) value = value << 8U | std::to_integer<unsigned>(byte);
    return value;
  }
  std::string_view read_string() {
    const auto end = std::find(rest_.begin(), rest_.end(), std::byte{});
    if (end == rest_.end()) fail();
    const std::string_view text = as_text(take(static_cast<std::size_t>(end - rest_.begin())));
    take(1);
    return text;
  }
  Bytes rest() const { return rest_; }

 private:
  Bytes take(std::size_t size) {
    if (rest_.size() < size) fail();
    const Bytes bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }
  [[noreturn]] void fail() const {
    throw Error(ErrorKind::corrupt,
                fmt::format("replication message of {} bytes is cut off", message_.size()));
  }

  Bytes message_;
  Bytes rest_;
};

[[noreturn]] void throw_unknown(char type) {
  throw Error(ErrorKind::corrupt, fmt::format("unknown replication message 0x{:02x}",
                                              static_cast<unsigned char>(type)));
}

}  // namespace

std::int64_t postgres_clock_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count() -
         kPostgresEpochSeconds * 1'000'000;
}

WalMessage decode_wal_message(Bytes message) {
  Reader reader(message);
  const char type = reader.read_type();
  if (type == 'w') {
    WalData data;
    data.begin = {reader.read_uint64()};
    data.server_end = {reader.read_uint64()};
    reader.read_uint64();  // the server's clock
    data.data = reader.rest();
    return data;
  }
  if (type == 'k') {
    Keepalive keepalive;
    keepalive.server_end = {reader.read_uint64()};
    reader.read_uint64();  // the server's clock
    keepalive.reply_requested = reader.read_type() != '\0';
    return keepalive;
  }
  throw_unknown(type);
}

std::array<std::byte, kStandbyStatusSize> encode_standby_status(const StandbyStatus& status) {
  std::array<std::byte, kStandbyStatusSize> message{};
  std::size_t at = 0;
  message[at++] = std::byte{'r'};
  for (const std::uint64_t value : {status.written.value, status.flushed.value,
                                    status.applied.value, static_cast<std::uint64_t>(status.clock)})
    for (unsigned shift = 64; shift != 0; shift -= 8)
      message[at++] = static_cast<std::byte>(value >> (shift - 8) & 0xFFU);
  message[at] = status.reply_requested ? std::byte{1} : std::byte{0};
  return message;
}

BackupMessage decode_backup_message(Bytes message) {
  Reader reader(message);
  const char type = reader.read_type();
  switch (type) {
    case 'd':
      return BackupData{reader.rest()};
    case 'n': {
      ArchiveBegin begin;
      begin.name = reader.read_string();
      begin.location = reader.read_string();
      return begin;
    }
    case 'm':
      return ManifestBegin{};
    case 'p':
      return BackupProgress{reader.read_uint64()};
    default:
      throw_unknown(type);
  }
}

}  // namespace barman::replication
