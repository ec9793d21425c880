// What a restore removes or moves aside on another host before it writes into an existing directory
// there. Collected first, done together by a few sessions.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "host/host.h"
#include "restore/remote_listing.h"
#include "restore/restore_plan.h"

namespace barman::restore {

class RemoteClearing {
 public:
  RemoteClearing(const host::Host& host, const RestorePlan& plan, const Interrupt& interrupt);

  // Each entry of a listing of `directory` that goes, or that is in a WAL directory.
  void remove(const std::filesystem::path& path) { removed_.push_back(path.string()); }
  void save(const std::filesystem::path& path, const std::string& name);
  void note_wal(const ListedEntry& entry);
  void note_hidden(const std::string& name) { hidden_names_.insert(name); }

  // Durable with everything else. Returns what to tell.
  std::vector<std::string> run();

 private:
  void judge_wal();
  void save_wal(const std::string& name);
  void move_all();

  const host::Host& host_;
  const RestorePlan& plan_;
  const Interrupt& interrupt_;
  std::set<std::string> hidden_names_;
  std::vector<std::string> removed_;
  std::vector<std::pair<std::string, std::string>> moved_;
  std::vector<std::string> saved_names_;
  // Of pg_wal: files by name, everything else, and what its archive_status has.
  std::set<std::string> wal_files_;
  std::set<std::string> waiting_;
  std::set<std::string> saved_wal_;
  std::string saved_directory_;
};

}  // namespace barman::restore
