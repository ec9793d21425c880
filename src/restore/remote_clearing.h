// What a restore removes or moves aside on another host before it writes into an existing directory
// there. Collected first, done together by a few sessions.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
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
  // Of a directory for WAL that is not pg_wal, by its path below it.
  void note_staged(const ListedEntry& entry);
  void note_hidden(const std::string& name) { hidden_names_.insert(name); }

  // Durable with everything else. Returns what to tell.
  std::vector<std::string> run();
  // After run(): files where the plan puts its WAL, of a name that it puts there.
  const std::set<std::string>& kept_wal() const { return kept_wal_; }

 private:
  void judge_wal();
  bool is_received(const std::string& name) const;
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
  // What the plan copies; its names live in the plan.
  std::set<std::string_view> planned_wal_;
  std::set<std::string> kept_wal_;
  std::string saved_directory_;
};

}  // namespace barman::restore
