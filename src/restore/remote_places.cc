#include "restore/remote_places.h"

#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "stored/path_table.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// Prints for each place, each with a NUL behind it: d (directory), f (something else) or -; whether
// it is empty, for ls; whether it, or what it would be made in, can be written; the pid of a
// postmaster that lives; the line of df; its path, links resolved as far as it exists.
constexpr std::string_view kInspect = R"sh(
for program in tar sync mkdir chmod ln mv rm ls; do
  command -v $program >/dev/null || { echo "there is no $program" >&2; exit 3; }
done
for place; do
  kind=-; [ ! -e "$place" ] && [ ! -L "$place" ] || kind=f; [ ! -d "$place" ] || kind=d
  empty=1
  if [ $kind = d ]; then names=$(ls "$place") && [ -z "$names" ] || empty=0; fi
  here=$place; rest=
  while [ ! -d "$here" ] && [ -n "$here" ]; do rest=/${here##*/}$rest; here=${here%/*}; done
  writable=0; [ ! -w "${here:-/}" ] || [ ! -x "${here:-/}" ] || writable=1
  pid=; [ ! -f "$place/postmaster.pid" ] || read -r pid < "$place/postmaster.pid" || :
  [ -d "/proc/${pid:-none}" ] || pid=
  space=$(df -Pk "${here:-/}" 2>/dev/null) || space=
  where=$(cd -P "${here:-/}" && pwd -P && echo .) || exit
  where=${where%??}; [ "$where" != / ] || where=
  printf '%s\000' $kind $empty $writable "$pid" "$space" "$where$rest"
done
)sh";
constexpr int kNotFit = 3;
constexpr std::size_t kFieldsOfPlace = 6;
// As much as anybody needs, and several of them can be added.
constexpr std::uint64_t kUnknownSpace = std::uint64_t{1} << 60;

constexpr std::string_view kPrepare = R"sh(
set -e
marker=$1; data=$2; shift 2
prepare() {
  mkdir -p -m 700 -- "$1"
  : > "$1/.barman_write_check"
  rm -f -- "$1/.barman_write_check"
  chmod 700 -- "$1"
  (umask 077; printf %s "$marker" > "$1/.barman-restoring")
}
prepare "$data"
mkdir -m 700 -- "$data/global"
while [ $# -gt 0 ]; do
  prepare "$2"
  if [ "$1" != - ]; then
    [ -d "$data/pg_tblspc" ] || mkdir -m 700 -- "$data/pg_tblspc"
    ln -s -- "$2" "$data/pg_tblspc/$1"
  fi
  shift 2
done
)sh";

constexpr std::string_view kMake = R"sh(
set -e
mode=$1; shift
for place; do mkdir -p -- "$place"; chmod "$mode" -- "$place"; done
)sh";

constexpr std::string_view kSetModes = R"sh(
set -e
mode=$1; shift
for place; do chmod "$mode" -- "$place"; done
)sh";

// What sync(1) cannot do for single file systems it does for all.
constexpr std::string_view kFlush = R"sh(
set -e
case "$(sync --help 2>&1 || :)" in
  *--file-system*|*-df*) flush() { sync -f "$@"; }; flush_files() { sync "$@"; } ;;
  *) flush() { sync; }; flush_files() { sync; } ;;
esac
)sh";

constexpr std::string_view kUnmark = R"sh(
flush "$@"
for place; do rm -f -- "$place/.barman-restoring"; done
)sh";

constexpr std::string_view kComplete = R"sh(
mv -f -- "$1" "$2"
flush_files "$2" "${2%/*}"
)sh";

std::vector<std::string> script(std::string_view text, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"sh", "-c", std::string(text), "barman"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

host::HostAnswer run_script(const host::Host& host, std::string_view text,
                            const std::vector<std::string>& arguments, const Interrupt& interrupt,
                            std::string_view what) {
  host::HostAnswer answer = host.run(script(text, arguments), interrupt);
  if (answer.exit_code == 0) return answer;
  throw Error(ErrorKind::remote,
              fmt::format("{}: \"{}\" ended with exit code {}{}", what, host.describe(),
                          answer.exit_code, answer.reason()),
              host.hint());
}

std::vector<std::string> texts_of(const std::vector<fs::path>& paths) {
  std::vector<std::string> texts;
  for (const fs::path& path : paths) texts.push_back(path.string());
  return texts;
}

std::vector<std::string> with_mode(const std::string& mode, const std::vector<fs::path>& paths) {
  std::vector<std::string> arguments = texts_of(paths);
  arguments.insert(arguments.begin(), mode);
  return arguments;
}

// "Filesystem 1024-blocks Used Available Capacity Mounted on", and the line of the place: names of
// both ends may have blanks, so the numbers are found from the capacity.
void take_space(const std::string& text, DirectoryFacts& facts) {
  facts.available_bytes = kUnknownSpace;
  const std::vector<std::string> lines = split(strip(text), '\n');
  if (lines.size() < 2) return;
  const std::vector<std::string> words = split_blanks(lines.back());
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (!words[i].ends_with('%')) continue;
    const std::optional<std::int64_t> kilobytes = parse_integer(words[i - 1]);
    if (!kilobytes || *kilobytes < 0) continue;
    facts.available_bytes = static_cast<std::uint64_t>(*kilobytes) * 1024;
    facts.device = stored::hash_of(
        join({words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()}, " "));
    return;
  }
}

std::string normalised(const std::string& text) {
  fs::path path = fs::path(text).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.string();
}

}  // namespace

host::SshHost destination_host(const std::string& remote_ssh_command) {
  return host::SshHost({.command = remote_ssh_command,
                        .title = "the destination host",
                        .option = "the command of --remote-ssh-command"});
}

std::vector<DirectoryFacts> parse_remote_facts(const std::string& answer) {
  const std::vector<std::string> fields = split(answer, '\0');
  std::vector<DirectoryFacts> places;
  for (std::size_t i = 0; i + kFieldsOfPlace <= fields.size(); i += kFieldsOfPlace) {
    DirectoryFacts facts;
    facts.exists = fields[i] != "-";
    facts.is_directory = fields[i] == "d";
    facts.is_empty = fields[i + 1] == "1";
    facts.is_writable = fields[i + 2] == "1";
    if (const std::optional<std::int64_t> pid = parse_integer(fields[i + 3])) {
      facts.running_postmaster = static_cast<int>(*pid);
    }
    take_space(fields[i + 4], facts);
    facts.resolved = fields[i + 5];
    places.push_back(std::move(facts));
  }
  return places;
}

void inspect_remote_places(const host::Host& host, const RestoreRequest& request,
                           const Relocations& relocations, RestoreFacts& facts,
                           const Interrupt& interrupt) {
  std::vector<std::string> places = {normalised(request.destination)};
  for (const catalogue::Tablespace& tablespace : facts.backup.tablespaces) {
    places.push_back(normalised(location_of(tablespace, relocations)));
  }
  const bool has_staging = request.staging_wal_directory && !request.get_wal;
  if (has_staging) places.push_back(normalised(*request.staging_wal_directory));
  const host::HostAnswer answer = host.run(script(kInspect, places), interrupt);
  if (answer.exit_code == kNotFit) {
    throw Error(ErrorKind::remote,
                fmt::format("The target host of the command '{}' cannot take a restore{}",
                            host.describe(), answer.reason()),
                "Install it there, or name a command with another PATH.");
  }
  if (answer.exit_code != 0) {
    throw Error(ErrorKind::remote,
                fmt::format("Unable to connect to the target host using the command '{}': exit "
                            "code {}{}",
                            host.describe(), answer.exit_code, answer.reason()),
                host.hint());
  }
  std::vector<DirectoryFacts> found = parse_remote_facts(answer.read_output());
  if (found.size() != places.size()) {
    throw Error(ErrorKind::remote,
                fmt::format("what came from the command '{}' is not what a shell answers: it must "
                            "add nothing to the output of programs there",
                            host.describe()),
                host.hint());
  }
  facts.destination = found.front();
  for (std::size_t i = 0; i < facts.backup.tablespaces.size(); ++i) {
    facts.tablespace_targets[facts.backup.tablespaces[i].name] = found[i + 1];
  }
  if (has_staging) facts.staging_wal = found.back();
}

void prepare_remote_places(const host::Host& host, const RestorePlan& plan,
                           const Interrupt& interrupt) {
  std::vector<std::string> arguments = {format_restore_marker(plan.marker),
                                        plan.destination.string()};
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    arguments.insert(arguments.end(), {fmt::to_string(tablespace.oid), tablespace.location});
  }
  if (plan.marker.staging_wal) {
    arguments.insert(arguments.end(), {"-", plan.marker.staging_wal->string()});
  }
  run_script(host, kPrepare, arguments, interrupt, "cannot prepare the directories");
}

void make_remote_directories(const host::Host& host, const std::vector<fs::path>& directories,
                             const std::string& mode, const Interrupt& interrupt) {
  run_script(host, kMake, with_mode(mode, directories), interrupt, "cannot make directories");
}

void set_remote_modes(const host::Host& host, const std::vector<fs::path>& paths,
                      const std::string& mode, const Interrupt& interrupt) {
  run_script(host, kSetModes, with_mode(mode, paths), interrupt, "cannot set permissions");
}

void complete_remote_places(const host::Host& host, const std::vector<fs::path>& places,
                            const std::string& waiting, const std::string& final,
                            const Interrupt& interrupt) {
  run_script(host, std::string(kFlush) + std::string(kUnmark), texts_of(places), interrupt,
             "cannot make the files durable");
  // Commit point. Not to be interrupted: nobody would know on which side of it.
  run_script(host, std::string(kFlush) + std::string(kComplete),
             {(places.front() / waiting).string(), (places.front() / final).string()}, {},
             fmt::format("it is not known whether \"{}\" is there", final));
}

}  // namespace barman::restore
