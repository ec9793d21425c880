#include "doctor/connection_cures.h"

#include <fmt/format.h>

#include "postgres/grants.h"
#include "postgres/tls_advice.h"

namespace barman::doctor {
namespace {

using postgres::ConnectCause;
using postgres::ConnectProblem;
using postgres::PasswordFile;
using postgres::quoted_name;

std::string host_of(const ConnectProblem& problem) {
  return problem.host.empty() ? "this host" : problem.host;
}

std::string port_of(const ConnectProblem& problem) {
  return problem.port.empty() ? "5432" : problem.port;
}

std::string firewall_line(const ConnectProblem& problem, const Site& site) {
  return fmt::format("sudo ufw allow from {} to any port {} proto tcp   # if there is a firewall",
                     site.own_address.empty() ? "ADDRESS_OF_BARMAN" : site.own_address,
                     port_of(problem));
}

std::vector<Cure> not_listening(const ConnectProblem& problem, const Site& site) {
  return {{.place = CurePlace::database_host,
           .cause = fmt::format("nothing accepts connections on {}, port {}", host_of(problem),
                                port_of(problem)),
           .lines = {"pg_lsclusters   # does it run, and on which port?",
                     "sudo -u postgres psql -c 'SHOW listen_addresses' -c 'SHOW port'",
                     "sudo -u postgres psql -c \"ALTER SYSTEM SET listen_addresses = '*'\"   # "
                     "unless it is there",
                     "sudo systemctl restart postgresql", firewall_line(problem, site)}}};
}

std::vector<Cure> not_let_in(const ConnectProblem& problem, const Site& site) {
  ConnectProblem known = problem;
  if (known.client_address.empty()) known.client_address = site.own_address;
  std::vector<std::string> lines;
  if (!problem.has_tls && problem.client_address != "[local]") {
    lines.emplace_back(
        "# PostgreSQL has ssl = off, or the connection string sslmode=disable: a "
        "line 'hostssl' does not count");
  }
  lines.push_back(postgres::hba_line(known));
  return {{.place = CurePlace::hba_file,
           .cause = fmt::format("pg_hba.conf does not let role {} in from {}",
                                quoted_name(known.user), known.client_address),
           .lines = lines}};
}

std::vector<Cure> without_password(const ConnectProblem& problem) {
  const std::string file = problem.password_file.empty() ? "~/.pgpass" : problem.password_file;
  switch (problem.password_file_state) {
    case PasswordFile::unreadable:
      return {{.place = CurePlace::root_here,
               .cause = fmt::format("\"{}\" belongs to another user and is not read", file),
               .lines = {fmt::format("chown \"$(stat -c %U:%G \"$(dirname {0})\")\" {0}", file),
                         "chmod 0600 " + file}}};
    case PasswordFile::too_open:
      return {{.place = CurePlace::here,
               .cause = fmt::format("libpq ignores \"{}\": others may read it", file),
               .lines = {"chmod 0600 " + file}}};
    case PasswordFile::absent:
    case PasswordFile::usable:
      break;
  }
  return {{.place = CurePlace::here,
           .cause = fmt::format("PostgreSQL asks for a password of role {}, and \"{}\" has none",
                                quoted_name(problem.user), file),
           .lines = {fmt::format("(umask 077; cat >> {})", file),
                     "# then type this line, with the password, Enter and Ctrl-D:",
                     "# " + postgres::password_line(problem)}}};
}

Cure in_psql(std::string cause, std::vector<std::string> lines) {
  return {.place = CurePlace::psql, .cause = std::move(cause), .lines = std::move(lines)};
}

// More than the number that PostgreSQL tells; with wal_level = minimal it would not start.
Cure more_wal_senders(const ConnectProblem& problem, const Site& site) {
  std::vector<std::string> lines;
  if (site.wal_level == "minimal") {
    lines.emplace_back("ALTER SYSTEM SET wal_level = replica;");
  } else if (site.wal_level.empty()) {
    lines = {"SELECT current_setting('wal_level') = 'minimal' AS is_minimal \\gset",
             "\\if :is_minimal", "ALTER SYSTEM SET wal_level = replica;", "\\endif"};
  }
  lines.push_back(
      fmt::format("ALTER SYSTEM SET max_wal_senders = {};", postgres::enough_wal_senders(problem)));
  return {.place = CurePlace::psql,
          .cause = "PostgreSQL allows too few WAL senders (max_wal_senders)",
          .lines = std::move(lines),
          .needs_restart = true};
}

std::vector<Cure> role_cures(const ConnectProblem& problem) {
  const std::string role = quoted_name(problem.user);
  const auto alter = [&](const char* attribute) {
    return in_psql(fmt::format("role {} lacks the attribute {}", role, attribute),
                   {fmt::format("ALTER ROLE {} {};", role, attribute)});
  };
  switch (problem.cause) {
    case ConnectCause::login_forbidden:
      return {alter("LOGIN")};
    case ConnectCause::not_replication:
      return {alter("REPLICATION")};
    case ConnectCause::password_wrong:
      return {in_psql(fmt::format("role {} has another password than that in \"{}\" or the "
                                  "connection string, or does not exist",
                                  role, problem.password_file),
                      {fmt::format("-- CREATE ROLE {} LOGIN{};   -- unless it is there", role,
                                   problem.is_replication ? " REPLICATION" : ""),
                       "SET password_encryption = 'scram-sha-256';", "\\password " + role})};
    default:
      break;
  }
  return {in_psql(
      fmt::format("role {} does not exist", role),
      {fmt::format("CREATE ROLE {} LOGIN{};", role, problem.is_replication ? " REPLICATION" : ""),
       "SET password_encryption = 'scram-sha-256';", "\\password " + role})};
}

Cure other_principal(const ConnectProblem& problem) {
  return {.place = CurePlace::database_host,
          .cause = fmt::format("the Kerberos principal of this user may not be role {}: 'klist' "
                               "here names it",
                               quoted_name(problem.user)),
          .lines = {
              fmt::format("# into pg_ident.conf:   barman PRINCIPAL {}", quoted_name(problem.user)),
              "# behind gss in the line of pg_hba.conf:   map=barman",
              "sudo -u postgres psql -c 'SELECT pg_reload_conf()'"}};
}

Cure of_tls(const ConnectProblem& problem) {
  postgres::TlsAdvice advice = postgres::tls_advice(problem);
  CurePlace place = CurePlace::here;
  switch (advice.side) {
    case postgres::TlsSide::here:
      break;
    case postgres::TlsSide::configuration:
      place = CurePlace::configuration;
      break;
    case postgres::TlsSide::psql:
      place = CurePlace::psql;
      break;
  }
  return {.place = place, .cause = std::move(advice.cause), .lines = std::move(advice.lines)};
}

std::vector<Cure> server_cures(const ConnectProblem& problem, const Site& site) {
  if (problem.cause == ConnectCause::wal_senders) return {more_wal_senders(problem, site)};
  if (problem.cause == ConnectCause::too_many_sessions) {
    return {in_psql("all sessions of PostgreSQL are taken",
                    {"SHOW max_connections;",
                     "-- ALTER SYSTEM SET max_connections = MORE;   -- then restart PostgreSQL"})};
  }
  if (problem.cause == ConnectCause::tls) return {of_tls(problem)};
  return {{.place = CurePlace::database_host,
           .cause = "PostgreSQL is starting, stopping or in recovery: " + problem.message,
           .lines = {"pg_lsclusters", "sudo journalctl -u 'postgresql*' -n 50"}}};
}

std::vector<Cure> way_cures(const ConnectProblem& problem, const Site& site) {
  switch (problem.cause) {
    case ConnectCause::no_socket:
    case ConnectCause::socket_forbidden:
      return {
          {.place = CurePlace::database_host,
           .cause = fmt::format("no PostgreSQL is behind the socket in \"{}\", port {}",
                                problem.host, port_of(problem)),
           .lines = {"pg_lsclusters", "sudo systemctl start postgresql",
                     "sudo -u postgres psql -c 'SHOW unix_socket_directories' -c 'SHOW port'"}}};
    case ConnectCause::timeout:
      return {{.place = CurePlace::database_host,
               .cause = fmt::format("{}, port {}, does not answer: a firewall, or the host is down",
                                    host_of(problem), port_of(problem)),
               .lines = {firewall_line(problem, site)}},
              {.place = CurePlace::here,
               .cause = "whether the port can be reached",
               .lines = {fmt::format("nc -vz {} {}", host_of(problem), port_of(problem))}}};
    case ConnectCause::unknown_host:
      return {{.place = CurePlace::root_here,
               .cause = fmt::format("the name \"{}\" has no address", problem.host),
               .lines = {fmt::format("echo 'ADDRESS {}' >> /etc/hosts", problem.host)}}};
    default:
      break;
  }
  return not_listening(problem, site);
}

}  // namespace

std::vector<Cure> connection_cures(const ConnectProblem& problem, const Site& site) {
  switch (problem.cause) {
    case ConnectCause::refused:
    case ConnectCause::no_socket:
    case ConnectCause::socket_forbidden:
    case ConnectCause::timeout:
    case ConnectCause::unknown_host:
      return way_cures(problem, site);
    case ConnectCause::no_hba_entry:
    case ConnectCause::hba_rejects:
    case ConnectCause::authentication:
      return not_let_in(problem, site);
    case ConnectCause::password_missing:
      return without_password(problem);
    case ConnectCause::password_wrong:
    case ConnectCause::role_missing:
    case ConnectCause::login_forbidden:
    case ConnectCause::not_replication:
      return role_cures(problem);
    case ConnectCause::wal_senders:
    case ConnectCause::too_many_sessions:
    case ConnectCause::starting:
    case ConnectCause::tls:
      return server_cures(problem, site);
    case ConnectCause::kerberos:
      if (postgres::is_other_principal(problem)) return {other_principal(problem)};
      return {{.place = CurePlace::here,
               .cause = "Kerberos refuses: " + problem.message,
               .lines = {"klist", "kinit -k -t KEYTAB PRINCIPAL"}}};
    case ConnectCause::database_missing:
      return {{.place = CurePlace::configuration,
               .cause = fmt::format("database \"{}\" does not exist", problem.database),
               .lines = {fmt::format("[{}]", site.server),
                         fmt::format("conninfo = host={} user={} dbname=postgres", problem.host,
                                     problem.user)}}};
    case ConnectCause::unknown_service:
      return {{.place = CurePlace::here,
               .cause = problem.message,
               .lines = {"cat ~/.pg_service.conf"}}};
    case ConnectCause::other:
      break;
  }
  return {{.place = CurePlace::database_host,
           .cause = problem.message,
           .lines = {"sudo tail -n 50 /var/log/postgresql/*.log"}}};
}

}  // namespace barman::doctor
