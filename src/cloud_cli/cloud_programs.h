// The programs for buckets, one executable: which one it is, its name says.
#pragma once

#include <string_view>
#include <vector>

#include "command_line/program_spec.h"

namespace barman::cloud_cli {

const command_line::ProgramSpec& cloud_backup_program();
const command_line::ProgramSpec& cloud_backup_delete_program();
const command_line::ProgramSpec& cloud_backup_keep_program();
const command_line::ProgramSpec& cloud_backup_list_program();
const command_line::ProgramSpec& cloud_backup_show_program();
const command_line::ProgramSpec& cloud_check_wal_archive_program();
const command_line::ProgramSpec& cloud_restore_program();
const command_line::ProgramSpec& cloud_wal_archive_program();
const command_line::ProgramSpec& cloud_wal_restore_program();

int run_cloud_backup(int argc, char** argv);
int run_cloud_backup_delete(int argc, char** argv);
int run_cloud_backup_keep(int argc, char** argv);
int run_cloud_backup_list(int argc, char** argv);
int run_cloud_backup_show(int argc, char** argv);
int run_cloud_check_wal_archive(int argc, char** argv);
int run_cloud_restore(int argc, char** argv);
int run_cloud_wal_archive(int argc, char** argv);
int run_cloud_wal_restore(int argc, char** argv);

struct CloudProgram {
  std::string_view name;
  const command_line::ProgramSpec& (*spec)();
  int (*run)(int argc, char** argv);
};
// Sorted by name.
const std::vector<CloudProgram>& cloud_programs();

// argv[0] says which one.
int run_cloud(int argc, char** argv);

}  // namespace barman::cloud_cli
