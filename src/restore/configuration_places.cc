#include "restore/configuration_places.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/shell_word.h"
#include "postgres/version_facts.h"

namespace barman::restore {
namespace {

// As they are restored: a file of another name would be found by its setting only.
bool has_usual_name(const std::optional<std::string>& path, std::string_view name) {
  return !path || path->ends_with("/" + std::string(name));
}

bool has_configuration_outside(const catalogue::BackupInfo& backup) {
  return backup.pgdata && backup.config_file &&
         !backup.config_file->starts_with(*backup.pgdata + "/");
}

bool is_of_debian(const catalogue::BackupInfo& backup) {
  return backup.version && backup.config_file &&
         backup.config_file->starts_with("/etc/postgresql/");
}

// pg_createcluster moves the three main files of a directory to /etc/postgresql. What they include
// it leaves, and makes an empty conf.d in its place.
std::string debian_advice(const RestorePlan& plan, const std::vector<std::string>& laid_files) {
  std::set<std::string> others;
  for (const std::string& file : laid_files) {
    if (file == "postgresql.conf" || file == "pg_hba.conf" || file == "pg_ident.conf") continue;
    others.insert(host::shell_word((plan.destination / file.substr(0, file.find('/'))).string()));
  }
  const std::string version = postgres::major_version_text(*plan.restored.version);
  const std::string copy = others.empty() ? ""
                                          : fmt::format("cp -a {} /etc/postgresql/{}/restored/ && ",
                                                        fmt::join(others, " "), version);
  return fmt::format(
      "Or, as root, let Debian take it over, with its files in /etc/postgresql/{0}/restored: "
      "pg_createcluster -d {1} {0} restored && {2}pg_ctlcluster {0} restored start",
      version, host::shell_word(plan.destination.string()), copy);
}

}  // namespace

FilePlaces file_places_of(const catalogue::BackupInfo& backup) {
  const bool has_usual_names = has_usual_name(backup.config_file, "postgresql.conf") &&
                               has_usual_name(backup.hba_file, "pg_hba.conf") &&
                               has_usual_name(backup.ident_file, "pg_ident.conf");
  return has_configuration_outside(backup) && has_usual_names ? FilePlaces::data_directory
                                                              : FilePlaces::as_set;
}

void plan_configuration(const catalogue::BackupInfo& backup, std::vector<stored::KeptFile> kept,
                        RestorePlan& plan) {
  plan.file_places = kept.empty() ? file_places_of(backup) : FilePlaces::data_directory;
  plan.kept_configuration = std::move(kept);
}

std::vector<std::string> start_advice(const RestorePlan& plan,
                                      const std::vector<std::string>& laid_files,
                                      const std::vector<std::string>& missing_files) {
  const std::string destination = host::shell_word(plan.destination.string());
  std::vector<std::string> lines;
  if (!laid_files.empty()) {
    lines.push_back(
        fmt::format("Configuration files that lay outside of PGDATA are in the directory now: {}",
                    fmt::join(laid_files, ", ")));
    lines.push_back(
        fmt::format("Start it, as the user it belongs to, with: pg_ctl -D {} start", destination));
    if (is_of_debian(plan.restored)) lines.push_back(debian_advice(plan, laid_files));
  }
  const bool lacks_settings = std::find(missing_files.begin(), missing_files.end(),
                                        "postgresql.conf") != missing_files.end();
  if (lacks_settings && has_configuration_outside(plan.restored)) {
    const std::string options =
        fmt::format("-c config_file={} -c data_directory={} -c archive_command=false",
                    *plan.restored.config_file, plan.destination.string());
    lines.push_back(fmt::format("On a host that has {}, start it with: pg_ctl -D {} -o {} start",
                                *plan.restored.config_file, destination,
                                host::shell_word(options)));
  }
  return lines;
}

}  // namespace barman::restore
