// Connections with TLS: backup and WAL streaming over a verified connection, and each way in which
// a handshake fails, with the cure that is told for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "base/process.h"
#include "support/barman_home.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

// A key and its self-signed certificate for 127.0.0.1.
struct Certificate {
  explicit Certificate(const std::string& name) {
    key = directory.path() / (name + ".key");
    certificate = directory.path() / (name + ".crt");
    const ProcessResult made =
        run_process({.argv = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                              "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1",
                              "-keyout", key.string(), "-out", certificate.string()}});
    if (made.exit_code != 0) throw std::runtime_error(made.standard_error);
    fs::permissions(key, fs::perms::owner_read | fs::perms::owner_write);
  }
  TempDir directory;
  fs::path key;
  fs::path certificate;
};

struct TlsSite {
  TlsSite() { trust(certificate); }
  void trust(const Certificate& trusted) {
    const std::string tls = " sslmode=verify-full sslrootcert=" + trusted.certificate.string();
    barman.add_streaming_server(
        "main", postgres,
        {{"conninfo", postgres.tcp_conninfo("barman") + tls},
         {"streaming_conninfo", postgres.tcp_conninfo("streaming_barman") + tls}});
  }

  Certificate certificate = Certificate("server");
  PostgresServer postgres =
      PostgresServer({.settings = {{"ssl", "on"},
                                   {"ssl_cert_file", certificate.certificate.string()},
                                   {"ssl_key_file", certificate.key.string()}}});
  BarmanHome barman;
};

TEST(Tls, CarriesBackupAndWal) {
  TlsSite site;
  ASSERT_EQ(site.barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  const BackgroundCommand receiver = site.barman.spawn_receiver("main", site.postgres);
  EXPECT_EQ(site.postgres.value("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication "
                                "USING (pid)"),
            "t");
  // Some megabytes, so that TLS records and COPY messages do not end together.
  site.postgres.query(
      "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 20) AS text FROM "
      "generate_series(1, 60000) g");
  ASSERT_EQ(site.barman.run({"switch-wal", "--force", "--archive", "main"}).exit_code, 0);
  const CommandResult backup = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(backup.exit_code, 0) << backup.err;

  const TempDir target;
  const fs::path destination = target.path() / "data";
  ASSERT_EQ(site.barman
                .run({"restore", "--target-immediate", "--target-action", "promote", "main",
                      "latest", destination.string()})
                .exit_code,
            0);
  const PostgresServer restored({.data_directory = destination});
  EXPECT_EQ(restored.value("SELECT count(*) FROM t"), "60000");
}

TEST(Tls, RefusesACertificateThatIsNotTrusted) {
  TlsSite site;
  const Certificate other("other");
  site.trust(other);
  const CommandResult result = site.barman.run({"receive-wal", "--create-slot", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("certificate verify failed"));
}

void openssl(const std::vector<std::string>& words) {
  std::vector<std::string> argv = {"openssl"};
  argv.insert(argv.end(), words.begin(), words.end());
  const ProcessResult made = run_process({.argv = argv});
  if (made.exit_code != 0) throw std::runtime_error(made.standard_error);
}

// An authority, and what it signs: NAME.key, NAME.crt.
class Authority {
 public:
  Authority() { openssl(with_new_key("ca", {"-x509", "-days", "2", "-out", file("ca.crt")})); }
  std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

  // `names`: "DNS:pg,IP:127.0.0.1".
  void sign(const std::string& name, const std::string& names, int days = 2) const {
    openssl(with_new_key(name, {"-out", file("request")}));
    write_text(file("names"), "subjectAltName=" + names);
    openssl({"x509", "-req", "-in", file("request"), "-CA", file("ca.crt"), "-CAkey",
             file("ca.key"), "-CAcreateserial", "-days", std::to_string(days), "-extfile",
             file("names"), "-out", file(name + ".crt")});
    fs::permissions(file(name + ".key"), fs::perms::owner_read | fs::perms::owner_write);
  }

 private:
  std::vector<std::string> with_new_key(const std::string& name,
                                        const std::vector<std::string>& more) const {
    std::vector<std::string> words = {
        "req",    "-newkey", "ec",          "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-subj",   "/CN=" + name, "-keyout",  file(name + ".key")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  TempDir directory_;
};

// One server for all; each test sets its certificate, its pg_hba.conf and the connection string.
class TlsCures : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    authority_ = std::make_unique<Authority>();
    authority_->sign("good", "IP:127.0.0.1");
    authority_->sign("expired", "IP:127.0.0.1", -1);
    authority_->sign("elsewhere", "DNS:pg.example.org");
    authority_->sign("barman", "DNS:barman");
    authority_->sign("other", "DNS:other");
    postgres_ = std::make_unique<PostgresServer>(
        PostgresOptions{.settings = {{"ssl_ca_file", authority_->file("ca.crt")}}});
  }
  static void TearDownTestSuite() {
    postgres_.reset();
    authority_.reset();
  }

  static void serve(const std::string& certificate) {
    if (certificate.empty()) {
      postgres_->query("ALTER SYSTEM SET ssl = off");
    } else {
      postgres_->query("ALTER SYSTEM SET ssl_cert_file = '" +
                       authority_->file(certificate + ".crt") + "'");
      postgres_->query("ALTER SYSTEM SET ssl_key_file = '" +
                       authority_->file(certificate + ".key") + "'");
      postgres_->query("ALTER SYSTEM SET ssl = on");
    }
    reload(certificate.empty() ? "off" : "on");
  }
  // `line` for the role over TCP.
  static void let_in(const std::string& line) {
    write_text(postgres_->data_directory() / "pg_hba.conf", "local all all trust\n" + line + "\n");
    reload(postgres_->value("SHOW ssl"));
  }
  // A new session sees all of it.
  static void reload(const std::string& ssl) {
    const std::string before = postgres_->value("SELECT pg_conf_load_time()");
    postgres_->query("SELECT pg_reload_conf()");
    postgres_->wait_until("pg_conf_load_time() > '" + before + "'");
    postgres_->wait_until("current_setting('ssl') = '" + ssl + "'");
  }
  // The error of a session with this behind its connection string, and what doctor says of it; ""
  // and
  // "" when it is let in.
  static std::pair<std::string, std::string> told(const std::string& words) {
    BarmanHome barman;
    const std::string conninfo = postgres_->tcp_conninfo("barman") + " " + words;
    barman.add_section("main", {{"conninfo", conninfo},
                                {"streaming_conninfo", conninfo},
                                {"backup_method", "postgres"},
                                {"archiver", "on"}});
    const CommandResult result = barman.run({"switch-wal", "main"});
    if (result.exit_code == 0) return {};
    return {result.err, barman.run({"doctor", "main"}).out};
  }
  static std::string verified(const std::string& mode = "verify-full") {
    return "sslmode=" + mode + " sslrootcert=" + authority_->file("ca.crt");
  }
  static std::string with_certificate(const std::string& name) {
    return verified() + " sslcert=" + authority_->file(name + ".crt") +
           " sslkey=" + authority_->file(name + ".key");
  }
  static void expect_cure(const std::string& words, const std::string& message,
                          const std::string& hint, const std::string& cure) {
    const auto [error, advice] = told(words);
    EXPECT_THAT(error, HasSubstr(message)) << words;
    EXPECT_THAT(error, HasSubstr(hint)) << words;
    EXPECT_THAT(advice, HasSubstr(cure)) << words;
  }

  static inline std::unique_ptr<Authority> authority_;
  static inline std::unique_ptr<PostgresServer> postgres_;
};

TEST_F(TlsCures, OfTheServersCertificate) {
  let_in("hostssl all all 127.0.0.1/32 trust");
  serve("good");
  EXPECT_EQ(told(verified()).first, "");
  const Authority other;
  const std::string look = "openssl s_client -starttls postgres -connect 127.0.0.1:";
  expect_cure("sslmode=verify-ca sslrootcert=" + other.file("ca.crt"), "certificate verify failed",
              "not signed by the authority in " + other.file("ca.crt"), look);
  expect_cure("sslmode=verify-full sslrootcert=/nowhere/root.crt", "does not exist",
              "into /nowhere/root.crt", "sslrootcert=PATH");
  serve("expired");
  expect_cure(verified(), "certificate verify failed", "or expired", look);
  // What is told to look with tells it.
  const auto [error, advice] = told(verified());
  const std::size_t begin = advice.find(look);
  const std::string command = advice.substr(begin, advice.find("   #", begin) - begin);
  EXPECT_THAT(run_process({.argv = {"sh", "-c", command}}).standard_output,
              HasSubstr("certificate has expired"));
  serve("elsewhere");
  expect_cure(verified(), "does not match host name", "host=NAME hostaddr=127.0.0.1",
              "sslmode=verify-ca");
  EXPECT_EQ(told(verified("verify-ca")).first, "");
}

TEST_F(TlsCures, OfAServerWithoutTlsAndAClientWithout) {
  serve("");
  let_in("host all all 127.0.0.1/32 trust");
  expect_cure(verified(), "does not support SSL", "ALTER SYSTEM SET ssl = on",
              "ALTER SYSTEM SET ssl = on;");
  let_in("hostssl all all 127.0.0.1/32 trust");
  expect_cure("sslmode=prefer", "no pg_hba.conf entry",
              "A line 'hostssl' counts only when PostgreSQL has ssl = on", "ssl = off");
  serve("good");
  EXPECT_EQ(told("sslmode=prefer").first, "");
  expect_cure("sslmode=disable", "no pg_hba.conf entry",
              "does not count with sslmode=disable in the connection string", "sslmode=disable");
}

TEST_F(TlsCures, OfTheCertificateOfThisClient) {
  serve("good");
  let_in("hostssl all all 127.0.0.1/32 cert");
  EXPECT_EQ(told(with_certificate("barman")).first, "");
  expect_cure(verified() + " sslcert=/nowhere/x.crt", "valid client certificate",
              "sslcert=FILE.crt sslkey=FILE.key", "CN=barman");
  expect_cure(with_certificate("other"), "certificate authentication failed",
              "The CN of the certificate in sslcert must be barman", "-subject -in FILE.crt");
  const Authority strange;
  strange.sign("barman", "DNS:barman");
  expect_cure(verified() + " sslcert=" + strange.file("barman.crt") +
                  " sslkey=" + strange.file("barman.key"),
              "alert", "must be signed by the authority in PostgreSQL's ssl_ca_file",
              "-issuer -enddate");
  fs::permissions(authority_->file("barman.key"), fs::perms(0644));
  expect_cure(with_certificate("barman"), "group or world access", "chmod 0600", "chmod 0600");
  fs::permissions(authority_->file("barman.key"), fs::perms(0600));
}

}  // namespace
}  // namespace barman::test
