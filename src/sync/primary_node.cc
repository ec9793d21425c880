#include "sync/primary_node.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/process.h"
#include "base/text.h"

namespace barman::sync {
namespace fs = std::filesystem;
namespace {

struct Answer {
  int exit_code = 0;
  std::string error;
  Fd content;
};

Answer run(const std::string& command) {
  // Answers can be as long as an index; memory must not.
  Answer answer{.content = open_anonymous_file(fs::temp_directory_path())};
  const Fd nothing = open_file("/dev/null", O_RDONLY);
  const ProcessResult result =
      run_filter(shell_command(command), nothing.get(), answer.content.get());
  answer.exit_code = result.exit_code;
  answer.error = mask_passwords(strip(result.standard_error));
  if (::lseek(answer.content.get(), 0, SEEK_SET) < 0) throw_errno("cannot read the answer");
  return answer;
}

}  // namespace

std::string remote_word(std::string_view word) {
  const bool is_plain = !word.empty() && word.find_first_not_of(
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789_./-+=@:") == std::string_view::npos;
  return is_plain ? std::string(word) : shell_quote(shell_quote(word));
}

std::string primary_command(const config::ServerConfig& config, const fs::path& configuration_path,
                            const SyncRequest& request) {
  std::string text = *config.primary_ssh_command + " barman";
  if (config.forward_config_path && !configuration_path.empty()) {
    text += " -c " + remote_word(configuration_path.string());
  }
  text += " sync-info " + remote_word(config.name);
  if (request.last_wal) {
    text += " " + remote_word(*request.last_wal);
    if (request.last_position) text += fmt::format(" {}", *request.last_position);
  }
  return text;
}

Fd ask_primary(const server::Server& server, const SyncRequest& request, Messages& messages) {
  if (!server.config().is_passive()) {
    throw Error(ErrorKind::conflict, fmt::format("server {} is not passive", server.name()));
  }
  const fs::path& path = server.program().configuration_path;
  Answer answer = run(primary_command(server.config(), path, request));
  if (answer.exit_code == 1 && request.last_wal) {
    messages.warning(
        fmt::format("sync-info is out of sync. Self-recovery procedure started: requesting full "
                    "synchronisation from primary server {}",
                    server.name()));
    answer = run(primary_command(server.config(), path, {}));
  }
  if (answer.exit_code != 0) {
    throw Error(ErrorKind::remote,
                fmt::format("cannot ask the primary node of server '{}': \"{}\" ended with exit "
                            "code {}{}",
                            server.name(), *server.config().primary_ssh_command, answer.exit_code,
                            answer.error.empty() ? "" : ": " + answer.error),
                "Try primary_ssh_command by hand, as the user that runs barman.");
  }
  return std::move(answer.content);
}

}  // namespace barman::sync
