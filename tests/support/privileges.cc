#include "support/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <system_error>

#include "base/error.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

constexpr const char* kUnprivilegedUser = "postgres";

bool root_is_saved = false;
// A copy of the program for a user who cannot reach the build directory.
std::filesystem::path program_copy;

struct passwd find_user(const char* name, std::array<char, 4096>& buffer) {
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    throw Error(ErrorKind::not_found, std::string("no user \"") + name + "\" on this machine",
                "Run scripts/install-dependencies test.");
  }
  return entry;
}

// The tests of this process are in the share that runs the programs of this build in any case
// ($BARMAN_SHARE is "2/8": the third of eight shares, of the names that were asked for).
bool is_in_share() {
  const char* share = std::getenv("BARMAN_SHARE");
  unsigned place = 0;
  unsigned shares = 0;
  if (share == nullptr || std::sscanf(share, "%u/%u", &place, &shares) != 2 || shares == 0) {
    return false;
  }
  const std::string names = GTEST_FLAG_GET(filter);
  return std::hash<std::string>{}(names) % shares == place;
}

std::filesystem::path built_program() {
  static const char* const named = is_in_share() ? nullptr : std::getenv("BARMAN_PROGRAM");
  return named != nullptr ? named : BARMAN_BUILT_PROGRAM;
}

bool is_of_this_build() { return built_program() == BARMAN_BUILT_PROGRAM; }

bool user_can_execute(const std::filesystem::path& program) {
  return faccessat(AT_FDCWD, program.c_str(), X_OK, AT_EACCESS) == 0;
}

// A second name is reached where the first one is not, and costs nothing.
void link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code failure;
  std::filesystem::create_hard_link(from, to, failure);
  if (failure) std::filesystem::copy_file(from, to);
}

// Called as root. The directory is left to barman_program()'s process and removed at its end.
void copy_program(const std::filesystem::path& program, uid_t user, gid_t group) {
  static const TempDir directory("barman-program", TempDir::Keep::never);
  program_copy = directory.path() / "barman";
  link_or_copy(program, program_copy);
  for (const char* name : {"barman-wal-archive", "barman-wal-restore"}) {
    const std::filesystem::path client = program.parent_path() / name;
    if (!std::filesystem::exists(client)) continue;
    link_or_copy(client, directory.path() / name);
  }
  // One executable, whose names are links beside it.
  const std::filesystem::path cloud = program.parent_path() / "barman-cloud-backup";
  if (std::filesystem::exists(cloud)) {
    for (const char* name : {"backup", "backup-delete", "backup-keep", "backup-list", "backup-show",
                             "check-wal-archive", "restore", "wal-archive", "wal-restore"}) {
      link_or_copy(cloud, directory.path() / (std::string("barman-cloud-") + name));
    }
  }
  if (chown(directory.path().c_str(), user, group) != 0) {
    throw_errno("cannot give away " + directory.path().string());
  }
}

void set_effective_user(uid_t user) {
  if (seteuid(user) != 0) throw_errno("cannot change the effective user");
  // The kernel clears this at each change of the user; the leak checker needs it.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

}  // namespace

bool is_sanitized_program() { return BARMAN_BUILD_IS_SANITIZED && is_of_this_build(); }

void become_unprivileged() {
  if (geteuid() != 0) return;
  std::array<char, 4096> buffer{};
  const struct passwd user = find_user(kUnprivilegedUser, buffer);
  if (initgroups(user.pw_name, user.pw_gid) != 0 ||
      setresgid(user.pw_gid, user.pw_gid, user.pw_gid) != 0) {
    throw_errno("cannot take the groups of user postgres");
  }
  const std::filesystem::path program = built_program();
  if (setresuid(user.pw_uid, user.pw_uid, 0) != 0) throw_errno("cannot become user postgres");
  root_is_saved = true;
  if (!program.empty() && !user_can_execute(program)) {
    const ActAsRoot as_root;
    if (std::filesystem::exists(program)) copy_program(program, user.pw_uid, user.pw_gid);
  }
  set_effective_user(user.pw_uid);
  if (chdir("/") != 0) throw_errno("cannot change to the root directory");
}

void forget_root() {
  if (!root_is_saved) return;
  const uid_t user = geteuid();
  if (setresuid(user, user, user) != 0) throw_errno("cannot give root up");
  root_is_saved = false;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

std::string user_name() {
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    throw Error(ErrorKind::not_found, "the user of this process has no name");
  }
  return entry.pw_name;
}

std::filesystem::path barman_program() {
  const std::filesystem::path program = program_copy.empty() ? built_program() : program_copy;
  if (program.empty() || !std::filesystem::exists(program)) {
    throw Error(ErrorKind::not_found, "no barman program at \"" + program.string() + "\"",
                "Build it, or name one in BARMAN_PROGRAM.");
  }
  return program;
}

bool has_root() { return root_is_saved; }

ActAsRoot::ActAsRoot() {
  if (!root_is_saved) throw Error(ErrorKind::permission, "this test needs to be started by root");
  set_effective_user(0);
}

ActAsRoot::~ActAsRoot() {
  // Failing here would run the rest of the tests as root.
  if (seteuid(getuid()) != 0) std::abort();
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

}  // namespace barman::test
