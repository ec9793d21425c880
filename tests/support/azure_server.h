// Azure's Blob service as its emulator has it, azurite, on 127.0.0.1 and in memory. It verifies
// SharedKey and shared access signatures.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "support/command.h"
#include "support/temp_dir.h"

namespace barman::test {

class AzureServer {
 public:
  static constexpr const char* kUnavailable = "azurite is not in the cache of the tests";
  static constexpr const char* kAccount = "barmantest";
  static constexpr const char* kAccountKey = "YmFybWFuLXRlc3Qta2V5LTAxMjM0NTY3ODlhYmNkZWY=";
  static bool is_available();
  // Started at the first call, by the main thread, and ended with the program.
  static AzureServer& shared();

  AzureServer();
  AzureServer(const AzureServer&) = delete;
  AzureServer& operator=(const AzureServer&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:…/barmantest"
  std::string account_url() const;
  std::string connection_string() const;
  // AZURE_STORAGE_CONNECTION_STRING.
  std::map<std::string, std::string> environment() const;

 private:
  TempDir directory_;
  int port_ = 0;
  Fd port_lock_;
  std::optional<BackgroundCommand> daemon_;
};

}  // namespace barman::test
