// What becomes of each entry of an existing data directory, or of the location of a tablespace,
// when it is brought to the state of a backup. Pure; the same here and on another host.
#pragma once

#include <functional>
#include <string>

#include "copy/backup_tree.h"
#include "restore/restore_plan.h"

namespace barman::restore {

enum class FoundKind { directory, file, directory_link, other };

enum class Treatment {
  // Of somebody else, or a tablespace that lies inside: with all that is in it.
  leave,
  // It stays, and what is in it is looked at.
  enter,
  // The same for a directory of WAL, by the rules of clear_destination.h.
  enter_wal,
  // A file that the backup has, too.
  keep,
  // Nobody knows whose it is: moved aside.
  save,
  remove,
};

class ClearingRules {
 public:
  // Whether the tree will have a file, or a directory, of this path there.
  using IsWanted = std::function<bool(const std::string& path, bool is_directory)>;

  // All of it lives longer.
  ClearingRules(const copy::TreeCopy& tree, const RestorePlan& plan, IsWanted is_wanted)
      : tree_(tree), plan_(plan), is_wanted_(std::move(is_wanted)) {}

  // `path` is relative to the tree. Of an entry below one that is entered only.
  Treatment treatment_of(const std::string& path, FoundKind kind) const;

 private:
  bool is_of_others(const std::string& path) const;
  bool leads_to_tablespace(const std::filesystem::path& path) const;
  bool is_tablespace(const std::filesystem::path& path) const;

  const copy::TreeCopy& tree_;
  const RestorePlan& plan_;
  const IsWanted is_wanted_;
};

}  // namespace barman::restore
