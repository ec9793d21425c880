// What a restore over an existing data directory must not destroy: files of which that directory
// holds the only copy. They are moved into `.barman-saved-<time>` in the data directory, which
// later restores leave alone.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace barman::restore {

// How WAL that was moved aside comes into the archive: `read` runs in the directory where it is
// then, and what it writes goes to `store` on the host of the archive ("" = it does all itself).
struct WalReturn {
  std::string read;
  std::string store = {};
};

inline constexpr std::string_view kSavedPrefix = ".barman-saved-";

// Whether a path of a data directory is of those that PostgreSQL, or a restore, makes: what a
// backup lacks of them belongs to a state of the cluster that is given up. Everything else is of
// somebody who put it there: scripts, keys, logs.
bool is_of_cluster(std::string_view path);

// Whether a file of a WAL directory may hold WAL that nothing else has. Not the archived ones,
// unless the cluster itself still wants them archived; nor segments that PostgreSQL has made or
// renamed for WAL to come.
bool is_unsaved_wal(const std::filesystem::path& path, const std::set<std::string>& archived);

// The same in two steps: by the name, and whether the cluster has it marked as ready to be
// archived; and, where that does not tell, by the first kSegmentHeaderSize bytes.
enum class WalWorth { none, only_copy, told_by_content };
WalWorth worth_of_wal(const std::string& name, bool is_waiting,
                      const std::set<std::string>& archived);
bool is_own_wal(const std::string& name, Bytes beginning);

// Of WAL that was moved aside, by name: the newest segment, unless the server called it complete.
// nullopt: none needs the suffix ".partial".
std::optional<std::string> unfinished_segment(const std::set<std::string>& names,
                                              const std::set<std::string>& complete);

// What to tell of what was moved aside; on another host with the command that leads there.
std::string tell_saved_wal(const std::filesystem::path& data_directory,
                           const std::set<std::string>& names, const std::filesystem::path& place,
                           const WalReturn& way_back, const std::string& remote_command = {});
std::string tell_saved_files(const std::filesystem::path& data_directory,
                             const std::vector<std::string>& names,
                             const std::filesystem::path& place);

class SaveAside {
 public:
  // `way_back` is RestorePlan::wal_return.
  SaveAside(std::filesystem::path data_directory, WalReturn way_back);

  // Moves a file or a directory away. `name`: its path below the data directory. On another file
  // system, as a WAL directory behind a link may be, it stays beside where it was. The newest
  // segment, which the server was still writing, gets the suffix ".partial", as PostgreSQL itself
  // calls what it leaves of one: under its own name it would take the place of the complete one.
  void keep_wal(const std::filesystem::path& path, const std::string& name);
  void keep(const std::filesystem::path& path, const std::string& name);

  // Makes durable what was moved, lists checksums of WAL for `put-wal`, and says for the user what
  // is where and how WAL gets into the archive; empty when there was nothing.
  std::vector<std::string> finish();

 private:
  std::filesystem::path move(const std::filesystem::path& path, const std::string& name);
  std::set<std::string> wal_names() const;
  void name_unfinished();
  void list_checksums(const std::filesystem::path& place) const;

  std::filesystem::path data_directory_;
  WalReturn way_back_;
  std::string directory_name_;
  std::set<std::filesystem::path> changed_;
  // Where each one is now.
  std::map<std::string, std::filesystem::path> wal_;
  // Those that the server called complete.
  std::set<std::string> complete_wal_;
  std::vector<std::string> others_;
};

}  // namespace barman::restore
