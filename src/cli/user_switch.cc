#include "cli/user_switch.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hint.h"
#include "config/configuration.h"

namespace barman::cli {
namespace {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
};

constexpr std::size_t kPasswdBuffer = std::size_t{64} << 10;

std::optional<Account> find_account(const std::string& user) {
  std::vector<char> buffer(kPasswdBuffer);
  passwd entry = {};
  passwd* found = nullptr;
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return Account{found->pw_uid, found->pw_gid, found->pw_dir};
}

}  // namespace

std::string home_directory() {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): only the main thread
  if (home != nullptr && *home != '\0') return home;
  std::vector<char> buffer(kPasswdBuffer);
  passwd entry = {};
  passwd* found = nullptr;
  ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_dir : "";
}

void switch_user(const std::string& user) {
  const std::optional<Account> account = find_account(user);
  if (!account) {
    throw config::StartupError(
        with_hint(fmt::format("ERROR: the configured user '{}' does not exists", user),
                  "Set barman_user to the user that owns barman_home, or create it."));
  }
  if (::geteuid() == account->uid) return;
  if (::geteuid() != 0) {
    throw config::StartupError(fmt::format("ERROR: please run barman as '{}' user", user));
  }
  // Groups first: after setuid() they can no longer be changed.
  if (::initgroups(user.c_str(), account->gid) != 0 || ::setgid(account->gid) != 0 ||
      ::setuid(account->uid) != 0) {
    throw_errno(fmt::format("cannot become the user '{}'", user));
  }
  ::setenv("HOME", account->home.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace barman::cli
