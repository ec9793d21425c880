#include "support/azure_server.h"

#include <tuple>

#include <fmt/format.h>

#include "base/error.h"
#include "support/eventually.h"
#include "support/port.h"
#include "support/postgres_version.h"

namespace barman::test {
namespace {

std::filesystem::path azurite_program() {
  return azurite_directory() / "node_modules/azurite/dist/src/blob/main.js";
}

}  // namespace

bool AzureServer::is_available() { return std::filesystem::exists(azurite_program()); }

AzureServer& AzureServer::shared() {
  static AzureServer server;
  return server;
}

AzureServer::AzureServer() : directory_("barman-azurite", TempDir::Keep::never) {
  if (!is_available()) {
    throw Error(ErrorKind::not_found, kUnavailable, "Run scripts/install-dependencies test.");
  }
  std::tie(port_, port_lock_) = reserve_port();
  const std::string log = (directory_.path() / "log").string();
  daemon_.emplace(CommandRequest{
      .argv = {"env", "--chdir=" + directory_.path().string(), "node", azurite_program().string(),
               "--blobHost", "127.0.0.1", "--blobPort", std::to_string(port_), "--silent",
               "--inMemoryPersistence", "--disableTelemetry"},
      .environment = {{"AZURITE_ACCOUNTS", fmt::format("{}:{}", kAccount, kAccountKey)}},
      .output_file = log});
  if (!eventually([&] { return is_listening(port_); })) {
    throw Error(ErrorKind::connection, "azurite does not answer: " + read_text(log));
  }
}

std::string AzureServer::account_url() const {
  return fmt::format("http://127.0.0.1:{}/{}", port_, kAccount);
}

std::string AzureServer::connection_string() const {
  return fmt::format("DefaultEndpointsProtocol=http;AccountName={};AccountKey={};BlobEndpoint={};",
                     kAccount, kAccountKey, account_url());
}

std::map<std::string, std::string> AzureServer::environment() const {
  return {{"AZURE_STORAGE_CONNECTION_STRING", connection_string()}};
}

}  // namespace barman::test
