#include "doctor/new_server.h"

#include <fmt/format.h>

#include "postgres/connect_problem.h"
#include "postgres/grants.h"

namespace barman::doctor {
namespace {

postgres::ConnectProblem session_of(const NewServer& server, const std::string& user,
                                    const std::string& own_address) {
  return {.host = server.host,
          .port = server.port,
          .user = user,
          .database = server.database,
          .client_address = own_address};
}

// A value of a connection string.
std::string conninfo_value(const std::string& value) {
  if (!value.empty() && value.find_first_of(" '\\") == std::string::npos) return value;
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "'";
}

}  // namespace

std::string section_text(const NewServer& server) {
  const std::string place =
      fmt::format("host={} port={}", conninfo_value(server.host), conninfo_value(server.port));
  std::string text = fmt::format(
      "[{}]\n"
      "; Passwords belong into ~/.pgpass of the user that runs barman.\n"
      "conninfo = {} user={} dbname={}\n"
      "streaming_conninfo = {} user={}\n"
      "backup_method = {}\n",
      server.name, place, conninfo_value(server.user), conninfo_value(server.database), place,
      conninfo_value(server.streaming_user), server.method);
  if (server.method == "rsync") {
    text +=
        fmt::format("ssh_command = ssh {}@{}\nreuse_backup = link\n", server.ssh_user, server.host);
  }
  return text + fmt::format(
                    "; WAL arrives as it is written; the slot makes PostgreSQL keep it while "
                    "barman is away.\n"
                    "streaming_archiver = on\n"
                    "slot_name = {}\n"
                    "create_slot = auto\n"
                    "retention_policy = {}\n",
                    server.slot_name, server.retention_policy);
}

std::vector<std::string> preparation(const NewServer& server, const std::string& own_address) {
  std::vector<std::string> lines = {
      fmt::format("On {}, in psql, as superuser, in database {}:", server.host, server.database)};
  for (const std::string& line : postgres::role_script(server.user, server.streaming_user))
    lines.push_back("\t" + line);
  lines.push_back("\t\\password " + postgres::quoted_name(server.user));
  if (server.streaming_user != server.user)
    lines.push_back("\t\\password " + postgres::quoted_name(server.streaming_user));
  lines.emplace_back("");
  lines.push_back(
      fmt::format("In pg_hba.conf on {} ('hostssl' where PostgreSQL has ssl = on); "
                  "then: psql -c 'SELECT pg_reload_conf()'",
                  server.host));
  lines.push_back("\t" + postgres::hba_line(session_of(server, server.user, own_address)));
  postgres::ConnectProblem streaming = session_of(server, server.streaming_user, own_address);
  streaming.is_replication = true;
  lines.push_back("\t" + postgres::hba_line(streaming));
  lines.emplace_back("");
  lines.emplace_back("In ~/.pgpass (mode 0600) of the user that runs barman on this host:");
  lines.push_back("\t" + postgres::password_line(session_of(server, server.user, "")));
  if (server.streaming_user != server.user)
    lines.push_back("\t" + postgres::password_line(session_of(server, server.streaming_user, "")));
  if (server.method == "rsync") {
    lines.emplace_back("");
    lines.emplace_back("On this host, as the user that runs barman:");
    lines.emplace_back("\t[ -e ~/.ssh/id_ed25519 ] || ssh-keygen -t ed25519");
    lines.push_back(fmt::format("\tssh-copy-id {}@{}", server.ssh_user, server.host));
  }
  return lines;
}

}  // namespace barman::doctor
