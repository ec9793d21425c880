#include "host/shared_connection.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/private_directory.h"
#include "host/ssh_ciphers.h"

namespace barman::host {
namespace fs = std::filesystem;

std::vector<std::string> connection_options(const SshTarget& target, const fs::path& socket) {
  std::vector<std::string> options = kept_connection_options(socket);
  // The cipher is settled when the connection is made.
  if (options.empty() || ::access(socket.c_str(), F_OK) == 0) return options;
  for (std::string& word : cipher_options(target)) options.push_back(std::move(word));
  return options;
}

SharedConnection::SharedConnection(const SshTarget& target) {
  try {
    const fs::path directory =
        fs::temp_directory_path() / fmt::format("barman-ssh-{}", ::geteuid());
    make_private_directory(directory, "TMPDIR");
    const std::string place = fmt::format("{} {}", target.account(), target.port.value_or("-"));
    const fs::path socket = directory / digest_of(DigestAlgorithm::sha256, place).substr(0, 16);
    was_there_ = ::access(socket.c_str(), F_OK) == 0;
    options_ = connection_options(target, socket);
  } catch (const Error&) {
    options_.clear();
  } catch (const fs::filesystem_error&) {
    options_.clear();
  }
}

}  // namespace barman::host
