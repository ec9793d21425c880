#include "support/barman_home.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "support/eventually.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

void override_with(Settings& settings, const Settings& more) {
  for (const auto& [name, value] : more) {
    if (value.empty()) {
      settings.erase(name);
    } else {
      settings[name] = value;
    }
  }
}

}  // namespace

BarmanHome::BarmanHome(Options options)
    : home_(options.barman_home.empty() ? directory_.path() / "home" : options.barman_home) {
  fs::create_directories(home_);
  Settings& global = sections_["barman"];
  global = {{"barman_user", user_name()},
            {"barman_home", home_.string()},
            {"log_file", log_file().string()},
            {"log_level", "DEBUG"}};
  override_with(global, options.global);
  write_configuration();
}

BarmanHome::~BarmanHome() {
  for (const pid_t pid : list_processes(configuration_file().string())) {
    kill(pid, SIGKILL);
    eventually([pid] { return !is_alive(pid); }, std::chrono::seconds(5));
  }
}

void BarmanHome::add_streaming_server(const std::string& name, const PostgresServer& postgres,
                                      const Settings& more) {
  Settings settings{{"description", "Server " + name},
                    {"conninfo", postgres.conninfo("barman")},
                    {"streaming_conninfo", postgres.conninfo("streaming_barman")},
                    {"backup_method", "postgres"},
                    {"streaming_archiver", "on"},
                    {"immediate_checkpoint", "true"},
                    // Tests say themselves when something is archived.
                    {"streaming_archiver_prompt", "off"},
                    {"slot_name", "barman"}};
  override_with(settings, more);
  add_section(name, settings);
}

void BarmanHome::add_section(const std::string& name, const Settings& settings) {
  sections_[name] = settings;
  write_configuration();
}

void BarmanHome::set(const std::string& section, const std::string& option,
                     const std::string& value) {
  override_with(sections_[section], {{option, value}});
  write_configuration();
}

void BarmanHome::write_configuration() const {
  std::string text;
  for (const auto& [section, settings] : sections_) {
    text += fmt::format("[{}]\n", section);
    for (const auto& [name, value] : settings) text += fmt::format("{} = {}\n", name, value);
    text += "\n";
  }
  write_text(configuration_file(), text);
}

CommandRequest BarmanHome::request(const std::vector<std::string>& arguments) const {
  CommandRequest request;
  request.argv = {barman_program().string(), "-c", configuration_file().string()};
  request.argv.insert(request.argv.end(), arguments.begin(), arguments.end());
  // The user's own password file, service file and locale have no part in a test.
  request.environment = {{"HOME", directory_.path().string()}, {"LC_ALL", "C.UTF-8"}};
  return request;
}

CommandResult BarmanHome::run(const std::vector<std::string>& arguments) {
  return run_command(request(arguments));
}

CommandResult BarmanHome::run(CommandRequest request) {
  CommandRequest complete = this->request(request.argv);
  complete.environment.merge(request.environment);
  complete.input = std::move(request.input);
  complete.timeout = request.timeout;
  return run_command(complete);
}

BackgroundCommand BarmanHome::spawn(const std::vector<std::string>& arguments) {
  return BackgroundCommand(request(arguments));
}

BackgroundCommand BarmanHome::spawn_receiver(const std::string& server,
                                             const PostgresServer& postgres) {
  BackgroundCommand receiver = spawn({"receive-wal", server});
  Session session(postgres.conninfo());
  const bool is_streaming = eventually([&] {
    const std::string count = session.value(
        "SELECT count(*) FROM pg_stat_replication "
        "WHERE application_name = 'barman_receive_wal' AND state = 'streaming'");
    return count != "0" || !receiver.is_running();
  });
  if (!is_streaming || !receiver.is_running()) {
    throw Error(ErrorKind::internal, "receive-wal does not stream:\n" + receiver.out() +
                                         receiver.err() + "\nlog:\n" + log());
  }
  return receiver;
}

std::map<std::string, std::string> BarmanHome::environment_for_restore_command() const {
  const fs::path programs = directory() / "bin";
  fs::create_directories(programs);
  if (!fs::exists(programs / "barman")) fs::create_symlink(barman_program(), programs / "barman");
  const char* inherited = std::getenv("PATH");
  return {{"PATH", programs.string() + ":" + (inherited == nullptr ? "/usr/bin:/bin" : inherited)},
          {"BARMAN_CONFIG_FILE", configuration_file().string()}};
}

std::string BarmanHome::log() const { return find_and_read_file(log_file()).value_or(""); }

std::vector<std::string> BarmanHome::backup_ids(const std::string& server) const {
  std::vector<std::string> ids;
  const fs::path directory = server_directory(server) / "base";
  if (!fs::exists(directory)) return ids;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) ids.push_back(name);
  }
  std::ranges::sort(ids);
  return ids;
}

}  // namespace barman::test
