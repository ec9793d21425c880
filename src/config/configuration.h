// The whole configuration: main file, include directory, automatic file, and the servers and models
// made of them.
//
// Loading has two phases because the program changes its user between them: load_main_file() as the
// invoking user, load_rest() as barman_user and with the log open. What makes the whole
// configuration unusable throws; what makes one server unusable disables that server.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/ini_document.h"
#include "config/model.h"
#include "config/server_config.h"
#include "config/validation.h"

namespace barman::config {

// A failure whose message goes to stderr exactly as it is, prefix included; exit code 1. Other
// errors thrown while loading are reported as "EXCEPTION: ...".
class StartupError final : public Error {
 public:
  explicit StartupError(std::string text) : Error(ErrorKind::config, std::move(text)) {}
};

struct GlobalConfig {
  std::string config_file;  // as given: -c text, environment or the default path
  std::string barman_home;
  std::string barman_user = "barman";
  std::string barman_lock_directory;
  bool lock_directory_cleanup = true;
  std::optional<std::string> log_file;
  int log_level = 20;                            // DEBUG 10 ... CRITICAL 50
  std::optional<std::string> unknown_log_level;  // text to warn about once the log is open
  std::optional<std::string> log_format;         // as written: percent signs are the log's
  std::optional<std::string> configuration_files_directory;
  std::string config_changes_queue;
  std::string automatic_file() const { return barman_home + "/.barman.auto.conf"; }
  std::map<std::string, std::string> raw;  // [barman] as written
};

// Where the main file is looked for.
struct MainFileLookup {
  std::optional<std::string> option;       // -c FILE
  std::optional<std::string> environment;  // BARMAN_CONFIG_FILE
  std::optional<std::string> home;         // of the invoking user
  // Tried after ~/.barman.conf.
  std::vector<std::string> defaults = {"/etc/barman.conf", "/etc/barman/barman.conf"};
};

// A part of the configuration that was not read, so that servers or settings may be missing. The
// others are served all the same; who serves or judges all of them has to say so.
struct ConfigurationGap {
  std::string text;
  std::string hint;
  // What Barman tells in its log only: programs that know it expect nothing on stderr.
  bool is_for_log = false;
};

class Configuration {
 public:
  void load_main_file(const MainFileLookup& lookup);
  void load_rest(const ConninfoCheck& check_conninfo);

  const GlobalConfig& global() const noexcept { return global_; }
  // In the order in which they were met.
  const std::vector<ConfigurationGap>& gaps() const noexcept { return gaps_; }
  // For stderr at each run, without the prefix "WARNING: ".
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  std::vector<std::string> server_names() const;  // sorted
  const ServerConfig* find_server(std::string_view name) const;
  const std::map<std::string, Model, std::less<>>& models() const noexcept { return models_; }
  const Model* find_model(std::string_view name) const;
  // Whether a section can have that name: it becomes part of paths and of lock files.
  static bool is_possible_section_name(std::string_view name);
  const std::vector<PathConflict>& global_errors() const noexcept { return conflicts_; }

  // The text of a key in a section of any kind as it is written, all files merged.
  std::optional<std::string> find_written_text(std::string_view section,
                                               std::string_view key) const;

  // The same of a whole section, by key.
  std::map<std::string, std::string> written_texts(std::string_view section) const;
  // Of any kind, [barman] included.
  std::set<std::string> section_names() const;

  // The file that defines an option of a server, or "default".
  std::string source(const ServerConfig& server, std::string_view option) const;
  // The file that defines a key of a section, a model for example, or "default".
  std::string section_source(std::string_view section, std::string_view key) const;
  // The file that defines a key of [barman], or "default".
  std::string global_source(std::string_view key) const;

 private:
  std::optional<std::string> global_value(std::string_view key) const;
  void read_global();
  void require_global_keys() const;
  void merge_include_directory();
  void merge_file_below_main(const std::string& path, const std::string& shown_name);
  void classify_sections();
  void check_keys();
  void build_servers(const ConninfoCheck& check_conninfo);
  void switch_to_active_model(ServerConfig& server);
  void warn_once(std::string text);
  void ignore_section(const std::string& name, std::string_view reason, std::string hint);

  IniDocument document_;
  GlobalConfig global_;
  std::vector<ConfigurationGap> gaps_;
  std::optional<std::string> unread_file_;  // ServerConfig::unread_file
  std::vector<std::string> warnings_;
  std::set<std::string> known_warnings_;
  std::vector<std::string> server_sections_;
  std::vector<std::string> model_sections_;
  ServerMap servers_;
  std::map<std::string, Model, std::less<>> models_;
  std::vector<PathConflict> conflicts_;
};

}  // namespace barman::config
