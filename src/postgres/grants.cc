#include "postgres/grants.h"

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/connect_problem.h"
#include "postgres/libpq_handle.h"
#include "postgres/versions.h"

namespace barman::postgres {
namespace {

Grant membership(const std::string& role) {
  return {.condition = fmt::format("(pg_has_role(CURRENT_USER, 'pg_monitor', 'USAGE') OR "
                                   "pg_has_role(CURRENT_USER, '{}', 'USAGE'))",
                                   role),
          .right = role};
}

Grant execution(const std::string& function) {
  return {.condition = fmt::format("has_function_privilege(CURRENT_USER, 'pg_catalog.{}', "
                                   "'EXECUTE')",
                                   function),
          .right = fmt::format("EXECUTE ON FUNCTION pg_catalog.{}", function)};
}

// pg_checkpoint, for `switch-wal --force`, is no right that a backup needs.
constexpr const char* kCheckpointRole = "pg_checkpoint";

std::vector<Grant> grants_for_files() {
  const std::string role = "pg_read_server_files";
  return {
      {.condition = fmt::format("pg_has_role(CURRENT_USER, '{}', 'USAGE')", role), .right = role},
      execution("pg_read_binary_file(text, bigint, bigint, boolean)")};
}

std::vector<std::string> list_missing(Connection& connection, const std::vector<Grant>& grants) {
  std::vector<std::string> conditions;
  for (const Grant& grant : grants) conditions.push_back(grant.condition);
  const ResultHandle result = execute(connection, "SELECT " + join(conditions, ", "));
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < grants.size(); ++i) {
    if (get_text(result.get(), 0, static_cast<int>(i)) == "t") continue;
    missing.push_back(grant_statement(grants[i], connection.user()));
  }
  return missing;
}

std::vector<std::string> create_role(const std::string& role, const std::string& attributes) {
  const std::string literal = replace_all(role, "'", "''");
  const std::string name = quoted_name(role);
  return {fmt::format("SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{}') AS missing "
                      "\\gset",
                      literal),
          "\\if :missing", fmt::format("CREATE ROLE {} {};", name, attributes),
          fmt::format("\\echo 'Role {} was created. Set its password, in psql: \\\\password {}'",
                      replace_all(name, "'", "''"), replace_all(name, "'", "''")),
          "\\endif"};
}

}  // namespace

std::vector<Grant> needed_grants(int version) {
  std::vector<Grant> grants = {membership("pg_read_all_settings"), membership("pg_read_all_stats"),
                               execution("pg_switch_wal()"),
                               execution("pg_create_restore_point(text)")};
  if (version >= kVersion15) {
    grants.push_back(execution("pg_backup_start(text, boolean)"));
    grants.push_back(execution("pg_backup_stop(boolean)"));
  } else {
    grants.push_back(execution("pg_start_backup(text, boolean, boolean)"));
    grants.push_back(execution("pg_stop_backup(boolean, boolean)"));
  }
  return grants;
}

std::string grant_statement(const Grant& grant, const std::string& role) {
  return fmt::format("GRANT {} TO {};", grant.right, quoted_name(role));
}

std::string file_grants(const std::string& role) {
  std::vector<std::string> statements;
  for (const Grant& grant : grants_for_files()) statements.push_back(grant_statement(grant, role));
  return join(statements, " ");
}

std::vector<std::string> list_missing_grants(Connection& connection) {
  return list_missing(connection, needed_grants(connection.server_version()));
}

std::vector<std::string> list_missing_file_grants(Connection& connection) {
  return list_missing(connection, grants_for_files());
}

std::vector<std::string> role_script(const std::string& role, const std::string& streaming_role) {
  std::vector<std::string> lines = create_role(role, "LOGIN");
  if (!streaming_role.empty() && streaming_role != role) {
    const std::vector<std::string> more = create_role(streaming_role, "LOGIN REPLICATION");
    lines.insert(lines.end(), more.begin(), more.end());
  }
  if (!streaming_role.empty()) {
    lines.push_back(fmt::format("ALTER ROLE {} REPLICATION;", quoted_name(streaming_role)));
  }
  lines.push_back(fmt::format("SELECT :SERVER_VERSION_NUM >= {} AS is_new \\gset", kVersion15));
  lines.emplace_back("\\if :is_new");
  for (const Grant& grant : needed_grants(kVersion15))
    lines.push_back(grant_statement(grant, role));
  lines.push_back(fmt::format("GRANT {} TO {};", kCheckpointRole, quoted_name(role)));
  lines.emplace_back("\\else");
  for (const Grant& grant : needed_grants(kVersion13))
    lines.push_back(grant_statement(grant, role));
  lines.emplace_back("\\endif");
  return lines;
}

std::optional<std::int64_t> count_waiting_wal(Connection& connection) {
  if (connection.server_version() < kVersion12) return std::nullopt;
  try {
    const ResultHandle result = execute(connection,
                                        "SELECT count(*) FROM pg_ls_archive_statusdir()"
                                        " WHERE name LIKE '%.ready'");
    return parse_integer(get_text(result.get(), 0, 0));
  } catch (const SqlError& error) {  // The right to look is an outcome.
    if (error.kind() != ErrorKind::permission) throw;
    return std::nullopt;
  }
}

std::optional<bool> needs_restart(Connection& connection, const std::string& setting) {
  const ResultHandle result = execute(
      connection, "SELECT context = 'postmaster' FROM pg_settings WHERE name = $1", {setting});
  if (const auto text = find_text(result.get(), 0, 0)) return *text == "t";
  return std::nullopt;
}

}  // namespace barman::postgres
