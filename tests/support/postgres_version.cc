#include "support/postgres_version.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace barman::test {
namespace {

std::filesystem::path test_cache() {
  const char* named = std::getenv("BARMAN_TEST_CACHE");
  return named != nullptr ? named : BARMAN_TEST_CACHE_DEFAULT;
}

std::filesystem::path require_program(const std::filesystem::path& program) {
  if (!std::filesystem::exists(program)) {
    throw Error(ErrorKind::not_found, fmt::format("no program \"{}\"", program.string()),
                "Run scripts/install-dependencies test.");
  }
  return program;
}

}  // namespace

const std::vector<int>& all_majors() {
  static const std::vector<int> majors{13, 14, 15, 16, 17, 18};
  return majors;
}

PostgresVersion get_version(int major) {
  const std::filesystem::path bin = test_cache() / fmt::format("postgres-{}", major) / "bin";
  require_program(bin / "postgres");
  return {major, bin};
}

PostgresVersion get_debian_version(int major) {
  return {major, find_tool(major, "postgres").parent_path()};
}

std::filesystem::path find_tool(int major, const std::string& name) {
  const std::filesystem::path packaged = fmt::format("/usr/lib/postgresql/{}/bin/{}", major, name);
  if (std::filesystem::exists(packaged)) return packaged;
  return require_program(test_cache() / fmt::format("tools-{}", major) / "bin" / name);
}

std::filesystem::path kerberos_programs() { return test_cache() / "kerberos" / "usr" / "sbin"; }
std::filesystem::path ceph_directory() { return test_cache() / "ceph"; }
std::filesystem::path azurite_directory() { return test_cache() / "azurite"; }
std::filesystem::path real_barman(const std::string& version) {
  return test_cache() / ("barman-" + version) / "barman";
}

}  // namespace barman::test
