#include "support/rsync_site.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "base/fd.h"
#include "support/incremental_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

Settings with_rsync(Settings more) {
  more.emplace("backup_method", "rsync");
  more.emplace("ssh_command", "false");
  return more;
}

}  // namespace

const std::vector<std::string>& odd_names() {
  static const std::vector<std::string> names = {"-o it's \"$HOME\"", "a\nb \xC3\xBC",
                                                 "#odd *[1]/ ;x"};
  return names;
}

RsyncSite::RsyncSite(int major, Settings more, const std::string& data_name)
    : CopiedSite(major, with_rsync(std::move(more)), data_name), ssh(barman) {
  barman.set("main", "ssh_command", ssh.shell());
}

void put_odd_names(const PostgresServer& postgres) {
  for (const std::string& name : odd_names()) {
    const fs::path path = postgres.data_directory() / name;
    fs::create_directories(path.parent_path());
    write_text(path, "odd");
  }
}

void RsyncSite::expect_restored_rows(const std::string& id) {
  const CopiedRestore restored(*this, id);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  const std::string manifest = "backup_manifest." + id;
  if (fs::exists(restored.data / manifest)) {
    EXPECT_EQ(verified_by_postgres(restored.data, manifest), "");
  }
  for (const std::string& name : odd_names()) {
    EXPECT_EQ(find_and_read_file(restored.data / name),
              find_and_read_file(postgres.data_directory() / name))
        << name;
  }
  PostgresServer copy({.major = postgres.major(), .data_directory = restored.data});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), all_rows(postgres));
}

}  // namespace barman::test
