// Connections with TLS: backup and WAL streaming over a verified connection, and refusal of a
// server whose certificate is not the one that is trusted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace barman::test
