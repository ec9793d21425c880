// A real PostgreSQL of one test, with a cluster of its own. It is started by the constructor,
// listens on a socket directory of its own and on a free port of 127.0.0.1, and ends with the
// object. After a failed test its directory stays.
//
//   PostgresServer postgres({.major = 16, .settings = {{"archive_mode", "on"}}});
//   postgres.query("CREATE TABLE t (id int)");
//   postgres.kill_9();
//
// A restored data directory is started the same way:
//   PostgresServer restored({.major = 16, .data_directory = destination});
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/cluster_template.h"
#include "support/command.h"
#include "support/session.h"
#include "support/temp_dir.h"

namespace barman::test {

enum class Authentication {
  trust,
  md5,            // the roles barman and streaming_barman need kPassword;
  scram_sha_256,  // postgres is trusted still, for the test itself
};
inline constexpr const char* kPassword = "a secret word";

enum class StopMode { fast, immediate };
enum class StartWait {
  ready,      // accepts connections, be it read-only
  processes,  // only the postmaster runs: recovery without hot standby, or one that will fail
};

struct PostgresOptions {
  int major = kUsualMajor;
  // Another build of that version: Debian's can compress with lz4 and zstd.
  std::filesystem::path bin_directory = {};
  // Added to postgresql.conf, after fsync = off, wal_level = replica and the like.
  std::map<std::string, std::string> settings = {};
  Authentication authentication = Authentication::trust;
  ClusterShape shape = {};
  // Created in directories of this test: tablespace_directory("name").
  std::vector<std::string> tablespaces = {};
  // An existing data directory (restored, or a standby's) instead of a new cluster. Nothing in it
  // is changed by us; ports and sockets are given on the command line.
  std::filesystem::path data_directory = {};
  StartWait start = StartWait::ready;
  // Of the server itself, and so of its restore_command.
  std::map<std::string, std::string> environment = {};
  // Of the data directory of a new cluster.
  std::string data_name = "data";
};

class PostgresServer {
 public:
  explicit PostgresServer(PostgresOptions options = {});
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer();

  // Throws with the end of the server's log when it does not come up.
  void start(StartWait wait = StartWait::ready);
  void stop(StopMode mode = StopMode::fast);
  void restart(StopMode mode = StopMode::fast);
  // As Debian has it: postgresql.conf, pg_hba.conf and pg_ident.conf are there, and say so.
  // Restarts.
  void move_configuration_to(const std::filesystem::path& directory);
  // All its processes at once, as a machine that fails.
  void kill_9();
  // Waits until it is a primary.
  void promote();
  bool is_running();
  // Waits until the recovery is over (target reached, action promote) and writes are possible.
  void wait_until_primary();
  // Waits until it has ended by itself (recovery_target_action = shutdown).
  void wait_until_ended();

  // As superuser, on a connection of its own.
  Rows query(const std::string& sql) const;
  std::string value(const std::string& sql) const;
  void wait_until(const std::string& condition_sql) const;

  int major() const { return options_.major; }
  const std::filesystem::path& data_directory() const { return data_directory_; }
  std::filesystem::path tablespace_directory(const std::string& name) const;
  std::filesystem::path directory() const { return directory_.path(); }
  std::filesystem::path socket_directory() const { return directory_.path() / "s"; }
  int port() const { return port_; }
  // "host=… port=… user=… dbname=postgres" by socket, or by TCP.
  std::string conninfo(const std::string& user = "postgres") const;
  std::string tcp_conninfo(const std::string& user = "postgres") const;
  std::string log() const;

 private:
  void initialise_cluster();
  void write_configuration() const;
  void set_up_database();
  void launch();
  bool is_listening() const;

  PostgresOptions options_;
  PostgresVersion version_;
  TempDir directory_;
  std::filesystem::path data_directory_;
  std::filesystem::path config_file_;  // "" = the one in the data directory
  Fd port_lock_;
  int port_ = 0;
  std::optional<BackgroundCommand> postmaster_;
};

}  // namespace barman::test
