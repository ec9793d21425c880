// What rsync says: its listing, its report of each file, and its complaints. Pure. rsync runs with
// LC_ALL=C and TZ=UTC0.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace barman::backup {

// rsync writes bytes that are not printable ASCII as "\#012".
std::string unescape_rsync_name(std::string_view text);

// A line of `--list-only --no-human-readable`: "-rw-------        8192 2026/11/29 15:39:38 base/1".
struct ListedFile {
  enum class Type { file, directory, other };
  Type type = Type::other;
  mode_t mode = 0;  // permissions
  std::uint64_t size_bytes = 0;
  std::time_t modified = 0;
  std::string name;  // "." is the root
};
// nullopt for lines that are no such thing.
std::optional<ListedFile> parse_listed_file(std::string_view line);

// Of each file that has been looked at, when it is as it should be.
inline constexpr const char* kRsyncReportFormat = "--out-format=%i %l %b %n";
struct ReportedFile {
  enum class Action { received, copied_here, linked, unchanged };
  Action action = Action::unchanged;
  bool is_file = false;
  std::uint64_t size_bytes = 0;
  std::string name;
};
std::optional<ReportedFile> parse_reported_file(std::string_view line);

// How a run of rsync has ended, and what it has said on its error output.
struct RsyncEnd {
  int exit_code = 0;
  std::string_view errors;
  // Lines that come whatever happens: greetings of ssh.
  const std::set<std::string>& noise;
};
enum class RsyncVerdict {
  done,
  // Files came out of step with their checksums: they were changing. The same again settles it.
  again,
  failed,
};
// Files that go, shrink and grow while they are copied are no failure: WAL puts that right.
// Whatever else rsync could not do is one.
RsyncVerdict judge(const RsyncEnd& end);
// Links that it has followed to nothing: their paths there.
std::vector<std::string> dead_links_of(const RsyncEnd& end);
struct RsyncPlaces {
  std::string remote;  // "the host of PostgreSQL (ssh postgres@pg)"
  std::string option;  // "ssh_command"
};
// Of a run that has failed.
Error rsync_error(const RsyncEnd& end, const RsyncPlaces& places);

// A name as a pattern of rsync's filters that nothing else matches.
std::string rsync_pattern(std::string_view name);
// A path on the other host, whose shell takes wildcards apart: another directory may match them.
// rsync quotes everything else.
std::string rsync_path(std::string_view path);
// A word of the option -e.
std::string rsync_shell_word(std::string_view word);

}  // namespace barman::backup
