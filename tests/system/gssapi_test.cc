// Kerberos: PostgreSQL asks for GSSAPI authentication, and a real KDC gives tickets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/port.h"
#include "support/postgres_server.h"
#include "support/postgres_version.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kClient = "client.keytab";
constexpr const char* kStranger = "stranger.keytab";
constexpr const char* kServer = "server.keytab";

// A realm of its own with the principals barman and postgres/localhost.
class KerberosRealm {
 public:
  static bool is_available() { return fs::exists(kerberos_programs() / "krb5kdc"); }

  KerberosRealm() : port_(reserve_port()) {
    const std::string here = place_.path().string();
    const std::string port = std::to_string(port_.first);
    write_text(place_.path() / "krb5.conf",
               "[libdefaults]\n default_realm = BARMAN.TEST\n dns_lookup_kdc = false\n"
               " dns_lookup_realm = false\n rdns = false\n dns_canonicalize_hostname = false\n"
               "[realms]\n BARMAN.TEST = {\n  kdc = 127.0.0.1:" +
                   port + "\n }\n[domain_realm]\n localhost = BARMAN.TEST\n");
    write_text(
        place_.path() / "kdc.conf",
        "[kdcdefaults]\n kdc_listen = 127.0.0.1:" + port + "\n kdc_tcp_listen = 127.0.0.1:" + port +
            "\n[realms]\n BARMAN.TEST = {\n  database_name = " + here +
            "/principal\n  key_stash_file = " + here + "/stash\n  acl_file = " + here +
            "/acl\n }\n[dbmodules]\n db_module_dir = " +
            (kerberos_programs().parent_path() / "lib/x86_64-linux-gnu/krb5/plugins/kdb").string() +
            "\n[logging]\n kdc = FILE:" + here + "/kdc.log\n");
    admin("kdb5_util", {"create", "-s", "-r", "BARMAN.TEST", "-P", "secret"});
    admin("kadmin.local", {"addprinc", "-randkey", "barman"});
    admin("kadmin.local", {"addprinc", "-randkey", "stranger"});
    admin("kadmin.local", {"addprinc", "-randkey", "postgres/localhost"});
    admin("kadmin.local", {"ktadd", "-k", keytab(kClient), "barman"});
    admin("kadmin.local", {"ktadd", "-k", keytab(kStranger), "stranger"});
    admin("kadmin.local", {"ktadd", "-k", keytab(kServer), "postgres/localhost"});
    kdc_.emplace(CommandRequest{.argv = {(kerberos_programs() / "krb5kdc").string(), "-n"},
                                .environment = environment()});
    const bool is_ready = eventually([&] {
      return fs::exists(place_.path() / "kdc.log") &&
             read_text(place_.path() / "kdc.log").find("commencing operation") != std::string::npos;
    });
    EXPECT_TRUE(is_ready) << kdc_->err();
  }
  std::string keytab(const std::string& name) const { return (place_.path() / name).string(); }
  std::map<std::string, std::string> environment() const {
    return {
        {"KRB5_CONFIG", keytab("krb5.conf")},
        {"KRB5_KDC_PROFILE", keytab("kdc.conf")},
        {"KRB5CCNAME", "FILE:" + keytab("tickets")},
        {"LD_LIBRARY_PATH", (kerberos_programs().parent_path() / "lib/x86_64-linux-gnu").string()}};
  }

 private:
  void admin(const std::string& program, const std::vector<std::string>& arguments) const {
    CommandRequest request{.argv = {(kerberos_programs() / program).string()},
                           .environment = environment()};
    request.argv.insert(request.argv.end(), arguments.begin(), arguments.end());
    run_checked(request);
  }

  const TempDir place_;
  std::pair<int, Fd> port_;
  std::optional<BackgroundCommand> kdc_;
};

TEST(Gssapi, LetsInWhoHasATicketAndTellsWhoHasNot) {
  if (!KerberosRealm::is_available()) {
    GTEST_SKIP() << "no KDC in " << kerberos_programs()
                 << ": run scripts/install-dependencies test";
  }
  const KerberosRealm realm;
  // Debian's PostgreSQL can do it.
  PostgresServer postgres(
      {.major = 15,
       .bin_directory = get_debian_version(15).bin_directory,
       .settings = {{"krb_server_keyfile", realm.keytab(kServer)}},
       .environment = {{"KRB5_CONFIG", realm.environment().at("KRB5_CONFIG")}}});
  write_text(postgres.data_directory() / "pg_hba.conf",
             "local all postgres trust\n"
             "host all,replication all 127.0.0.1/32 gss map=kerberos\n");
  write_text(postgres.data_directory() / "pg_ident.conf",
             "kerberos barman@BARMAN.TEST barman\nkerberos barman@BARMAN.TEST streaming_barman\n");
  postgres.query("SELECT pg_reload_conf()");
  BarmanHome barman;
  const std::string place =
      "host=localhost hostaddr=127.0.0.1 port=" + std::to_string(postgres.port()) +
      " dbname=postgres user=";
  barman.add_streaming_server(
      "main", postgres,
      {{"conninfo", place + "barman"}, {"streaming_conninfo", place + "streaming_barman"}});
  // `keytab`: where libkrb5 gets a ticket from; none without.
  const auto run_as = [&](const std::vector<std::string>& arguments, const std::string& keytab) {
    CommandRequest request = barman.request(arguments);
    request.environment.insert_or_assign("KRB5_CONFIG", realm.environment().at("KRB5_CONFIG"));
    request.environment.insert_or_assign(
        "KRB5CCNAME", "FILE:" + realm.keytab("tickets" + (keytab.empty() ? "" : "." + keytab)));
    if (!keytab.empty()) request.environment["KRB5_CLIENT_KTNAME"] = realm.keytab(keytab);
    return request;
  };
  const auto run = [&](const std::vector<std::string>& arguments, bool has_ticket) {
    return run_as(arguments, has_ticket ? kClient : "");
  };
  const CommandResult refused = run_command(run({"receive-wal", "--create-slot", "main"}, false));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("GSSAPI"), HasSubstr("Get a Kerberos ticket for the user")));
  EXPECT_THAT(run_command(run({"doctor", "main"}, false)).out,
              AllOf(HasSubstr("Kerberos refuses"), HasSubstr("kinit -k -t KEYTAB PRINCIPAL")));
  // Somebody else's ticket.
  EXPECT_THAT(run_command(run_as({"switch-wal", "main"}, kStranger)).err,
              AllOf(HasSubstr("GSSAPI authentication failed for user"),
                    HasSubstr("'MAP PRINCIPAL barman' into pg_ident.conf")));
  EXPECT_THAT(run_command(run_as({"doctor", "main"}, kStranger)).out,
              HasSubstr("barman PRINCIPAL barman\n"));
  ASSERT_EQ(run_command(run({"receive-wal", "--create-slot", "main"}, true)).exit_code, 0);
  BackgroundCommand receiver(run({"receive-wal", "main"}, true));
  postgres.wait_until(
      "EXISTS (SELECT FROM pg_stat_replication r JOIN pg_stat_gssapi g USING (pid) "
      "WHERE state = 'streaming' AND gss_authenticated AND NOT encrypted)");
  const CommandResult backup = run_command(run({"backup", "--wait", "main"}, true));
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_EQ(read_backup_info(barman, "main", barman.backup_ids("main").at(0)).at("status"), "DONE");
  // Encryption by GSSAPI is another matter.
  barman.set("main", "conninfo", place + "barman gssencmode=require");
  const CommandResult check = run_command(run({"check", "main"}, true));
  EXPECT_NE(check.exit_code, 0);
  EXPECT_THAT(check.out + check.err, HasSubstr("gssencmode=require is not supported"));
}

}  // namespace
}  // namespace barman::test
