#include "host/ssh_ciphers.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"

namespace barman::host {
namespace {

bool has_aes_instructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long kAes = 1UL << 3;  // HWCAP_AES
  return (::getauxval(AT_HWCAP) & kAes) != 0;
#else
  return false;
#endif
}

bool is_gcm(const std::string& cipher) { return cipher.find("-gcm@") != std::string::npos; }

}  // namespace

std::string with_gcm_first(std::string_view ciphers) {
  std::vector<std::string> names = split(std::string(ciphers), ',');
  std::stable_partition(names.begin(), names.end(), is_gcm);
  return join(names, ",");
}

std::string quicker_ciphers(std::string_view configured) {
  if (!has_aes_instructions()) return "";
  std::string wanted = with_gcm_first(configured);
  return wanted == configured ? "" : wanted;
}

std::vector<std::string> cipher_options(const SshTarget& target) {
  if (!has_aes_instructions()) return {};
  constexpr std::string_view kKey = "ciphers ";
  try {
    for (const std::string& line :
         split(run_process({.argv = show_configuration_command(target)}).standard_output, '\n')) {
      if (!line.starts_with(kKey)) continue;
      const std::string wanted = quicker_ciphers(std::string_view(line).substr(kKey.size()));
      if (wanted.empty()) return {};
      return {"-o", "Ciphers=" + wanted};
    }
  } catch (const Error&) {  // It will be told when the connection itself is tried.
  }
  return {};
}

}  // namespace barman::host
