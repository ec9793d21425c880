#include "doctor/examine_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <memory>
#include <utility>

#include "backup/outside_files.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "facts/deadline.h"
#include "facts/receiver.h"
#include "postgres/connect_problem.h"
#include "postgres/conninfo.h"
#include "postgres/grants.h"
#include "postgres/queries.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/slot_care.h"

namespace barman::doctor {
namespace {

constexpr std::size_t kMaximumFailedBackups = 20;

std::string user_name() {
  std::array<char, 16384> buffer = {};
  passwd entry = {};
  passwd* found = nullptr;
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : "barman";
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name = {};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "BARMAN_HOST";
  return name.data();
}

struct FreeAddresses {
  void operator()(addrinfo* addresses) const noexcept { ::freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// Each answer is worth having without the others.
template <typename Question>
void ask(const Question& question) {
  try {
    question();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kServerComponent, "doctor: {}", error.describe());
  }
}

SlotState state_of(const std::optional<postgres::ReplicationSlot>& slot) {
  if (!slot) return SlotState::missing;
  if (wal_transfer::describe_slot_loss(*slot)) return SlotState::lost;
  return slot->active ? SlotState::active : SlotState::idle;
}

// A backup that copies files has them anyway; an encrypted one does not keep them.
void look_at_outside_files(const server::Server& server, const postgres::ServerSettings& settings,
                           postgres::Connection& connection, Site& site) {
  const config::ServerConfig& config = server.config();
  if (config.backup_method != config::BackupMethod::postgres) return;
  if (config.encryption.value_or(config::Encryption::none) != config::Encryption::none) return;
  for (const backup::OutsideFile& file : backup::list_outside_files(settings))
    if (file.name) site.unread_files.push_back(file.path);
  if (!site.unread_files.empty())
    site.missing_file_grants = postgres::list_missing_file_grants(connection);
}

void ask_postgres(const server::Server& server, Site& site) {
  constexpr std::chrono::seconds kLimit{30};
  const facts::Deadline deadline(kLimit);
  std::optional<postgres::Connection> connection;
  ask([&] { connection = server.connect(deadline.item_limits()); });
  if (!connection) return;
  site.is_reached = true;
  site.version = connection->server_version();
  site.role = connection->user();
  std::optional<postgres::ServerSettings> settings;
  ask([&] { settings = postgres::query_settings(*connection); });
  if (settings) {
    site.wal_level = settings->wal_level.value_or("");
    ask([&] { look_at_outside_files(server, *settings, *connection, site); });
  }
  ask([&] { site.missing_grants = postgres::list_missing_grants(*connection); });
  for (const char* setting : {"wal_level", "archive_mode"}) {
    ask([&] {
      if (const auto restart = postgres::needs_restart(*connection, setting))
        site.restart_settings[setting] = *restart;
    });
  }
  if (site.archives) {
    ask([&] { site.archiver = postgres::query_archiver_statistics(*connection); });
    ask([&] { site.waiting_wal = postgres::count_waiting_wal(*connection); });
  }
  ask([&] { site.system_id = postgres::format_system_id(postgres::query_system_id(*connection)); });
  if (site.slot_name.empty() || !site.streams) return;
  ask([&] {
    postgres::Connection sender =
        server.with_wal_connections().connect_beside_streaming(deadline.item_limits());
    site.slot = state_of(postgres::find_replication_slot(sender, site.slot_name));
  });
}

// `check` does not ask for it when SQL fails; one round for both is enough.
void try_streaming(const server::Server& server, Examination& examination) {
  if (!server.config().streaming_conninfo) return;
  constexpr std::chrono::seconds kLimit{30};
  try {
    server.connect_streaming(server.config().streaming_archiver_name,
                             facts::Deadline(kLimit).item_limits());
  } catch (const postgres::ConnectError& error) {  // A finding, as those of `check`.
    examination.failures.push_back({.label = "PostgreSQL streaming",
                                    .hint = error.describe(),
                                    .connect_problem = error.problem()});
  }
}

void look_at_catalogue(const server::Server& server, Site& site) {
  ask([&] {
    if (const auto identity = wal_archive::find_known_cluster(server))
      site.stored_system_id = identity->system_id;
  });
  ask([&] {
    const std::vector<catalogue::BackupInfo> backups = server.catalogue().list_backups().backups;
    ask([&] { site.disk = facts::find_disk_space(server, backups); });
    for (const catalogue::BackupInfo& backup : backups) {
      if (backup.status != catalogue::BackupStatus::failed) continue;
      if (site.failed_backups.size() == kMaximumFailedBackups) return;
      const std::string reason = join(split_blanks(backup.error.value_or("")), " ");
      site.failed_backups.push_back({.id = backup.id.value, .reason = reason});
    }
  });
}

}  // namespace

std::string own_address(const std::string& host, const std::string& port) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return "";
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string service = port.empty() ? "5432" : port;
  if (::getaddrinfo(host.c_str(), service.c_str(), &hints, &found) != 0) return "";
  const Addresses addresses(found);
  // Of a datagram socket this only chooses the way.
  const Fd socket(::socket(addresses->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own = {};
  socklen_t size = sizeof own;
  auto* const address = reinterpret_cast<sockaddr*>(&own);
  if (socket.get() < 0 || ::connect(socket.get(), addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      ::getsockname(socket.get(), address, &size) != 0)
    return "";
  std::array<char, NI_MAXHOST> text = {};
  if (::getnameinfo(address, size, text.data(), static_cast<socklen_t>(text.size()), nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return "";
  return text.data();
}

Site describe_site(const server::Server& server) {
  const config::ServerConfig& config = server.config();
  Site site;
  site.server = config.name;
  site.user = user_name();
  site.host_name = host_name();
  site.configuration_file = server.global().config_file;
  site.log_file = server.global().log_file.value_or("");
  site.conninfo = config.conninfo.value_or("");
  const auto parameter = [](const std::optional<std::string>& conninfo, const char* name) {
    return conninfo ? postgres::find_parameter(*conninfo, name).value_or("") : "";
  };
  site.role = parameter(config.conninfo, "user");
  if (site.role.empty()) site.role = site.user;
  site.streaming_role = parameter(config.streaming_conninfo, "user");
  if (site.streaming_role.empty() && config.streaming_conninfo) site.streaming_role = site.user;
  site.database = parameter(config.conninfo, "dbname");
  if (site.database.empty()) site.database = site.role;
  site.database_host = parameter(config.conninfo, "host");
  site.port = parameter(config.conninfo, "port");
  site.own_address = own_address(site.database_host, site.port);
  site.ssh_command = config.is_passive() ? config.primary_ssh_command.value_or("")
                                         : config.ssh_command.value_or("");
  site.slot_name = config.slot_name.value_or("");
  site.streams = config.streaming_archiver;
  site.archives = config.archiver;
  site.is_in_object_storage = config.has_cloud_basebackups() || config.has_cloud_wals();
  return site;
}

Examination examine_server(const server::Server& server, std::chrono::seconds limit) {
  // What else a catalogue would tell is not true then.
  if (const auto absence = server.find_absence(catalogue::NewCatalogue::is_made)) {
    Examination examination{
        .failures = {{.label = "directories", .ok = false, .hint = absence->describe()}},
        .site = describe_site(server)};
    examination.site.absence_hint = absence->hint();
    return examination;
  }
  Examination examination{.failures = check::look_for_failures(server, limit),
                          .site = describe_site(server)};
  Site& site = examination.site;
  site.directories = server::find_directory_problems(server.config());
  look_at_catalogue(server, site);
  ask([&] { site.has_receiver = facts::find_receiver(server).is_running; });
  if (server.config().is_passive() || site.conninfo.empty()) return examination;
  ask_postgres(server, site);
  if (!site.is_reached) ask([&] { try_streaming(server, examination); });
  return examination;
}

}  // namespace barman::doctor
