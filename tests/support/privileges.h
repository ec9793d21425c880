// Who the tests run as. PostgreSQL refuses root, and barman runs as the user that it is configured
// for; so a system test that is started by root becomes the user `postgres` before the first test.
// It keeps root as its saved user id, for the one thing that needs it: mounting a small file
// system. Programs that it starts do not get that id.
#pragma once

#include <filesystem>
#include <string>

namespace barman::test {

// Called once, first thing in main(), before any thread. Nothing happens for other users than root.
void become_unprivileged();
// Gives the saved root id up. At the end of main(), for the leak checker, which traces this
// process.
void forget_root();

// The user that tests, PostgreSQL and barman run as.
std::string user_name();

// The built program that the tests run: $BARMAN_PROGRAM, else (or when the test is in
// $BARMAN_SHARE) the one of this build; when the unprivileged user cannot reach it, a second name
// or a copy. Throws when there is none.
std::filesystem::path barman_program();
// Whether it has sanitizers: it takes several times the memory.
bool is_sanitized_program();

// While it lives the calling process acts as root; has_root() tells whether that is possible.
bool has_root();
class ActAsRoot {
 public:
  ActAsRoot();
  ActAsRoot(const ActAsRoot&) = delete;
  ActAsRoot& operator=(const ActAsRoot&) = delete;
  ~ActAsRoot();
};

}  // namespace barman::test
