#include "programs/all_programs.h"

#include "cli/barman_program.h"
#include "client/wal_archive_program.h"
#include "client/wal_restore_program.h"
#include "cloud_cli/cloud_programs.h"

namespace barman::programs {

std::vector<const command_line::ProgramSpec*> all_programs() {
  std::vector<const command_line::ProgramSpec*> programs = {
      &cli::barman_program(), &client::wal_archive_program(), &client::wal_restore_program()};
  for (const cloud_cli::CloudProgram& program : cloud_cli::cloud_programs()) {
    programs.push_back(&program.spec());
  }
  return programs;
}

}  // namespace barman::programs
