// A real object store on 127.0.0.1: Ceph's radosgw with a monitor and one OSD that keeps everything
// in memory, unpacked by scripts/install-dependencies. It verifies signatures, digests of bodies
// and Content-MD5, and starts in about a second; one a test program.
//
//   const ObjectServer& server = ObjectServer::shared();
//   run({"barman-cloud-backup", "--endpoint-url", server.endpoint(), …}, server.environment());
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/temp_dir.h"

namespace barman::test {

class ObjectServer {
 public:
  static constexpr const char* kUnavailable = "Ceph is not in the cache of the tests";
  static bool is_available();
  // Started at the first call, by the main thread, and ended with the program.
  static ObjectServer& shared();

  ObjectServer();
  ~ObjectServer();
  ObjectServer(const ObjectServer&) = delete;
  ObjectServer& operator=(const ObjectServer&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:…"
  std::string endpoint() const;
  std::string access_key() const { return "BARMANTESTKEY"; }
  std::string secret_key() const { return "barman-test-secret-0123456789"; }
  // "https://127.0.0.1:…", with a certificate that only certificate_file() vouches for.
  std::string tls_endpoint() const;
  std::string certificate_file() const { return file("server.pem").string(); }
  // The keys, the region and nothing of this host's own settings.
  std::map<std::string, std::string> environment() const;
  // radosgw-admin(8).
  std::string admin(const std::vector<std::string>& arguments) const;

 private:
  std::filesystem::path file(const std::string& name) const { return directory_.path() / name; }
  CommandRequest command(const std::string& program, std::vector<std::string> arguments) const;
  void write_configuration(int monitor_port) const;
  void make_keys() const;
  void make_certificate() const;
  void start();

  TempDir directory_;
  int port_ = 0;
  int tls_port_ = 0;
  Fd port_lock_;
  Fd tls_port_lock_;
  Fd monitor_port_lock_;
  std::vector<BackgroundCommand> daemons_;
};

}  // namespace barman::test
