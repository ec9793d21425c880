#include "support/object_server.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/port.h"
#include "support/postgres_version.h"

namespace barman::test {
namespace fs = std::filesystem;

bool ObjectServer::is_available() { return fs::exists(ceph_directory() / "usr/bin/radosgw"); }

ObjectServer& ObjectServer::shared() {
  static ObjectServer server;
  return server;
}

std::string ObjectServer::endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

std::string ObjectServer::tls_endpoint() const {
  return fmt::format("https://127.0.0.1:{}", tls_port_);
}

std::map<std::string, std::string> ObjectServer::environment() const {
  return {{"AWS_ACCESS_KEY_ID", access_key()},          {"AWS_SECRET_ACCESS_KEY", secret_key()},
          {"AWS_DEFAULT_REGION", "us-east-1"},          {"AWS_CONFIG_FILE", "/dev/null"},
          {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
}

CommandRequest ObjectServer::command(const std::string& program,
                                     std::vector<std::string> arguments) const {
  const fs::path root = ceph_directory();
  const fs::path libraries = root / "usr/lib/x86_64-linux-gnu";
  CommandRequest request{
      .argv = {(root / "usr/bin" / program).string()},
      .environment = {
          {"LD_LIBRARY_PATH", fmt::format("{0}:{0}/ceph:{1}/usr/lib:{1}/lib/x86_64-linux-gnu",
                                          libraries.string(), root.string())},
          {"PYTHONPATH", (root / "usr/lib/python3/dist-packages").string()}}};
  request.argv.insert(request.argv.end(), arguments.begin(), arguments.end());
  return request;
}

void ObjectServer::write_configuration(int monitor_port) const {
  const std::string libraries = (ceph_directory() / "usr/lib/x86_64-linux-gnu").string();
  const std::string settings = fmt::format(
      R"([global]
fsid = 6f1c1c52-8a33-4e6c-9f9f-3d8c63b1a0a1
mon host = v2:127.0.0.1:{mon}/0
ms bind msgr1 = false
public network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {dir}/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default pg autoscale mode = off
osd class dir = {lib}/rados-classes
plugin dir = {lib}/ceph
erasure code dir = {lib}/ceph/erasure-code
run dir = {dir}/run
admin socket = {dir}/run/$name.asok
paxos propose interval = 0.05
paxos min wait = 0.01
mon tick interval = 1
mon osdmap full prune enabled = false
osd fast fail on connection refused = true
log file = {dir}/$name.log
debug rgw = 1
[mon.a]
mon data = {dir}/mon
mon data avail warn = 1
mon data avail crit = 0
mon cluster log file = {dir}/cluster.log
[osd]
osd data = {dir}/osd
osd objectstore = memstore
osd op num shards = 1
memstore device bytes = 4294967296
[client.rgw.a]
rgw data = {dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:{rgw} ssl_endpoint=127.0.0.1:{tls} ssl_certificate={dir}/server.pem ssl_private_key={dir}/server.key tcp_nodelay=1
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
rgw thread pool size = 32
rgw enable usage log = false
rgw max listing results = 100
)",
      fmt::arg("dir", directory_.path().string()), fmt::arg("lib", libraries),
      fmt::arg("mon", monitor_port), fmt::arg("rgw", port_), fmt::arg("tls", tls_port_));
  write_text(file("ceph.conf"), settings);
}

void ObjectServer::make_keys() const {
  const std::string keyring = file("keyring").string();
  run_checked(command("ceph-authtool", {"--create-keyring", keyring, "--gen-key", "-n", "mon.",
                                        "--cap", "mon", "allow *"}));
  for (const char* name : {"client.admin", "client.rgw.a", "osd.0"}) {
    run_checked(
        command("ceph-authtool", {keyring, "--gen-key", "-n", name, "--cap", "mon", "allow *",
                                  "--cap", "osd", "allow *", "--cap", "mgr", "allow *"}));
  }
}

void ObjectServer::make_certificate() const {
  run_checked({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        file("server.key").string(), "-out", certificate_file()}});
}

ObjectServer::ObjectServer() : directory_("barman-ceph", TempDir::Keep::never) {
  if (!is_available()) {
    throw Error(ErrorKind::not_found, kUnavailable, "Run scripts/install-dependencies test.");
  }
  int monitor_port = 0;
  std::tie(port_, port_lock_) = reserve_port();
  std::tie(tls_port_, tls_port_lock_) = reserve_port();
  std::tie(monitor_port, monitor_port_lock_) = reserve_port();
  for (const char* name : {"mon", "osd", "rgw", "run"}) fs::create_directory(file(name));
  write_configuration(monitor_port);
  make_keys();
  make_certificate();
  const std::string map = file("monmap").string();
  run_checked(
      command("monmaptool", {"--create", "--fsid", "6f1c1c52-8a33-4e6c-9f9f-3d8c63b1a0a1", "--addv",
                             "a", fmt::format("[v2:127.0.0.1:{}]", monitor_port), map}));
  run_checked(command("ceph-mon", {"-c", file("ceph.conf").string(), "-i", "a", "--mkfs",
                                   "--monmap", map, "--keyring", file("keyring").string()}));
  start();
}

// The daemons first: they are killed before their directory goes.
ObjectServer::~ObjectServer() { daemons_.clear(); }

void ObjectServer::start() {
  const std::string settings = file("ceph.conf").string();
  const auto begin = [&](const std::string& program, const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"-c", settings};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.emplace_back("-f");
    CommandRequest request = command(program, all);
    request.output_file = file(program + ".out");
    daemons_.emplace_back(request);
  };
  const std::string osd_id = "0b7c9d0e-55a1-4a1c-8d7e-1f2a3b4c5d6e";
  begin("ceph-mon", {"-i", "a"});
  // The client waits until the monitor answers.
  CommandRequest new_osd = command("ceph", {"-c", settings, "osd", "new", osd_id});
  new_osd.argv.insert(new_osd.argv.begin(), "/usr/bin/python3");
  run_checked(new_osd);
  run_checked(command("ceph-osd", {"-c", settings, "-i", "0", "--mkfs", "--osd-uuid", osd_id}));
  begin("ceph-osd", {"-i", "0"});
  begin("radosgw", {"-n", "client.rgw.a"});
  const bool is_up = eventually([&] { return is_listening(port_); });
  if (!is_up) {
    throw Error(ErrorKind::connection,
                "radosgw does not answer: " + read_text(file("radosgw.out")));
  }
  admin({"user", "create", "--uid=barman", "--display-name=barman", "--access-key=" + access_key(),
         "--secret-key=" + secret_key()});
}

std::string ObjectServer::admin(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {"-c", file("ceph.conf").string(), "-n", "client.rgw.a"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_checked(command("radosgw-admin", all));
}

}  // namespace barman::test
