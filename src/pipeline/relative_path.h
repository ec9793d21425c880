// Names and paths that somebody else tells: a server, a primary node, an archive, a manifest,
// metadata, an object store. Each is checked here, and only here, before anything of ours is
// opened, made or removed under it. What is refused is `corrupt`: who told it is damaged or
// hostile.
//
// - A path below a directory of ours: path_below(), or is_safe_relative_path() where the caller has
//   an error of its own.
// - The place of a tablespace: is_tablespace_location(); its name below pg_tblspc/:
//   tablespace_oid_of().
// Links: a checked path is opened component by component without following any (TreeWriter), and
// TreeWriter makes none that its caller has not asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace barman::pipeline {

// True when `path` names something strictly below the directory it is used in: not empty, not
// absolute, no "." or ".." or empty component, no NUL.
bool is_safe_relative_path(std::string_view path);

// `directory` / `told`. Throws `corrupt` when `told` is not safe; `teller` begins the message: "the
// manifest of the primary node".
std::filesystem::path path_below(const std::filesystem::path& directory, std::string_view told,
                                 std::string_view teller);

// Where tablespaces are, or the links to them, below the data directory.
inline constexpr std::string_view kTablespaceLinks = "pg_tblspc/";

// 16384 for exactly "pg_tblspc/16384", as PostgreSQL writes it: digits without a leading zero, not
// 0, 32 bits.
std::optional<std::uint32_t> tablespace_oid_of(std::string_view path);
// "pg_tblspc/16384"
std::string in_place_location(std::uint32_t oid);

// Whether PostgreSQL can have said that tablespace `oid` lies there: an absolute path without NUL,
// or exactly in_place_location(oid).
bool is_tablespace_location(std::string_view location, std::uint32_t oid);

}  // namespace barman::pipeline
