// What tests of backups of copied files (rsync, local-rsync) begin with: a PostgreSQL with tables
// that change, tables that nobody touches any more, and one in a tablespace.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {

struct CopiedSite : StreamingSite {
  // `server` names the method, too; `data_name` is that of the data directory.
  CopiedSite(int major, Settings server, const std::string& data_name = "data");

  std::filesystem::path base(const std::string& id) const {
    return server_directory() / "base" / id;
  }
  std::string newest() const { return barman.backup_ids("main").back(); }
  std::string oid_of(const std::string& tablespace) const;
  // The file of a table, below the directory of a backup.
  std::string file_of(const std::string& table) const;
  // Whether both backups have one and the same file there.
  bool is_shared(const std::string& one, const std::string& two, const std::string& path) const;
  // What the log tells of how the manifest of a backup came into being.
  struct ManifestCounts {
    int read = -1;
    int copied = -1;
    int shared = -1;
  };
  ManifestCounts manifest_counts(const std::string& id) const;
};

// A restore of the site's server, with its tablespace, to a place of its own.
struct CopiedRestore {
  CopiedRestore(CopiedSite& site, const std::string& id,
                const std::vector<std::string>& options = {});

  TempDir place;
  std::filesystem::path data;
  CommandResult result;
};

struct stat status_of_file(const std::filesystem::path& path);
// "" or what PostgreSQL's own pg_verifybackup has to say about a directory and this manifest in it.
std::string verified_by_postgres(const std::filesystem::path& data, const std::string& manifest);

}  // namespace barman::test
