// The PostgreSQL programs that the tests use: the servers that scripts/install-dependencies has
// installed, one a major version, and the tools that judge what barman has stored.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace barman::test {

struct PostgresVersion {
  int major = 0;
  std::filesystem::path bin_directory;
};

// Where the full matrix is not needed.
inline constexpr int kUsualMajor = 17;

// All versions that we support, installed or not; a test of a missing one fails.
const std::vector<int>& all_majors();
// Throws when it is not installed.
PostgresVersion get_version(int major);
// Debian's build of 15 or 17, which compresses with lz4 and zstd, too. Throws as find_tool().
PostgresVersion get_debian_version(int major = 15);
// A program of Debian for that version: pg_verifybackup, pg_combinebackup, pg_waldump,
// pg_basebackup, postgres. There are those of 15 and 17; throws otherwise.
std::filesystem::path find_tool(int major, const std::string& name);
// Barman "3.4" (of Debian 12) or "3.20" (of the next one); they need not be installed.
std::filesystem::path real_barman(const std::string& version);
// The programs of Debian's Kerberos KDC, which need not be installed.
std::filesystem::path kerberos_programs();
// Where Ceph is unpacked; it need not be.
std::filesystem::path ceph_directory();
// Where azurite is installed, with its node_modules; it need not be.
std::filesystem::path azurite_directory();

}  // namespace barman::test
