#include "support/cluster_template.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

// One statement a line, for the single user mode.
std::string role_statements(int major) {
  const std::string functions =
      major >= 15 ? "pg_backup_start(text, boolean), pg_backup_stop(boolean)"
                  : "pg_start_backup(text, boolean, boolean), pg_stop_backup(boolean, boolean)";
  std::string sql =
      "CREATE ROLE barman LOGIN;\n"
      "CREATE ROLE streaming_barman LOGIN REPLICATION;\n"
      "GRANT pg_read_all_settings, pg_read_all_stats TO barman;\n"
      "GRANT EXECUTE ON FUNCTION pg_switch_wal(), pg_create_restore_point(text), " +
      functions + " TO barman;\n";
  if (major >= 15) sql += "GRANT pg_checkpoint TO barman;\n";
  return sql;
}

void run_initdb(const PostgresVersion& version, int wal_segment_megabytes,
                const fs::path& data_directory) {
  run_checked({.argv = {version.bin_directory / "initdb", "--no-sync", "--data-checksums",
                        "--username=postgres", "--auth=trust", "--encoding=UTF8",
                        "--locale=C.UTF-8", fmt::format("--wal-segsize={}", wal_segment_megabytes),
                        "--pgdata", data_directory.string()}});
  run_checked({.argv = {version.bin_directory / "postgres", "--single", "-F", "-c",
                        "log_min_messages=fatal", "-D", data_directory.string(), "postgres"},
               .input = role_statements(version.major)});
}

void copy_tree(const fs::path& from, const fs::path& to) {
  run_checked({.argv = {"cp", "-a", "--reflink=auto", "--no-target-directory", from, to}});
}

// A directory of this user's own in the place of temporary files.
fs::path templates_directory() {
  const fs::path directory =
      fs::temp_directory_path() / fmt::format("barman-test-templates-{}", geteuid());
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("cannot create " + directory.string());
  }
  struct stat facts {};
  if (lstat(directory.c_str(), &facts) != 0) throw_errno("cannot look at " + directory.string());
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != geteuid()) {
    throw Error(ErrorKind::permission, directory.string() + " belongs to another user");
  }
  return directory;
}

// The template, made by the first test that asks for it. Its name has the path of the programs, so
// that another release of PostgreSQL gets a new one.
fs::path find_or_make_template(const PostgresVersion& version, int wal_segment_megabytes) {
  const fs::path directory = templates_directory();
  const std::size_t programs =
      std::hash<std::string>{}(fs::canonical(version.bin_directory).string());
  const fs::path made =
      directory / fmt::format("{}-{}MB-{:x}", version.major, wal_segment_megabytes, programs);
  const fs::path lock_path = made.string() + ".lock";
  const Fd lock = open_file(lock_path, O_RDWR | O_CREAT);
  if (flock(lock.get(), LOCK_EX) != 0) throw_errno("cannot lock " + lock_path.string());
  if (fs::exists(made)) return made;
  const fs::path work = made.string() + ".new";
  fs::remove_all(work);
  run_initdb(version, wal_segment_megabytes, work);
  fs::rename(work, made);
  return made;
}

}  // namespace

void make_cluster(const PostgresVersion& version, const ClusterShape& shape,
                  const fs::path& data_directory) {
  if (shape.system_id == SystemId::own) {
    run_initdb(version, shape.wal_segment_megabytes, data_directory);
  } else {
    copy_tree(find_or_make_template(version, shape.wal_segment_megabytes), data_directory);
  }
}

}  // namespace barman::test
