#include "postgres/connect_problem.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/tls_advice.h"

namespace barman::postgres {
namespace {

struct Phrase {
  std::string_view text;
  ConnectCause cause;
};

// The order matters: the first one that is found wins.
constexpr std::array<Phrase, 26> kPhrases = {{
    {"GSSAPI", ConnectCause::kerberos},
    {"password authentication failed", ConnectCause::password_wrong},
    {"no password supplied", ConnectCause::password_missing},
    {"pg_hba.conf rejects", ConnectCause::hba_rejects},
    {"no pg_hba.conf entry", ConnectCause::no_hba_entry},
    {"certificate authentication failed", ConnectCause::tls},
    {"authentication failed", ConnectCause::authentication},
    {"must be superuser or replication role", ConnectCause::not_replication},
    {"permission denied to start WAL sender", ConnectCause::not_replication},
    {"is not permitted to log in", ConnectCause::login_forbidden},
    {"role \"", ConnectCause::role_missing},
    {"database \"", ConnectCause::database_missing},
    {"max_wal_senders", ConnectCause::wal_senders},
    {"too many connections", ConnectCause::too_many_sessions},
    {"too many clients", ConnectCause::too_many_sessions},
    {"connection slots", ConnectCause::too_many_sessions},
    {"the database system is", ConnectCause::starting},
    {"definition of service", ConnectCause::unknown_service},
    {"could not translate host name", ConnectCause::unknown_host},
    {"SSL", ConnectCause::tls},
    {"certificate", ConnectCause::tls},
    {"private key file", ConnectCause::tls},
    {"Connection refused", ConnectCause::refused},
    {"timed out", ConnectCause::timeout},
    {"No such file or directory", ConnectCause::no_socket},
    {"Permission denied", ConnectCause::socket_forbidden},
}};

// The words of the phrase "… host "192.0.2.10", user "barman", database "x"".
std::optional<std::string> find_quoted(std::string_view message, std::string_view word) {
  const std::string begin = std::string(word) + " \"";
  const std::size_t from = message.find(begin);
  if (from == std::string_view::npos) return std::nullopt;
  const std::size_t text = from + begin.size();
  const std::size_t end = message.find('"', text);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(message.substr(text, end - text));
}

bool is_socket(const ConnectProblem& problem) {
  return problem.client_address == "[local]" || problem.host.starts_with('/') ||
         problem.host.starts_with('@');
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == ':' || c == '\\') result.push_back('\\');
    result.push_back(c);
  }
  return result;
}

std::string known_or(const std::string& text, std::string_view placeholder) {
  return text.empty() ? std::string(placeholder) : text;
}

// For who works as this user: "~/.pgpass" where it is that one.
std::string shown_password_file(const ConnectProblem& problem) {
  constexpr const char* kUsual = "~/.pgpass";
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  const bool is_usual = home != nullptr && problem.password_file == std::string(home) + "/.pgpass";
  return is_usual ? kUsual : known_or(problem.password_file, kUsual);
}

std::string password_step(const ConnectProblem& problem) {
  const std::string file = problem.password_file_state == PasswordFile::unreadable
                               ? problem.password_file
                               : shown_password_file(problem);
  switch (problem.password_file_state) {
    case PasswordFile::unreadable:
      return fmt::format(
          "\"{0}\" belongs to another user and is not read. As root: chown \"$(stat -c %U:%G "
          "\"$(dirname {0})\")\" {0} && chmod 0600 {0}",
          file);
    case PasswordFile::too_open:
      return fmt::format("libpq ignores \"{0}\", which others may read. Run: chmod 0600 {0}", file);
    case PasswordFile::absent:
    case PasswordFile::usable:
      break;
  }
  return fmt::format("Add the line {} to {} (mode 0600) of the user that runs this program",
                     password_line(problem), file);
}

std::string hba_step(const ConnectProblem& problem) {
  std::string text = fmt::format(
      "Put this line into pg_hba.conf of the server, before the others for this user: {} ; then "
      "reload: psql -c 'SELECT pg_reload_conf()'",
      hba_line(problem));
  if (!problem.has_tls && !is_socket(problem)) {
    text += problem.ssl_mode == "disable"
                ? ". A line 'hostssl' does not count with sslmode=disable in the connection string"
                : ". A line 'hostssl' counts only when PostgreSQL has ssl = on";
  }
  return text;
}

std::string listen_step(const ConnectProblem& problem) {
  return fmt::format(
      "Check that PostgreSQL runs on {0} and listens there: psql -c 'SHOW listen_addresses' -c "
      "'SHOW port'. Debian's default listens on localhost only: psql -c \"ALTER SYSTEM SET "
      "listen_addresses = '*'\", then restart PostgreSQL",
      known_or(problem.host, "this host"));
}

std::string role_step(const ConnectProblem& problem, const std::string& attribute) {
  return fmt::format("As superuser, in psql: ALTER ROLE {} {};",
                     quoted_name(known_or(problem.user, "ROLE")), attribute);
}

std::string create_step(const ConnectProblem& problem) {
  const std::string role = quoted_name(known_or(problem.user, "ROLE"));
  return fmt::format(
      "As superuser, in psql: CREATE ROLE {0} LOGIN{1}; and \\password {0}, or correct the user in "
      "the connection string",
      role, problem.is_replication ? " REPLICATION" : "");
}

std::string kerberos_step(const ConnectProblem& problem) {
  if (is_other_principal(problem)) {
    return fmt::format(
        "The ticket is of a principal that may not be {0}: 'klist' names it. Put the line "
        "'MAP PRINCIPAL {0}' into pg_ident.conf and map=MAP behind gss in pg_hba.conf, then "
        "reload, or get a ticket of the right one.",
        quoted_name(known_or(problem.user, "ROLE")));
  }
  return "Get a Kerberos ticket for the user that runs this program (kinit -k -t KEYTAB "
         "PRINCIPAL; k5start renews it), or let its line in pg_hba.conf ask for scram-sha-256.";
}

}  // namespace

bool is_other_principal(const ConnectProblem& problem) {
  return problem.cause == ConnectCause::kerberos &&
         problem.message.find("authentication failed for user") != std::string::npos;
}

std::string quoted_name(std::string_view name) {
  const bool is_plain = !name.empty() && (name.front() < '0' || name.front() > '9') &&
                        std::all_of(name.begin(), name.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                        });
  if (is_plain) return std::string(name);
  return '"' + replace_all(std::string(name), "\"", "\"\"") + '"';
}

void read_message(ConnectProblem& problem, std::string_view message) {
  problem.message = message;
  problem.cause = ConnectCause::other;
  for (const Phrase& phrase : kPhrases) {
    if (message.find(phrase.text) == std::string_view::npos) continue;
    problem.cause = phrase.cause;
    break;
  }
  // Two attempts may be told, the first one by TLS: "SSL on" before 14.
  problem.has_tls = message.find("SSL encryption") != std::string_view::npos ||
                    message.find("SSL on") != std::string_view::npos;
  if (problem.cause != ConnectCause::no_hba_entry && problem.cause != ConnectCause::hba_rejects)
    return;
  if (auto address = find_quoted(message, "host")) problem.client_address = std::move(*address);
  if (auto user = find_quoted(message, "user")) problem.user = std::move(*user);
  if (auto database = find_quoted(message, "database")) problem.database = std::move(*database);
  problem.is_replication = message.find("replication connection") != std::string_view::npos;
}

PasswordFile look_at_password_file(const std::string& path) {
  struct stat status = {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return PasswordFile::absent;
  if (::access(path.c_str(), R_OK) != 0) return PasswordFile::unreadable;
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) return PasswordFile::too_open;
  return PasswordFile::usable;
}

std::string hba_line(const ConnectProblem& problem) {
  const std::string database =
      problem.is_replication ? "replication" : quoted_name(known_or(problem.database, "postgres"));
  const std::string user = quoted_name(known_or(problem.user, "ROLE"));
  if (is_socket(problem)) return fmt::format("local {} {} scram-sha-256", database, user);
  std::string address = problem.client_address;
  // A link-local one has its interface behind it, which the file does not know.
  if (const std::size_t zone = address.find('%'); zone != std::string::npos) address.resize(zone);
  if (!address.empty()) address += address.find(':') == std::string::npos ? "/32" : "/128";
  return fmt::format("{} {} {} {} scram-sha-256", problem.has_tls ? "hostssl" : "host", database,
                     user, known_or(address, "ADDRESS"));
}

std::string password_line(const ConnectProblem& problem) {
  // A socket in libpq's own directory is "localhost" there.
  const bool is_default_socket = problem.host.empty() || problem.host == "/var/run/postgresql" ||
                                 problem.host == "/run/postgresql" || problem.host == "/tmp";
  return fmt::format("{}:{}:*:{}:PASSWORD", is_default_socket ? "localhost" : escaped(problem.host),
                     known_or(problem.port, "5432"), escaped(known_or(problem.user, "ROLE")));
}

int enough_wal_senders(const ConnectProblem& problem) {
  constexpr std::string_view kCurrent = "(currently ";
  constexpr int kMore = 10;
  const std::size_t from = problem.message.find(kCurrent);
  if (from == std::string::npos) return kMore;
  const std::string number = problem.message.substr(from + kCurrent.size());
  const auto current = parse_integer(number.substr(0, number.find(')')));
  // PostgreSQL allows 262143.
  constexpr std::int64_t kMost = 1000;
  return static_cast<int>(std::clamp<std::int64_t>(current.value_or(0), 0, kMost)) + kMore;
}

std::string connect_next_step(const ConnectProblem& problem) {
  switch (problem.cause) {
    case ConnectCause::no_socket:
      return "Check that PostgreSQL runs, and the socket directory and port of the connection "
             "string.";
    case ConnectCause::socket_forbidden:
      return "Check the permissions of the socket directory.";
    case ConnectCause::refused:
      return listen_step(problem);
    case ConnectCause::timeout:
      return fmt::format(
          "Check the network, the firewall and the host of the connection string: nc -vz {} {}",
          known_or(problem.host, "HOST"), known_or(problem.port, "5432"));
    case ConnectCause::unknown_host:
      return "Correct the host name, or add it to the name service (/etc/hosts).";
    case ConnectCause::no_hba_entry:
      return hba_step(problem);
    case ConnectCause::hba_rejects:
      return "A line of pg_hba.conf rejects this user and host. " + hba_step(problem);
    case ConnectCause::password_missing:
      return password_step(problem);
    case ConnectCause::password_wrong:
      return fmt::format(
          "Correct the password in {0} or in the connection string, or set it as superuser, in "
          "psql: \\password {1} (a role that does not exist is told the same way: CREATE ROLE {1} "
          "LOGIN{2};)",
          shown_password_file(problem), quoted_name(known_or(problem.user, "ROLE")),
          problem.is_replication ? " REPLICATION" : "");
    case ConnectCause::authentication:
      return "Check the user in the connection string. " + hba_step(problem);
    case ConnectCause::kerberos:
      return kerberos_step(problem);
    case ConnectCause::role_missing:
      return create_step(problem);
    case ConnectCause::login_forbidden:
      return role_step(problem, "LOGIN");
    case ConnectCause::not_replication:
      return role_step(problem, "REPLICATION");
    case ConnectCause::database_missing:
      return "Correct dbname in the connection string, or create the database.";
    case ConnectCause::wal_senders:
      return fmt::format(
          "As superuser, in psql: ALTER SYSTEM SET max_wal_senders = {}; (and, where SHOW "
          "wal_level "
          "says minimal, ALTER SYSTEM SET wal_level = replica;) then restart PostgreSQL",
          enough_wal_senders(problem));
    case ConnectCause::too_many_sessions:
      return "Close other sessions, or raise max_connections and restart PostgreSQL.";
    case ConnectCause::starting:
      return "Wait until PostgreSQL accepts connections, then try again.";
    case ConnectCause::unknown_service:
      return "Add the service to ~/.pg_service.conf, or correct its name.";
    case ConnectCause::tls:
      return tls_advice(problem).next_step;
    case ConnectCause::other:
      break;
  }
  return "Check the connection string, the network and the log of PostgreSQL.";
}

ConnectError::ConnectError(ConnectProblem problem)
    : Error(ErrorKind::connection, problem.message, connect_next_step(problem)),
      problem_(std::move(problem)) {}

}  // namespace barman::postgres
