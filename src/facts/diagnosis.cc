#include "facts/diagnosis.h"

#include <sys/utsname.h>

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "backup/rsync_run.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "config/option_table.h"
#include "wal_archive/wal_archive.h"

namespace barman::facts {
namespace {

using config::OptionValue;

constexpr const char* kOsRelease = "/etc/os-release";
constexpr std::size_t kMostOsRelease = 65536;
constexpr std::chrono::seconds kRemotePatience{10};
// Between the answers, since a login shell may talk.
constexpr const char* kMark = "-- barman --";

// Options whose text is a secret as a whole: a key, or a command line that prints a passphrase.
OptionValue masked_option(std::string_view key, const OptionValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr || text->empty()) return value;
  return {config::mask_secret_option(key, *text)};
}

// KEY=value lines of /etc/os-release, without quotes.
std::map<std::string, std::string> parse_os_release(const std::string& text) {
  std::map<std::string, std::string> facts;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t sign = line.find('=');
    if (sign == std::string::npos) continue;
    std::string_view value = strip(std::string_view(line).substr(sign + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    facts.emplace(line.substr(0, sign), value);
  }
  return facts;
}

// As lsb_release prints it.
std::string release_text(const std::string& os_release) {
  std::map<std::string, std::string> facts = parse_os_release(os_release);
  const std::string name = facts["NAME"];
  return fmt::format("Distributor ID:\t{}\nDescription:\t{}\nRelease:\t{}\nCodename:\t{}",
                     name.substr(0, name.find(' ')), facts["PRETTY_NAME"], facts["VERSION_ID"],
                     facts["VERSION_CODENAME"]);
}

std::string kernel_text() {
  utsname name = {};
  if (::uname(&name) != 0) return "";
  return fmt::format("{} {} {} {} {} GNU/Linux", name.sysname, name.nodename, name.release,
                     name.version, name.machine);
}

// The first line that a program prints about itself; empty when it is not installed.
std::string program_version(const std::vector<std::string>& argv) {
  try {
    const ProcessResult result =
        run_process({.argv = argv, .environment = {}, .standard_input = {}});
    const std::string& text =
        result.standard_output.empty() ? result.standard_error : result.standard_output;
    return result.exit_code == 0 ? text.substr(0, text.find('\n')) : "";
  } catch (const Error&) {
    // Not being there is what the empty text tells.
    return "";
  }
}

std::map<wal::TimelineId, wal_archive::WalIndexEntry> list_last_wals(const server::Server& server) {
  std::map<wal::TimelineId, wal_archive::WalIndexEntry> wals;
  const wal_archive::WalArchive archive(server);
  for (const auto& [timeline, last] : archive.list_last_segments()) {
    if (auto entry = archive.inspect(last)) wals.emplace(timeline, std::move(*entry));
  }
  return wals;
}

std::vector<catalogue::BackupInfo> list_backups(const server::Server& server,
                                                std::vector<std::string>& messages) {
  catalogue::BackupList list = server.catalogue().list_backups();
  for (const catalogue::BrokenBackup& broken : list.broken) {
    messages.push_back(fmt::format("backup {} is left out: {}", broken.id.value, broken.reason));
  }
  return std::move(list.backups);
}

OptionValue iso_time(const std::optional<Timestamp>& time) {
  return time ? OptionValue{format_iso(in_local_zone(*time), 'T')} : OptionValue{nullptr};
}

// The later value of a key wins.
config::ShownOptions list_diagnosed_values(const server::Server& server, const ServerFacts& facts) {
  config::ShownOptions values = list_live_values(server, facts);
  if (facts.size_bytes) {
    values.emplace_back("current_size", OptionValue{static_cast<double>(*facts.size_bytes)});
  }
  if (facts.slot) {
    const std::optional<wal::Lsn>& lsn = facts.slot->restart_lsn;
    values.emplace_back("replication_slot",
                        OptionValue{OptionValue::List{
                            {facts.slot->name},
                            {facts.slot->active},
                            lsn ? OptionValue{wal::format_lsn(*lsn)} : OptionValue{nullptr}}});
  }
  if (facts.archiver) {
    if (const std::optional<double>& rate = facts.archiver->current_archived_wals_per_second) {
      values.emplace_back("current_archived_wals_per_second", OptionValue{*rate});
    }
    values.emplace_back("last_archived_time", iso_time(facts.archiver->last_archived_time));
    values.emplace_back("last_failed_time", iso_time(facts.archiver->last_failed_time));
    values.emplace_back("stats_reset", iso_time(facts.archiver->stats_reset));
  }
  return values;
}

}  // namespace

GlobalDiagnosis diagnose_configuration(const config::Configuration& configuration) {
  const config::GlobalConfig& global = configuration.global();
  std::map<std::string, OptionValue> values;
  for (const auto& [key, text] : global.raw) values[key] = masked_option(key, {text});
  values["barman_lock_directory"] = {global.barman_lock_directory};
  values["lock_directory_cleanup"] = {global.lock_directory_cleanup};
  values["config_changes_queue"] = {global.config_changes_queue};
  GlobalDiagnosis diagnosis;
  for (auto& [key, value] : values) {
    diagnosis.options.push_back(
        {.key = key, .value = std::move(value), .source = configuration.global_source(key)});
  }
  for (const config::PathConflict& conflict : configuration.global_errors()) {
    diagnosis.errors.push_back(conflict.text);
  }
  return diagnosis;
}

std::map<std::string, std::vector<DiagnosedOption>> diagnose_models(
    const config::Configuration& configuration) {
  std::map<std::string, std::vector<DiagnosedOption>> models;
  for (const auto& [name, model] : configuration.models()) {
    std::vector<DiagnosedOption>& options = models[name];
    const auto add = [&, &section = name](std::string_view key, OptionValue value) {
      options.push_back({.key = std::string(key),
                         .value = std::move(value),
                         .source = configuration.section_source(section, key)});
    };
    for (const config::Option& option : config::server_options()) {
      if (!config::has_scope(option.scopes, config::Scope::model)) continue;
      if (option.name == "cluster") continue;  // comes last, of every model
      const auto value = model.values.find(option.name);
      add(option.name,
          value == model.values.end()
              ? OptionValue{nullptr}
              : masked_option(option.name, config::exported_value(option, value->second)));
    }
    add("cluster", {model.cluster});
    // Of servers only, and in Barman's list of both.
    add("disabled", {nullptr});
    add("model", {true});
  }
  return models;
}

SystemFacts gather_system_facts() {
  return {.kernel = kernel_text(),
          .release = release_text(
              find_and_read_file(kOsRelease, kMostOsRelease, Links::follow).value_or("")),
          .rsync_version = program_version({"rsync", "--version"}),
          .ssh_version = program_version({"ssh", "-V"})};
}

std::optional<SystemFacts> find_system_facts(const host::Host& host, std::chrono::seconds limit) {
  const std::string script = fmt::format(
      "echo '{0}'; uname -a; echo '{0}'; cat {1}; echo '{0}'; rsync --version; echo '{0}'; "
      "ssh -V 2>&1; echo '{0}'",
      kMark, kOsRelease);
  std::vector<std::string> argv = {"timeout", "--kill-after=1", std::to_string(limit.count())};
  for (const std::string& word : host.command({"sh", "-c", script})) argv.push_back(word);
  const ProcessResult result = run_process({.argv = argv, .environment = {}, .standard_input = {}});
  // What is said before the first mark, four answers, and nothing.
  std::vector<std::string> answers = {""};
  for (const std::string& line : split(result.standard_output, '\n')) {
    if (line == kMark) {
      answers.emplace_back();
    } else {
      answers.back() += line + "\n";
    }
  }
  if (answers.size() != 6) return std::nullopt;
  const auto first_line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  return SystemFacts{.kernel = first_line(answers[1]),
                     .release = release_text(answers[2]),
                     .rsync_version = first_line(answers[3]),
                     .ssh_version = first_line(answers[4])};
}

ServerDiagnosis diagnose_server(const server::Server& server,
                                const config::Configuration& configuration,
                                const ServerFacts& facts) {
  const config::ServerConfig& config = server.config();
  ServerDiagnosis diagnosis;
  diagnosis.active_model = config.active_model;
  for (const auto& [key, value] : config::list_exported_options(config)) {
    diagnosis.options.push_back({.key = key,
                                 .value = masked_option(key, value),
                                 .source = configuration.source(config, key)});
  }
  diagnosis.live_values = list_diagnosed_values(server, facts);
  diagnosis.messages = config.messages;
  const auto try_part = [&](const auto& gather) {
    try {
      gather();
    } catch (const Error& error) {
      // A directory that cannot be read is part of the diagnosis.
      if (error.kind() == ErrorKind::interrupted) throw;
      diagnosis.messages.push_back(error.describe());
    }
  };
  try_part([&] { diagnosis.backups = list_backups(server, diagnosis.messages); });
  try_part([&] { diagnosis.last_wals = list_last_wals(server); });
  if (config.ssh_command && !config.disabled) {
    const host::SshHost host({.command = *config.ssh_command + " " + backup::kSshOptions,
                              .title = "the host of PostgreSQL",
                              .option = "ssh_command"});
    try_part([&] { diagnosis.remote_system = find_system_facts(host, kRemotePatience); });
  }
  return diagnosis;
}

}  // namespace barman::facts
