// An installation of barman for one test: a directory with barman.conf, the barman home and a log,
// and the built program, run as a user runs it.
//
//   BarmanHome barman;
//   barman.add_streaming_server("main", postgres);
//   ASSERT_EQ(barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
//   BackgroundCommand receiver = barman.spawn({"receive-wal", "main"});
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"

namespace barman::test {

using Settings = std::map<std::string, std::string>;

class BarmanHome {
 public:
  struct Options {
    Settings global = {};  // added to [barman]; an empty value removes an option
    std::filesystem::path barman_home =
        {};  // a Tmpfs, for example; "home" of the directory if empty
  };

  BarmanHome() : BarmanHome(Options()) {}
  explicit BarmanHome(Options options);
  BarmanHome(const BarmanHome&) = delete;
  BarmanHome& operator=(const BarmanHome&) = delete;
  // Ends the daemons that cron has left.
  ~BarmanHome();

  // A section with the connections, backup_method = postgres, streaming_archiver = on, slot
  // "barman" and fast checkpoints. `more` overrides; an empty value removes an option.
  void add_streaming_server(const std::string& name, const PostgresServer& postgres,
                            const Settings& more = {});
  // A section as it stands.
  void add_section(const std::string& name, const Settings& settings);
  void set(const std::string& section, const std::string& option, const std::string& value);

  CommandResult run(const std::vector<std::string>& arguments);
  // The same with an input, a time limit or environment variables; argv is completed.
  CommandResult run(CommandRequest request);
  BackgroundCommand spawn(const std::vector<std::string>& arguments);
  // argv and environment of `barman -c FILE ARGUMENTS`, for strace and the like before it.
  CommandRequest request(const std::vector<std::string>& arguments) const;
  // receive-wal in the background, as soon as PostgreSQL sees it streaming.
  BackgroundCommand spawn_receiver(const std::string& server, const PostgresServer& postgres);

  // For a PostgreSQL whose restore_command calls `barman`: PATH with the built program under that
  // name, and BARMAN_CONFIG_FILE.
  std::map<std::string, std::string> environment_for_restore_command() const;

  std::filesystem::path directory() const { return directory_.path(); }
  std::filesystem::path configuration_file() const { return directory_.path() / "barman.conf"; }
  std::filesystem::path home() const { return home_; }
  std::filesystem::path server_directory(const std::string& name) const { return home_ / name; }
  std::filesystem::path log_file() const { return directory_.path() / "barman.log"; }
  std::string log() const;
  // IDs of the backups of a server by their directories, oldest first.
  std::vector<std::string> backup_ids(const std::string& server) const;

 private:
  void write_configuration() const;

  TempDir directory_;
  std::filesystem::path home_;
  std::map<std::string, Settings> sections_;
};

}  // namespace barman::test
