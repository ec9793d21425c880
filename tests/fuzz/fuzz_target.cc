#include "fuzz_target.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

namespace barman::fuzz {
namespace {

std::map<std::string, RunTarget>& targets() {
  static std::map<std::string, RunTarget> all;
  return all;
}

RunTarget chosen_target = nullptr;

}  // namespace

Target::Target(const char* name, RunTarget run) { targets()[name] = run; }

}  // namespace barman::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("BARMAN_FUZZ_TARGET");
  const auto& targets = barman::fuzz::targets();
  const auto found = targets.find(name == nullptr ? "" : name);
  if (found == targets.end()) {
    std::cerr << "BARMAN_FUZZ_TARGET is to be one of:\n";
    for (const auto& target : targets) std::cerr << "  " << target.first << "\n";
    std::exit(2);
  }
  barman::fuzz::chosen_target = found->second;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return barman::fuzz::chosen_target(data, size);
}
