// A keyring of its own for tests that encrypt, with the real gpg: GNUPGHOME is set while it lives.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/test_support.h"

namespace barman::encryption {

class TestKeyring {
 public:
  static constexpr const char* kKey = "wal@example.com";
  static constexpr const char* kPassphrase = "open sesame";

  explicit TestKeyring(const std::string& key = kKey) {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
    ::setenv("GNUPGHOME", directory_.path().c_str(), 1);
    // Else each use of the key takes a third of a second.
    std::ofstream(directory_.path() / "gpg-agent.conf") << "s2k-count 65536\n";
    gpg({"--passphrase", kPassphrase, "--quick-gen-key", key, "future-default", "default",
         "never"});
  }
  TestKeyring(const TestKeyring&) = delete;
  TestKeyring& operator=(const TestKeyring&) = delete;
  ~TestKeyring() {
    end_agent();
    ::unsetenv("GNUPGHOME");
  }

  // It remembers passphrases, too.
  void end_agent() const { run_process({.argv = {"gpgconf", "--kill", "gpg-agent"}}); }

  void kill_agent() const {
    const std::string answer =
        run_process({.argv = {"gpg-connect-agent", "--no-autostart", "GETINFO pid", "/bye"}})
            .standard_output;
    ASSERT_TRUE(answer.starts_with("D ")) << answer;
    ASSERT_EQ(::kill(std::stoi(answer.substr(2)), SIGKILL), 0);
  }

  // Kills a gpg that encrypts or decrypts with this keyring; false when there is none.
  bool kill_gpg() const {
    const std::string home = "GNUPGHOME=" + directory_.path().string();
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      std::ifstream arguments(process.path() / "cmdline", std::ios::binary);
      std::string text;
      if (!std::getline(arguments, text, '\0') || !text.ends_with("gpg")) continue;
      bool works = false;
      while (std::getline(arguments, text, '\0')) {
        works |= text == "--encrypt" || text == "--decrypt";
      }
      std::ifstream environment(process.path() / "environ", std::ios::binary);
      while (works && std::getline(environment, text, '\0')) {
        if (text == home)
          return ::kill(std::stoi(process.path().filename().string()), SIGKILL) == 0;
      }
    }
    return false;
  }

  std::string gpg(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    std::vector<std::string> argv = {"gpg", "--batch", "--yes", "--pinentry-mode", "loopback"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const ProcessResult result = run_process({.argv = argv, .standard_input = input});
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    return result.standard_output;
  }
  // As Barman calls it.
  std::string encrypt(const std::string& text) const {
    return gpg({"--compress-level", "0", "--recipient", kKey, "--encrypt"}, text);
  }
  std::string decrypt(const std::string& message) const {
    return gpg({"--passphrase", kPassphrase, "--decrypt"}, message);
  }
  std::filesystem::path directory() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
};

}  // namespace barman::encryption
