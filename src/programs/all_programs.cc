#include "programs/all_programs.h"

#include "cli/barman_program.h"
#include "client/wal_archive_program.h"
#include "client/wal_restore_program.h"

namespace barman::programs {

std::vector<const command_line::ProgramSpec*> all_programs() {
  return {&cli::barman_program(), &client::wal_archive_program(), &client::wal_restore_program()};
}

}  // namespace barman::programs
