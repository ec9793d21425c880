#include "server/hook_scripts.h"

#include <cstdlib>

#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "version.h"

namespace barman::server {
namespace {

constexpr int kAbortContinue = 62;
constexpr int kAbortStop = 63;
constexpr int kShortPauseMs = 3'000;
constexpr int kLongPauseMs = 60'000;
constexpr int kShortPauses = 5;

std::string kind_name(HookKind kind) {
  switch (kind) {
    case HookKind::backup:
      return "backup";
    case HookKind::archive:
      return "archive";
    case HookKind::deletion:
      return "delete";
    case HookKind::wal_delete:
      return "wal_delete";
    case HookKind::recovery:
      return "recovery";
  }
  return {};
}

void log_output(const std::string& output, log::Level level) {
  for (const std::string& line : split(output, '\n')) {
    if (!line.empty()) log::write(level, "Command", line);
  }
}

}  // namespace

HookScripts::HookScripts(const config::ServerConfig& config, HookContext context, HookKind kind,
                         Interrupt interrupt)
    : context_(std::move(context)), kind_(kind), interrupt_(std::move(interrupt)) {
  const auto take = [this](const auto& pre, const auto& pre_retry, const auto& post,
                           const auto& post_retry) {
    pre_ = pre;
    pre_retry_ = pre_retry;
    post_ = post;
    post_retry_ = post_retry;
  };
  switch (kind) {
    case HookKind::backup:
      take(config.pre_backup_script, config.pre_backup_retry_script, config.post_backup_script,
           config.post_backup_retry_script);
      break;
    case HookKind::archive:
      take(config.pre_archive_script, config.pre_archive_retry_script, config.post_archive_script,
           config.post_archive_retry_script);
      break;
    case HookKind::deletion:
      take(config.pre_delete_script, config.pre_delete_retry_script, config.post_delete_script,
           config.post_delete_retry_script);
      break;
    case HookKind::wal_delete:
      take(config.pre_wal_delete_script, config.pre_wal_delete_retry_script,
           config.post_wal_delete_script, config.post_wal_delete_retry_script);
      break;
    case HookKind::recovery:
      take(config.pre_recovery_script, config.pre_recovery_retry_script,
           config.post_recovery_script, config.post_recovery_retry_script);
      break;
  }
}

bool HookScripts::is_configured() const { return pre_ || pre_retry_ || post_ || post_retry_; }

void HookScripts::run_pre(const HookVariables& variables) const {
  if (pre_) run_plain(*pre_, Phase::pre, variables);
  if (pre_retry_) run_retry(*pre_retry_, Phase::pre, variables);
}

void HookScripts::run_post(const HookVariables& variables, const std::string& error) const {
  HookVariables with_error = variables;
  with_error["BARMAN_ERROR"] = error;
  if (post_retry_) run_retry(*post_retry_, Phase::post, with_error);
  if (post_) run_plain(*post_, Phase::post, with_error);
}

void HookScripts::run_plain(const std::string& command, Phase phase,
                            const HookVariables& variables) const {
  run_once(command, phase, false, variables);
}

void HookScripts::run_retry(const std::string& command, Phase phase,
                            const HookVariables& variables) const {
  const std::string script =
      (phase == Phase::pre ? "pre_" : "post_") + kind_name(kind_) + "_retry_script";
  // The user's script decides by its exit code whether it is run again, for ever: an interface that
  // has nothing of base/retry.h.
  for (int failures = 0;;) {
    const int code = run_once(command, phase, true, variables);
    if (code == 0) return;
    if (code == kAbortStop && phase == Phase::pre) {
      throw HookAborted(ErrorKind::internal, "Abort '" + script + "' retry hook script (" +
                                                 command + ", exit code: " + std::to_string(code) +
                                                 ")");
    }
    if (code == kAbortContinue || code == kAbortStop) {
      log::warning("barman.hooks", "Ignoring '{}' retry hook script (exit code: {})", script, code);
      return;
    }
    ++failures;
    const bool is_long = failures % (kShortPauses + 1) == 0;
    log::warning("barman.hooks", "'{}' failed with exit code {}; trying again in {} seconds",
                 script, code, (is_long ? kLongPauseMs : kShortPauseMs) / 1000);
    if (sleep_unless_interrupted(is_long ? kLongPauseMs : kShortPauseMs, interrupt_)) {
      interrupt_.throw_if_requested();
    }
  }
}

int HookScripts::run_once(const std::string& command, Phase phase, bool is_retry,
                          const HookVariables& variables) const {
  HookVariables environment = variables;
  environment["BARMAN_VERSION"] = std::string(kVersion);
  environment["BARMAN_SERVER"] = context_.server_name;
  environment["BARMAN_CONFIGURATION"] = context_.configuration_path.string();
  environment["BARMAN_HOOK"] = kind_name(kind_) + (is_retry ? "_retry_script" : "_script");
  environment["BARMAN_PHASE"] = phase == Phase::pre ? "pre" : "post";
  environment["BARMAN_RETRY"] = is_retry ? "1" : "0";
  environment.try_emplace("BARMAN_ERROR", "");
  if (context_.path_prefix) {
    // Nothing changes the environment while threads run, so getenv() is safe here.
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
    environment["PATH"] = *context_.path_prefix + (path != nullptr ? ":" + std::string(path) : "");
  }
  try {
    const ProcessResult result =
        run_process({.argv = shell_command(command), .environment = std::move(environment)});
    log_output(result.standard_output, log::Level::debug);
    log_output(result.standard_error, log::Level::warning);
    if (result.exit_code != 0) {
      log::warning("barman.hooks", "{} returned {}\nOutput details:\n{}{}", command,
                   result.exit_code, result.standard_output, result.standard_error);
    }
    return result.exit_code;
  } catch (const SystemError& error) {
    // A script that cannot be run counts as one that failed; it must not end a backup.
    log::warning("barman.hooks", "cannot run hook script '{}': {}", command, error.describe());
    return 127;
  }
}

}  // namespace barman::server
