// All fuzz targets are one program, since linking one for each takes longer than running it: the
// environment variable BARMAN_FUZZ_TARGET says which one is run.
//
//   BARMAN_FUZZ_TARGET(tar) { ... data, size ...; return 0; }
#pragma once

#include <cstddef>
#include <cstdint>

namespace barman::fuzz {

using RunTarget = int (*)(const std::uint8_t* data, std::size_t size);

struct Target {
  Target(const char* name, RunTarget run);
};

}  // namespace barman::fuzz

#define BARMAN_FUZZ_TARGET(name)                                           \
  static int fuzz_##name(const std::uint8_t* data, std::size_t size);      \
  static const barman::fuzz::Target registered_##name(#name, fuzz_##name); \
  static int fuzz_##name(const std::uint8_t* data, std::size_t size)
