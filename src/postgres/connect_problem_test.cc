#include "postgres/connect_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/test_support.h"

namespace barman::postgres {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

ConnectProblem problem_of(std::string_view message) {
  ConnectProblem problem{.host = "pg", .port = "5433", .user = "barman", .database = "postgres"};
  read_message(problem, message);
  return problem;
}

struct Example {
  const char* message;
  ConnectCause cause;
  const char* step;
};

class ConnectMessage : public testing::TestWithParam<Example> {};

TEST_P(ConnectMessage, HasItsCauseAndSomethingToPaste) {
  const ConnectProblem problem = problem_of(GetParam().message);
  EXPECT_EQ(problem.cause, GetParam().cause);
  EXPECT_THAT(connect_next_step(problem), HasSubstr(GetParam().step));
  EXPECT_EQ(connect_next_step(problem).find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConnectMessage,
    testing::Values(
        Example{
            R"(FATAL:  no pg_hba.conf entry for host "192.0.2.10", user "barman", database "postgres", no encryption)",
            ConnectCause::no_hba_entry, "host postgres barman 192.0.2.10/32 scram-sha-256"},
        Example{
            R"(FATAL:  no pg_hba.conf entry for host "2001:db8::7", user "barman", database "postgres", SSL encryption
connection to server at "pg" failed: FATAL:  no pg_hba.conf entry for host "2001:db8::7", user "barman", database "postgres", no encryption)",
            ConnectCause::no_hba_entry, "hostssl postgres barman 2001:db8::7/128 scram-sha-256"},
        Example{
            R"(FATAL:  no pg_hba.conf entry for replication connection from host "192.0.2.10", user "Backup-1", SSL on)",
            ConnectCause::no_hba_entry,
            "hostssl replication \"Backup-1\" 192.0.2.10/32 scram-sha-256"},
        Example{
            R"(FATAL:  no pg_hba.conf entry for host "[local]", user "barman", database "postgres", no encryption)",
            ConnectCause::no_hba_entry, "local postgres barman scram-sha-256"},
        Example{
            R"(FATAL:  pg_hba.conf rejects replication connection for host "192.0.2.10", user "x", no encryption)",
            ConnectCause::hba_rejects, "host replication x 192.0.2.10/32"},
        Example{R"(FATAL:  Peer authentication failed for user "barman")",
                ConnectCause::authentication, "host postgres barman ADDRESS"},
        Example{R"(FATAL:  password authentication failed for user "barman")",
                ConnectCause::password_wrong, "\\password barman"},
        Example{"fe_sendauth: no password supplied", ConnectCause::password_missing,
                "pg:5433:*:barman:PASSWORD"},
        Example{R"(FATAL:  role "barman" does not exist)", ConnectCause::role_missing,
                "CREATE ROLE barman LOGIN;"},
        Example{R"(FATAL:  role "barman" is not permitted to log in)",
                ConnectCause::login_forbidden, "ALTER ROLE barman LOGIN;"},
        Example{"FATAL:  must be superuser or replication role to start walsender",
                ConnectCause::not_replication, "ALTER ROLE barman REPLICATION;"},
        Example{"FATAL:  number of requested standby connections exceeds max_wal_senders "
                "(currently 5)",
                ConnectCause::wal_senders, "SET max_wal_senders = 15"},
        Example{R"(FATAL:  database "x" does not exist)", ConnectCause::database_missing, "dbname"},
        Example{"FATAL:  sorry, too many clients already", ConnectCause::too_many_sessions,
                "max_connections"},
        Example{"FATAL:  the database system is starting up", ConnectCause::starting, "Wait"},
        Example{R"(connection to server at "pg" (192.0.2.1), port 5433 failed: Connection refused)",
                ConnectCause::refused, "listen_addresses"},
        Example{"connection to server at \"pg\" failed: Connection timed out",
                ConnectCause::timeout, "nc -vz pg 5433"},
        Example{R"(could not translate host name "pg" to address)", ConnectCause::unknown_host,
                "/etc/hosts"},
        Example{"definition of service \"x\" not found", ConnectCause::unknown_service,
                "pg_service.conf"},
        Example{"server does not support SSL, but SSL was required", ConnectCause::tls, "SHOW ssl"},
        Example{"SSL error: certificate verify failed", ConnectCause::tls, "openssl s_client"},
        Example{"root certificate file \"/x/root.crt\" does not exist", ConnectCause::tls,
                "sslrootcert=PATH"},
        Example{"server certificate for \"a\" does not match host name \"pg\"", ConnectCause::tls,
                "hostaddr=pg"},
        Example{"FATAL:  connection requires a valid client certificate", ConnectCause::tls,
                "sslcert=FILE.crt"},
        Example{"FATAL:  certificate authentication failed for user \"barman\"", ConnectCause::tls,
                "The CN"},
        Example{"SSL error: tlsv1 alert unknown ca", ConnectCause::tls, "ssl_ca_file"},
        Example{"FATAL:  GSSAPI authentication failed for user \"barman\"", ConnectCause::kerberos,
                "pg_ident.conf"},
        Example{"GSSAPI continuation error", ConnectCause::kerberos, "kinit"},
        Example{"socket \"/x/.s.PGSQL.1\" failed: Permission denied",
                ConnectCause::socket_forbidden, "socket directory"},
        Example{"socket \"/x/.s.PGSQL.1\" failed: No such file or directory",
                ConnectCause::no_socket, "socket directory"},
        Example{"FATAL:  das ist neu", ConnectCause::other, "log of PostgreSQL"}));

// Somebody has written 'hostssl', and PostgreSQL does not speak TLS.
TEST(ConnectProblem, SaysWhyALineForTlsDoesNotCount) {
  ConnectProblem problem = problem_of(
      R"(FATAL:  no pg_hba.conf entry for host "192.0.2.10", user "barman", database "postgres", no encryption)");
  EXPECT_THAT(connect_next_step(problem), HasSubstr("'hostssl' counts only when PostgreSQL has"));
  problem.ssl_mode = "disable";
  EXPECT_THAT(connect_next_step(problem), HasSubstr("does not count with sslmode=disable"));
  problem.has_tls = true;
  EXPECT_THAT(connect_next_step(problem), Not(HasSubstr("count")));
}

TEST(ConnectProblem, ThePasswordFileThatIsThereDecidesTheStep) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / ".pgpass";
  EXPECT_EQ(look_at_password_file(path), PasswordFile::absent);
  std::ofstream(path) << "pg:5432:*:x:y\n";
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  EXPECT_EQ(look_at_password_file(path), PasswordFile::too_open);
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  EXPECT_EQ(look_at_password_file(path), PasswordFile::usable);
  ConnectProblem problem = problem_of("fe_sendauth: no password supplied");
  problem.password_file = "/x/.pgpass";
  problem.password_file_state = PasswordFile::too_open;
  EXPECT_THAT(connect_next_step(problem), EndsWith("chmod 0600 /x/.pgpass"));
  problem.password_file_state = PasswordFile::unreadable;
  EXPECT_THAT(connect_next_step(problem), HasSubstr("chown"));
}

TEST(ConnectProblem, LinesOfThePasswordFileAreEscaped) {
  ConnectProblem problem{.host = "/a:b", .user = "c\\d"};
  EXPECT_EQ(password_line(problem), R"(/a\:b:5432:*:c\\d:PASSWORD)");
  problem.host = "/var/run/postgresql";
  EXPECT_EQ(password_line(problem), R"(localhost:5432:*:c\\d:PASSWORD)");
}

TEST(ConnectProblem, TheErrorHasTheNextStep) {
  const ConnectError error(problem_of(R"(FATAL:  role "barman" does not exist)"));
  EXPECT_EQ(error.kind(), ErrorKind::connection);
  EXPECT_THAT(error.hint(), HasSubstr("CREATE ROLE barman"));
}

}  // namespace
}  // namespace barman::postgres
