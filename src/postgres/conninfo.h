// Connection strings, read by libpq's own parser: key=value words with quoting, and URIs. Nothing
// here connects, and no returned message contains a password.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace barman::postgres {

// Why libpq cannot parse `conninfo`, in the words of Barman:
// `Cannot connect to postgres: "host" is not a valid connection string`. nullopt when it can.
std::optional<std::string> conninfo_error(const std::string& conninfo);

// Whether the string itself sets the parameter (service files and the environment do not count).
// False for an invalid string.
bool has_parameter(const std::string& conninfo, std::string_view name);
std::optional<std::string> find_parameter(const std::string& conninfo, std::string_view name);

// The string to open an SQL session with: the user's parameters, application_name=barman unless
// given. Parameters are sorted by name. Throws `config` for an invalid string.
std::string make_sql_conninfo(const std::string& conninfo);

// The string to open a physical replication session with: replication=true, dbname=replication,
// options=-cdatestyle=iso (the user's are replaced), application_name unless given.
std::string make_replication_conninfo(const std::string& conninfo,
                                      const std::string& application_name);

// Whether both name the same server, as far as the strings tell (hosts, ports, service, which of
// several servers). False when one is invalid.
bool have_same_place(const std::string& conninfo, const std::string& other);
// `conninfo` with the place of `other`: the same user and settings on another server.
std::string move_conninfo(const std::string& conninfo, const std::string& other);
// `conninfo` with this database unless it names one, without `replication`.
std::string with_database(const std::string& conninfo, const std::string& database);
// `conninfo` with this database, whatever it names, without `replication`.
std::string in_database(const std::string& conninfo, const std::string& database);
// `conninfo` with this parameter unless it has one of that name; "" is a string, too.
std::string with_default(const std::string& conninfo, const std::string& name,
                         const std::string& value);
// `conninfo` without GSSAPI encryption, which libpq would try by itself when there is a Kerberos
// ticket: what it has decrypted and not handed out cannot be waited for. Kerberos authentication
// stays possible. Throws `config` where the string demands it (gssencmode=require); an invalid
// string is returned as it is.
std::string without_gss_encryption(const std::string& conninfo);

}  // namespace barman::postgres
