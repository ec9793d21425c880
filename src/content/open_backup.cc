#include "content/open_backup.h"

#include <fmt/format.h>

#include "content/plain_tree.h"

namespace barman::content {

std::string BackupTree::manifest_prefix() const {
  return is_data_directory() ? std::string() : fmt::format("pg_tblspc/{}/", oid);
}

std::vector<BackupTree> open_backup(const catalogue::Catalogue& catalogue,
                                    const catalogue::BackupInfo& backup) {
  std::vector<BackupTree> trees;
  std::set<std::string> separate_tablespaces;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    separate_tablespaces.insert(std::to_string(tablespace.oid));
    trees.push_back({tablespace.oid, std::make_shared<PlainTree>(catalogue.tablespace_directory(
                                         backup.id, tablespace.oid))});
  }
  trees.push_back({0, std::make_shared<PlainTree>(catalogue.data_directory(backup.id),
                                                  std::move(separate_tablespaces))});
  return trees;
}

}  // namespace barman::content
