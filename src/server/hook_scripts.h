// Hook scripts: the user's own programs, run before and after an event.
//
// Order around an event: pre script, pre retry script, event, post retry script, post script. A
// plain script never stops anything. A retry script runs until it exits with 0, 62 (give up, go on)
// or 63 (stop): run_pre() then throws HookAborted. No lock of the WAL catalogue may be held while
// hooks run.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "config/server_config.h"

namespace barman::server {

enum class HookKind { backup, archive, deletion, wal_delete, recovery };

// Variables of one event, without the common ones that HookScripts adds.
using HookVariables = std::map<std::string, std::string>;

// A pre retry script answered 63. Of kind `internal`, which is reported as EXCEPTION.
class HookAborted : public Error {
 public:
  using Error::Error;
};

struct HookContext {
  std::string server_name;
  std::filesystem::path configuration_path;
  std::optional<std::string> path_prefix;
};

// The scripts of one kind for one server. Cheap to build; keeps a reference to the configuration.
class HookScripts {
 public:
  HookScripts(const config::ServerConfig& config, HookContext context, HookKind kind,
              Interrupt interrupt);

  // True when at least one of the four scripts is configured.
  bool is_configured() const;
  // Throws HookAborted, or `interrupted` while waiting to retry.
  void run_pre(const HookVariables& variables) const;
  // `error` is the text of BARMAN_ERROR, empty after success. Never throws but for an interrupt.
  void run_post(const HookVariables& variables, const std::string& error) const;

 private:
  enum class Phase { pre, post };
  void run_plain(const std::string& command, Phase phase, const HookVariables& variables) const;
  void run_retry(const std::string& command, Phase phase, const HookVariables& variables) const;
  int run_once(const std::string& command, Phase phase, bool is_retry,
               const HookVariables& variables) const;

  HookContext context_;
  HookKind kind_;
  Interrupt interrupt_;
  std::optional<std::string> pre_;
  std::optional<std::string> pre_retry_;
  std::optional<std::string> post_;
  std::optional<std::string> post_retry_;
};

}  // namespace barman::server
