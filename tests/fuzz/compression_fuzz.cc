// Decompressors: the first byte chooses what is done with the rest. Either the bytes are taken as
// they are, by the format that they begin like or by a chosen one, or they are compressed, damaged
// in one place and unpacked again.
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "compression/codec.h"
#include "fuzz_target.h"

namespace {

using namespace barman;
using compression::Algorithm;

constexpr std::size_t kMaxOutput = std::size_t{64} << 20;

class Collector final : public pipeline::Sink {
 public:
  void write(Bytes data) override {
    if (text.size() + data.size() > kMaxOutput) throw Error(ErrorKind::corrupt, "too large");
    text += as_text(data);
  }
  void finish() override {}
  std::string text;
};

// "" when it is refused.
std::string unpack(Algorithm algorithm, Bytes data, std::size_t step) {
  Collector result;
  try {
    const auto sink = compression::make_decompressor(algorithm, result, "input");
    for (std::size_t i = 0; i < data.size(); i += step) {
      sink->write(data.subspan(i, std::min(step, data.size() - i)));
    }
    sink->finish();
  } catch (const Error&) {
    return {};
  }
  return result.text;
}

}  // namespace

BARMAN_FUZZ_TARGET(compression) {
  if (size < 4) return 0;
  const auto algorithm = static_cast<Algorithm>(data[0] % 6);
  const Bytes rest = std::as_bytes(std::span(data, size)).subspan(4);
  const std::size_t step = data[1] == 0 ? size : data[1];
  if ((data[0] & 0x40) == 0) {
    const Algorithm found = compression::detect(rest).value_or(algorithm);
    const std::string whole = unpack(found, rest, size);
    if (unpack(found, rest, step) != whole) std::abort();  // bytes must not care how they arrive
    return 0;
  }
  Collector packed;
  const auto compressor =
      compression::make_compressor(algorithm, compression::resolve_level(algorithm, "low"), packed);
  compressor->write(rest);
  compressor->finish();
  if (unpack(algorithm, as_bytes(packed.text), step) != as_text(rest)) std::abort();
  const std::size_t place = (data[2] * 256U + data[3]) % packed.text.size();
  packed.text[place] = static_cast<char>(packed.text[place] ^ (1 << (data[1] & 7U)));
  unpack(algorithm, as_bytes(packed.text), step);
  return 0;
}
