// What cures a failed check, as a value: where it is done, and the lines to paste.
#pragma once

#include <string>
#include <vector>

namespace barman::doctor {

// In the order in which they are done: one that comes later may need those before.
enum class CurePlace {
  root_here,      // a shell of root on this host
  here,           // a shell of the user that runs barman
  database_host,  // a shell on the host of PostgreSQL
  hba_file,       // lines of pg_hba.conf
  psql,           // SQL of a superuser
  configuration,  // lines of barman's configuration
  afterwards,     // a shell of the user that runs barman, when all that is done
};

// What `doctor --apply` may do by itself: it needs no root, touches this host and slots only, and
// takes nothing away.
enum class Action { none, create_directories, create_slot, start_receiver };

struct Cure {
  CurePlace place = CurePlace::afterwards;
  // One sentence.
  std::string cause{};
  // To be pasted; comments begin as they do in that place.
  std::vector<std::string> lines{};
  // Only after a restart of PostgreSQL (CurePlace::psql).
  bool needs_restart = false;
  Action action = Action::none;
  // Labels of `check` that it is for.
  std::vector<std::string> checks{};
};

}  // namespace barman::doctor
