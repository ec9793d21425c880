#include "cloud_cli/cloud_programs.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "cloud_cli/cloud_program.h"
#include "command_line/run_program.h"

namespace barman::cloud_cli {

const std::vector<CloudProgram>& cloud_programs() {
  static const std::vector<CloudProgram> programs = {
      {"barman-cloud-backup", cloud_backup_program, run_cloud_backup},
      {"barman-cloud-backup-delete", cloud_backup_delete_program, run_cloud_backup_delete},
      {"barman-cloud-backup-keep", cloud_backup_keep_program, run_cloud_backup_keep},
      {"barman-cloud-backup-list", cloud_backup_list_program, run_cloud_backup_list},
      {"barman-cloud-backup-show", cloud_backup_show_program, run_cloud_backup_show},
      {"barman-cloud-check-wal-archive", cloud_check_wal_archive_program,
       run_cloud_check_wal_archive},
      {"barman-cloud-restore", cloud_restore_program, run_cloud_restore},
      {"barman-cloud-wal-archive", cloud_wal_archive_program, run_cloud_wal_archive},
      {"barman-cloud-wal-restore", cloud_wal_restore_program, run_cloud_wal_restore},
  };
  return programs;
}

int run_cloud(int argc, char** argv) {
  const std::string_view path = argc > 0 ? argv[0] : "";
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto& programs = cloud_programs();
  const auto program = std::find_if(programs.begin(), programs.end(),
                                    [&](const CloudProgram& one) { return one.name == name; });
  if (program != programs.end()) return program->run(argc, argv);
  std::string names;
  for (const CloudProgram& one : programs) names += fmt::format("\n  {}", one.name);
  command_line::tell(
      fmt::format("ERROR: '{}' is the name of none of these programs:{}", name, names));
  return kExitBadLine;
}

}  // namespace barman::cloud_cli
