#include "programs/all_programs.h"

#include "cli/barman_program.h"
#include "client/wal_archive_program.h"
#include "client/wal_restore_program.h"

namespace barman::programs {

const command_line::ProgramSpec* find_program(std::string_view name) {
  for (const command_line::ProgramSpec* program :
       {&cli::barman_program(), &client::wal_archive_program(), &client::wal_restore_program()}) {
    if (program->name == name) return program;
  }
  return nullptr;
}

}  // namespace barman::programs
