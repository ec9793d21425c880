// The index of an archive: the input is the first part of the foot, then members and frames; magic,
// version, sizes and checksum are made right, so that the fuzzer gets to what is behind them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/digest.h"
#include "base/error.h"
#include "fuzz_target.h"
#include "stored/archive_index.h"

namespace {

void append_number(std::string& text, std::uint64_t value, int size_bytes) {
  for (int i = 0; i < size_bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFFU);
}

std::string file_of(const std::string& input) {
  constexpr std::size_t kChosen = 5;
  const auto number = [&](std::size_t index) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(input[index]));
  };
  std::string file = "BARMANIX" + input.substr(kChosen);
  const std::uint64_t members_end = std::min<std::uint64_t>(file.size(), 8 + number(0) * 8);
  append_number(file, members_end, 8);
  append_number(file, number(1), 8);
  append_number(file, number(2), 8);
  append_number(file, number(3) * 100, 8);
  append_number(file, 0, 8);
  append_number(file, number(4) * 1000, 8);
  append_number(file, 3, 4);
  append_number(file, 1, 4);
  append_number(
      file,
      barman::crc32c_finish(barman::crc32c_extend(barman::kCrc32cInitial, barman::as_bytes(file))),
      4);
  return file + "BARMANIX";
}

}  // namespace

BARMAN_FUZZ_TARGET(archive_index) {
  using namespace barman::stored;
  if (size < 5) return 0;
  const std::string file = file_of(std::string(reinterpret_cast<const char*>(data), size));
  const ReadAt read_at = [&](std::uint64_t offset, barman::MutableBytes buffer) -> std::size_t {
    if (offset >= file.size()) return 0;
    const std::size_t taken =
        std::min<std::size_t>(buffer.size(), file.size() - static_cast<std::size_t>(offset));
    std::memcpy(buffer.data(), file.data() + offset, taken);
    return taken;
  };
  try {
    const auto index = ArchiveIndex::parse(read_at, file.size(), "index");
    if (!index) return 0;
    std::size_t count = 0;
    index->for_each([&](const barman::pipeline::TarMember& member) {
      ++count;
      if (member.content_offset + member.size_bytes > index->facts().stream_size) std::abort();
    });
    if (count != data[1]) std::abort();
  } catch (const barman::Error& error) {
    if (error.kind() != barman::ErrorKind::corrupt) throw;
  }
  return 0;
}
