#include "postgres/tls_advice.h"

#include <string_view>

#include <fmt/format.h>

namespace barman::postgres {
namespace {

std::string tls_host(const ConnectProblem& problem) {
  return problem.host.empty() ? "HOST" : problem.host;
}

std::string root_file(const ConnectProblem& problem) {
  return problem.root_certificate.empty() ? "~/.postgresql/root.crt" : problem.root_certificate;
}

// Not trusted and not valid any more are one message of libpq's; OpenSSL tells which.
TlsAdvice not_verified(const ConnectProblem& problem) {
  const std::string look = fmt::format(
      "openssl s_client -starttls postgres -connect {}:{} -CAfile {} </dev/null 2>&1 | grep -i "
      "verif",
      tls_host(problem), problem.port.empty() ? "5432" : problem.port, root_file(problem));
  return {.side = TlsSide::here,
          .cause = fmt::format("the certificate of PostgreSQL is not signed by the authority in "
                               "\"{}\", or has expired",
                               root_file(problem)),
          .lines = {look + "   # which of the two",
                    "# not signed by it: the right certificate of the authority, in sslrootcert",
                    "# expired: a new certificate in ssl_cert_file there, then SELECT "
                    "pg_reload_conf();"},
          .next_step = fmt::format("Which of the two it is, not signed by the authority in {} or "
                                   "expired, tells: {}",
                                   root_file(problem), look)};
}

TlsAdvice other_name(const ConnectProblem& problem) {
  return {.side = TlsSide::configuration,
          .cause = "the certificate of PostgreSQL is for another host name: " + problem.message,
          .lines = {fmt::format("# the name that the certificate has, and the address: host=NAME "
                                "hostaddr={}",
                                tls_host(problem)),
                    "# or sslmode=verify-ca, which trusts the authority and compares no names"},
          .next_step = fmt::format(
              "In the connection string, give the name that the certificate has (host=NAME "
              "hostaddr={}), or sslmode=verify-ca, which compares no names; or let a certificate "
              "be made for this name.",
              tls_host(problem))};
}

TlsAdvice no_root(const ConnectProblem& problem) {
  return {
      .side = TlsSide::here,
      .cause = fmt::format("the authority's certificate is not there: \"{}\"", root_file(problem)),
      .lines = {fmt::format("# copy the certificate of the authority to {}, or name its place "
                            "in the connection string: sslrootcert=PATH",
                            root_file(problem))},
      .next_step = fmt::format("Put the certificate of the authority that has signed "
                               "PostgreSQL's into {}, or name its place: sslrootcert=PATH in "
                               "the connection string.",
                               root_file(problem))};
}

TlsAdvice no_tls_there(const ConnectProblem& problem) {
  return {.side = TlsSide::psql,
          .cause = "PostgreSQL has ssl = off, and the connection string asks for TLS (sslmode=" +
                   problem.ssl_mode + ")",
          .lines = {"ALTER SYSTEM SET ssl = on;   -- with ssl_cert_file and ssl_key_file",
                    "SELECT pg_reload_conf();", "SHOW ssl;"},
          .next_step =
              "As superuser, in psql: ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf(); "
              "(it needs ssl_cert_file and ssl_key_file: SHOW ssl tells), or "
              "sslmode=prefer in the connection string."};
}

TlsAdvice no_client_certificate(const ConnectProblem& problem) {
  return {.side = TlsSide::configuration,
          .cause = "the line of pg_hba.conf asks for a certificate of this client",
          .lines = {fmt::format("# in the connection string: sslcert=FILE.crt sslkey=FILE.key, a "
                                "certificate for CN={} by the authority in PostgreSQL's "
                                "ssl_ca_file",
                                quoted_name(problem.user))},
          .next_step = fmt::format(
              "Give sslcert=FILE.crt sslkey=FILE.key in the connection string: a certificate for "
              "CN={} by the authority in PostgreSQL's ssl_ca_file (usual place: "
              "~/.postgresql/postgresql.crt and .key, mode 0600).",
              problem.user.empty() ? "ROLE" : problem.user)};
}

TlsAdvice other_client(const ConnectProblem& problem) {
  const std::string role = problem.user.empty() ? "ROLE" : problem.user;
  return {.side = TlsSide::configuration,
          .cause = fmt::format("the certificate of this client is not for role {}", role),
          .lines = {"openssl x509 -noout -subject -in FILE.crt   # its CN",
                    fmt::format("# one for CN={0}, or a line in pg_ident.conf: MAP CN {0}, with "
                                "map=MAP behind cert in pg_hba.conf",
                                role)},
          .next_step = fmt::format(
              "The CN of the certificate in sslcert must be {0} ('openssl x509 -noout -subject -in "
              "FILE.crt' shows it), or pg_ident.conf maps it to {0}.",
              role)};
}

TlsAdvice open_key() {
  return {.side = TlsSide::here,
          .cause = "the private key of this client can be read by others",
          .lines = {"chmod 0600 ~/.postgresql/postgresql.key   # or the file in sslkey"},
          .next_step =
              "Run: chmod 0600 FILE, with the file of sslkey "
              "(~/.postgresql/postgresql.key)."};
}

TlsAdvice refused_client() {
  return {.side = TlsSide::configuration,
          .cause =
              "PostgreSQL does not accept the certificate of this client: not signed by the "
              "authority in its ssl_ca_file, or expired",
          .lines = {"openssl x509 -noout -issuer -enddate -in FILE.crt   # the file in sslcert"},
          .next_step =
              "The certificate in sslcert must be signed by the authority in PostgreSQL's "
              "ssl_ca_file and not be expired: openssl x509 -noout -issuer -enddate -in "
              "FILE.crt"};
}

}  // namespace

TlsAdvice tls_advice(const ConnectProblem& problem) {
  const auto says = [&](std::string_view phrase) {
    return problem.message.find(phrase) != std::string::npos;
  };
  if (says("certificate authentication failed")) return other_client(problem);
  if (says("requires a valid client certificate")) return no_client_certificate(problem);
  if (says("does not match host name")) return other_name(problem);
  if (says("root certificate file")) return no_root(problem);
  if (says("does not support SSL")) return no_tls_there(problem);
  if (says("has group or world access")) return open_key();
  if (says("alert")) return refused_client();
  if (says("certificate verify failed")) return not_verified(problem);
  return {.side = TlsSide::psql,
          .cause = "TLS between this host and PostgreSQL fails: " + problem.message,
          .lines = {"SHOW ssl;", "SHOW ssl_cert_file;"},
          .next_step = "Check sslmode and the certificates of both sides: psql -c 'SHOW ssl'"};
}

}  // namespace barman::postgres
