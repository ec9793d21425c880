#include "support/postgres_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/port.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartTimeout{60};
constexpr std::chrono::seconds kStopTimeout{60};
// Below the range from which the kernel takes ports for outgoing connections.
constexpr int kFirstPort = 15000;
constexpr int kLastPort = 31000;
constexpr int kPortAttempts = 200;

bool is_bindable(int port) {
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // as PostgreSQL does: connections of the past in TIME_WAIT are no hindrance
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string access_rules(Authentication authentication) {
  if (authentication == Authentication::trust) {
    return "local all all trust\nlocal replication all trust\n"
           "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n";
  }
  const std::string method = authentication == Authentication::md5 ? "md5" : "scram-sha-256";
  return fmt::format(
      "local all postgres trust\nlocal replication postgres trust\n"
      "host all postgres 127.0.0.1/32 trust\nlocal all all {0}\nlocal replication all {0}\n"
      "host all all 127.0.0.1/32 {0}\nhost replication all 127.0.0.1/32 {0}\n",
      method);
}

std::string quoted_setting(const std::string& value) {
  return "'" + replace_all(value, "'", "''") + "'";
}

}  // namespace

std::pair<int, Fd> reserve_port() {
  const fs::path directory =
      fs::temp_directory_path() / fmt::format("barman-test-ports-{}", geteuid());
  fs::create_directories(directory);
  std::random_device random;
  std::uniform_int_distribution<int> ports(kFirstPort, kLastPort);
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    const int port = ports(random);
    Fd lock = open_file(directory / std::to_string(port), O_RDWR | O_CREAT);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0 && is_bindable(port)) {
      return {port, std::move(lock)};
    }
  }
  throw Error(ErrorKind::conflict, "no free port on 127.0.0.1");
}

bool is_listening(int port) {
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

PostgresServer::PostgresServer(PostgresOptions options)
    : options_(std::move(options)),
      version_(options_.bin_directory.empty()
                   ? get_version(options_.major)
                   : PostgresVersion{options_.major, options_.bin_directory}),
      directory_("bpg"),  // short: the path of a socket has at most 107 bytes
      data_directory_(options_.data_directory) {
  std::tie(port_, port_lock_) = reserve_port();
  fs::create_directory(socket_directory());
  const bool is_new = data_directory_.empty();
  if (is_new) initialise_cluster();
  start(options_.start);
  if (is_new) set_up_database();
}

PostgresServer::~PostgresServer() {
  if (!is_running()) return;
  // Immediate: what matters of the cluster, the test has looked at.
  postmaster_->kill(SIGQUIT);
  postmaster_->wait(std::chrono::seconds(10));
}

void PostgresServer::initialise_cluster() {
  data_directory_ = directory_.path() / options_.data_name;
  make_cluster(version_, options_.shape, data_directory_);
  write_configuration();
}

void PostgresServer::write_configuration() const {
  std::map<std::string, std::string> settings{
      {"fsync", "off"},           {"wal_level", "replica"},
      {"max_wal_senders", "10"},  {"max_connections", "50"},
      {"shared_buffers", "16MB"}, {"max_replication_slots", "10"},
      {"log_line_prefix", "%m "}, {"jit", "off"},
      {"log_statement", "none"},  {"hot_standby", "on"}};
  if (options_.authentication == Authentication::md5) settings["password_encryption"] = "md5";
  if (options_.authentication == Authentication::scram_sha_256) {
    settings["password_encryption"] = "scram-sha-256";
  }
  for (const auto& [name, value] : options_.settings) settings[name] = value;
  std::string text = read_text(data_directory_ / "postgresql.conf");
  for (const auto& [name, value] : settings) {
    text += fmt::format("{} = {}\n", name, quoted_setting(value));
  }
  write_text(data_directory_ / "postgresql.conf", text);
  write_text(data_directory_ / "pg_hba.conf", access_rules(options_.authentication));
}

void PostgresServer::set_up_database() {
  if (options_.authentication != Authentication::trust) {
    query(fmt::format(
        "ALTER ROLE barman PASSWORD '{0}'; ALTER ROLE streaming_barman PASSWORD '{0}'", kPassword));
  }
  for (const std::string& name : options_.tablespaces) {
    fs::create_directories(tablespace_directory(name));
    query(fmt::format("CREATE TABLESPACE \"{}\" LOCATION '{}'", name,
                      tablespace_directory(name).string()));
  }
}

fs::path PostgresServer::tablespace_directory(const std::string& name) const {
  return directory_.path() / "tablespaces" / name;
}

void PostgresServer::launch() {
  std::map<std::string, std::string> environment = options_.environment;
  environment.insert({"LC_ALL", "C.UTF-8"});
  std::vector<std::string> argv = {version_.bin_directory / "postgres",
                                   "-D",
                                   data_directory_.string(),
                                   "-c",
                                   fmt::format("port={}", port_),
                                   "-c",
                                   "listen_addresses=127.0.0.1",
                                   "-c",
                                   "unix_socket_directories=" + socket_directory().string()};
  if (!config_file_.empty()) {
    argv.insert(argv.end(), {"-c", "config_file=" + config_file_.string()});
  }
  postmaster_.emplace(CommandRequest{
      .argv = argv, .environment = environment, .output_file = directory_.path() / "log"});
}

// PostgreSQL writes its state into the last line of postmaster.pid.
bool PostgresServer::is_listening() const {
  const std::optional<std::string> text = find_and_read_file(data_directory_ / "postmaster.pid");
  if (!text) return false;
  const std::vector<std::string> lines = split(*text, '\n');
  if (lines.size() < 8 || parse_integer(strip(lines[0])) != postmaster_->pid()) return false;
  const std::string_view state = strip(lines[7]);
  return state == "ready" || state == "standby";
}

void PostgresServer::move_configuration_to(const std::filesystem::path& directory) {
  stop();
  std::string places = fmt::format("data_directory = '{}'\n", data_directory_.string());
  for (const auto& [name, setting] :
       {std::pair("postgresql.conf", "config_file"), std::pair("pg_hba.conf", "hba_file"),
        std::pair("pg_ident.conf", "ident_file")}) {
    std::filesystem::rename(data_directory_ / name, directory / name);
    if (std::string_view(setting) == "config_file") continue;
    places += fmt::format("{} = '{}'\n", setting, (directory / name).string());
  }
  config_file_ = directory / "postgresql.conf";
  write_text(config_file_, read_text(config_file_) + places);
  start();
}

void PostgresServer::start(StartWait wait) {
  if (is_running()) return;
  launch();
  if (wait == StartWait::processes) return;
  const bool is_decided =
      eventually([&] { return is_listening() || !postmaster_->is_running(); }, kStartTimeout);
  if (is_decided && postmaster_->is_running()) return;
  const std::string text = log();
  const std::size_t tail = std::min<std::size_t>(text.size(), 4000);
  throw Error(ErrorKind::internal, fmt::format("PostgreSQL {} does not start; its log ends:\n{}",
                                               options_.major, text.substr(text.size() - tail)));
}

void PostgresServer::stop(StopMode mode) {
  if (!is_running()) return;
  postmaster_->kill(mode == StopMode::fast ? SIGINT : SIGQUIT);
  if (!postmaster_->wait(kStopTimeout)) {
    throw Error(ErrorKind::internal, "PostgreSQL does not stop; its log:\n" + log());
  }
}

void PostgresServer::restart(StopMode mode) {
  stop(mode);
  start();
}

void PostgresServer::kill_9() {
  if (!is_running()) return;
  postmaster_->kill(SIGSTOP);  // it must not start anything while its children are counted
  const std::vector<pid_t> children = list_children(postmaster_->pid());
  postmaster_->kill(SIGKILL);
  for (const pid_t child : children) kill(child, SIGKILL);
  postmaster_->wait(kStopTimeout);
  if (!eventually([&] { return std::ranges::none_of(children, is_alive); }, kStopTimeout)) {
    throw Error(ErrorKind::internal, "processes of PostgreSQL survive SIGKILL");
  }
}

bool PostgresServer::is_running() { return postmaster_ && postmaster_->is_running(); }

void PostgresServer::promote() {
  query("SELECT pg_promote()");
  wait_until_primary();
}

void PostgresServer::wait_until_primary() { wait_until("NOT pg_is_in_recovery()"); }

void PostgresServer::wait_until_ended() {
  if (!eventually([&] { return !is_running(); }, kStopTimeout)) {
    throw Error(ErrorKind::internal, "PostgreSQL does not end; its log:\n" + log());
  }
}

Rows PostgresServer::query(const std::string& sql) const { return Session(conninfo()).query(sql); }

std::string PostgresServer::value(const std::string& sql) const {
  return Session(conninfo()).value(sql);
}

void PostgresServer::wait_until(const std::string& condition_sql) const {
  Session session(conninfo());
  if (!eventually([&] { return session.value("SELECT " + condition_sql) == "t"; })) {
    throw Error(ErrorKind::internal, "never true in PostgreSQL: " + condition_sql);
  }
}

std::string PostgresServer::conninfo(const std::string& user) const {
  return fmt::format("host={} port={} user={} dbname=postgres", socket_directory().string(), port_,
                     user);
}

std::string PostgresServer::tcp_conninfo(const std::string& user) const {
  return fmt::format("host=127.0.0.1 port={} user={} dbname=postgres", port_, user);
}

std::string PostgresServer::log() const {
  return find_and_read_file(directory_.path() / "log").value_or("");
}

}  // namespace barman::test
