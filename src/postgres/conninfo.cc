#include "postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/secrets.h"
#include "base/text.h"

namespace barman::postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

using Parameters = std::map<std::string, std::string>;

// nullopt for an invalid string. Only what the string itself sets is returned.
std::optional<Parameters> parse(const std::string& conninfo) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(
      PQconninfoParse(conninfo.c_str(), &message));
  // libpq's reason quotes words of the string, which may be parts of a password: it is dropped.
  if (message != nullptr) PQfreemem(message);
  if (!options) return std::nullopt;
  Parameters parameters;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.emplace(option->keyword, option->val);
  }
  return parameters;
}

// Words "key=value" without quotes and with keys that every libpq knows. That needs no libpq, whose
// loading would be most of the time of a short command.
bool is_simple(const std::string& conninfo) {
  constexpr std::array<std::string_view, 12> kKeys = {
      "application_name", "connect_timeout", "dbname",      "host",
      "hostaddr",         "passfile",        "password",    "port",
      "sslmode",          "sslcert",         "sslrootcert", "user"};
  constexpr std::string_view kSpecial = "'\\\t\n\r\f\v";
  if (conninfo.find_first_of(kSpecial) != std::string::npos) return false;
  for (const std::string& word : split(conninfo, ' ')) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals + 1 == word.size()) return false;
    const std::string_view key = std::string_view(word).substr(0, equals);
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) return false;
  }
  return true;
}

Parameters parse_or_throw(const std::string& conninfo) {
  std::optional<Parameters> parameters = parse(conninfo);
  if (!parameters) {
    throw Error(ErrorKind::config, conninfo_error(conninfo).value_or("invalid connection string"),
                "Write it as key=value words or as a postgresql:// URI, as libpq expects it.");
  }
  return *parameters;
}

std::string quote(const std::string& value) {
  if (!value.empty() && value.find_first_of(" \t\n\r\f\v'\\") == std::string::npos) return value;
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "'";
}

std::string build(const Parameters& parameters) {
  std::string conninfo;
  for (const auto& [key, value] : parameters) {
    if (!conninfo.empty()) conninfo.push_back(' ');
    conninfo.append(key).append("=").append(quote(value));
  }
  return conninfo;
}

// What decides where a connection leads.
constexpr std::array<std::string_view, 6> kPlace = {
    "host", "hostaddr", "port", "service", "target_session_attrs", "load_balance_hosts"};

Parameters place_of(const Parameters& parameters) {
  Parameters place;
  for (const std::string_view key : kPlace) {
    const auto found = parameters.find(std::string(key));
    if (found != parameters.end()) place.insert(*found);
  }
  return place;
}

}  // namespace

std::optional<std::string> conninfo_error(const std::string& conninfo) {
  if (is_simple(conninfo) || parse(conninfo)) return std::nullopt;
  return "Cannot connect to postgres: \"" + mask_conninfo(conninfo) +
         "\" is not a valid connection string";
}

std::optional<std::string> find_parameter(const std::string& conninfo, std::string_view name) {
  const std::optional<Parameters> parameters = parse(conninfo);
  if (!parameters) return std::nullopt;
  const auto found = parameters->find(std::string(name));
  if (found == parameters->end()) return std::nullopt;
  return found->second;
}

bool has_parameter(const std::string& conninfo, std::string_view name) {
  return find_parameter(conninfo, name).has_value();
}

std::string make_sql_conninfo(const std::string& conninfo) {
  Parameters parameters = parse_or_throw(conninfo);
  parameters.emplace("application_name", "barman");
  return build(parameters);
}

std::string make_replication_conninfo(const std::string& conninfo,
                                      const std::string& application_name) {
  Parameters parameters = parse_or_throw(conninfo);
  parameters.insert_or_assign("replication", "true");
  parameters.insert_or_assign("dbname", "replication");
  parameters.insert_or_assign("options", "-cdatestyle=iso");
  parameters.emplace("application_name", application_name);
  return build(parameters);
}

bool have_same_place(const std::string& conninfo, const std::string& other) {
  const std::optional<Parameters> one = parse(conninfo);
  const std::optional<Parameters> two = parse(other);
  return one && two && place_of(*one) == place_of(*two);
}

std::string move_conninfo(const std::string& conninfo, const std::string& other) {
  Parameters parameters = parse_or_throw(conninfo);
  for (const std::string_view key : kPlace) parameters.erase(std::string(key));
  parameters.merge(place_of(parse_or_throw(other)));
  return build(parameters);
}

std::string with_database(const std::string& conninfo, const std::string& database) {
  Parameters parameters = parse_or_throw(conninfo);
  parameters.erase("replication");
  parameters.emplace("dbname", database);
  return build(parameters);
}

std::string in_database(const std::string& conninfo, const std::string& database) {
  Parameters parameters = parse_or_throw(conninfo);
  parameters.erase("replication");
  parameters["dbname"] = database;
  return build(parameters);
}

std::string with_default(const std::string& conninfo, const std::string& name,
                         const std::string& value) {
  Parameters parameters = parse_or_throw(conninfo);
  parameters.emplace(name, value);
  return build(parameters);
}

std::string without_gss_encryption(const std::string& conninfo) {
  std::optional<Parameters> parameters = parse(conninfo);
  if (!parameters) return conninfo;
  std::string& mode = (*parameters)["gssencmode"];
  if (mode == "require") {
    throw Error(
        ErrorKind::config,
        "gssencmode=require is not supported: GSSAPI authenticates here, and does not encrypt",
        "Write gssencmode=disable and sslmode=require, and a line 'hostssl ... gss' in "
        "pg_hba.conf.");
  }
  mode = "disable";
  return build(*parameters);
}

}  // namespace barman::postgres
