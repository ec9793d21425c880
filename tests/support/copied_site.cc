#include "support/copied_site.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <utility>

#include "support/postgres_version.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

StreamingSite::Options copied(int major, Settings server, const std::string& data_name) {
  server.emplace("backup_options", "concurrent_backup");
  return {.postgres = {.major = major,
                       .settings = {{"autovacuum", "off"}},
                       .tablespaces = {"ts"},
                       .data_name = data_name},
          .server = std::move(server)};
}

}  // namespace

CopiedSite::CopiedSite(int major, Settings server, const std::string& data_name)
    : StreamingSite(copied(major, std::move(server), data_name)) {
  start_receiver();
  postgres.query("CREATE TABLE changing (id int PRIMARY KEY, text text)");
  postgres.query(
      "INSERT INTO changing SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g");
  postgres.query("CREATE TABLE still AS SELECT g AS id FROM generate_series(1, 50000) g");
  postgres.query(
      "CREATE TABLE there TABLESPACE ts AS SELECT g AS id, repeat('t', 300) AS text "
      "FROM generate_series(1, 5000) g");
  // From now on nobody changes them by reading.
  postgres.query("VACUUM still");
  postgres.query("VACUUM there");
  archive_a_segment();
}

std::string CopiedSite::oid_of(const std::string& tablespace) const {
  return postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = '" + tablespace + "'");
}

std::string CopiedSite::file_of(const std::string& table) const {
  const std::string path = postgres.value("SELECT pg_relation_filepath('" + table + "')");
  constexpr std::string_view kTablespaces = "pg_tblspc/";
  return path.starts_with(kTablespaces) ? path.substr(kTablespaces.size()) : "data/" + path;
}

bool CopiedSite::is_shared(const std::string& one, const std::string& two,
                           const std::string& path) const {
  return status_of_file(base(one) / path).st_ino == status_of_file(base(two) / path).st_ino;
}

CopiedSite::ManifestCounts CopiedSite::manifest_counts(const std::string& id) const {
  ManifestCounts counts;
  const std::string log = barman.log();
  const std::string label = "manifest of backup " + id + ": ";
  const std::size_t at = log.rfind(label);
  if (at == std::string::npos) return counts;
  EXPECT_EQ(std::sscanf(log.c_str() + at + label.size(),
                        "%d files were read, %d were known from their copy, %d from another backup",
                        &counts.read, &counts.copied, &counts.shared),
            3);
  return counts;
}

CopiedRestore::CopiedRestore(CopiedSite& site, const std::string& id,
                             const std::vector<std::string>& options)
    : data(place.path() / "data") {
  std::vector<std::string> arguments = {"restore", "--tablespace",
                                        "ts:" + (place.path() / "ts").string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"main", id, data.string()});
  result = site.barman.run(arguments);
}

struct stat status_of_file(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

std::string verified_by_postgres(const fs::path& data, const std::string& manifest) {
  std::vector<std::string> argv = {find_tool(kUsualMajor, "pg_verifybackup"), "--no-parse-wal",
                                   "--manifest-path", data / manifest};
  // What a restore writes beside the files of the backup.
  for (const std::string& name :
       {manifest, std::string("postgresql.conf.origin"), std::string("postgresql.auto.conf.origin"),
        std::string(".barman-recover.info")}) {
    argv.insert(argv.end(), {"--ignore", name});
  }
  argv.push_back(data);
  const CommandResult result = run_command({.argv = argv});
  return result.exit_code == 0 ? "" : result.out + result.err;
}

}  // namespace barman::test
