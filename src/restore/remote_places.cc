#include "restore/remote_places.h"

#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "host/ssh_words.h"
#include "postgres/control_file.h"
#include "restore/remote_script.h"
#include "restore/uncertain_failure.h"
#include "stored/path_table.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// $1: programs that must be there. Prints for each place, each with a NUL behind it: d (directory),
// x (one that cannot be looked into), f (something else) or -; whether it is empty, for ls; whether
// it, or what it would be made in, can be written (r: nobody can, its file system is read-only); if
// not, who has tried, and in further lines the directory that is there and what ls says of it; the
// pid of a postmaster that lives; the line of df; its path, links resolved as far as it exists;
// what an interrupted restore has left; whether it has PG_VERSION; whether it has only what
// PostgreSQL makes for tablespaces; its pg_control in hexadecimal; where its pg_wal is a link to;
// for each tablespace its OID and where its link leads, and an empty field; names of WAL, and an
// empty field.
constexpr std::string_view kInspect = R"sh(
for program in $1; do
  command -v $program >/dev/null || { echo "there is no $program" >&2; exit 3; }
done
shift
resolve() { (cd -P "$1" 2>/dev/null && pwd -P && echo .); }
for place; do
  kind=-; [ ! -e "$place" ] && [ ! -L "$place" ] || kind=f; [ ! -d "$place" ] || kind=d
  empty=1
  [ $kind != d ] || { [ -r "$place" ] && [ -x "$place" ]; } || kind=x
  if [ $kind = d ]; then names=$(ls "$place") && [ -z "$names" ] || empty=0; fi
  here=$place; rest=
  while [ ! -d "$here" ] && [ -n "$here" ]; do rest=/${here##*/}$rest; here=${here%/*}; done
  writable=0; [ ! -w "${here:-/}" ] || [ ! -x "${here:-/}" ] || writable=1
  if [ $writable = 0 ]; then
    # What the kernel says is told by the shell, in its own words.
    probe=${here:-/}/.barman_write_check
    case "$( (LC_ALL=C; export LC_ALL; : > "$probe" && rm -f "$probe") 2>&1)" in
      *"Read-only file system") writable=r ;;
    esac
  fi
  who=
  if [ $writable = 0 ] || [ $kind = x ]; then
    who=$(id -un 2>/dev/null)"
${here:-/}
"$(LC_ALL=C ls -ld -- "${here:-/}" 2>/dev/null)
  fi
  pid=; [ ! -f "$place/postmaster.pid" ] || read -r pid < "$place/postmaster.pid" || :
  pid=${pid#-}
  [ -d "/proc/${pid:-none}" ] || kill -0 "${pid:-none}" 2>/dev/null || pid=
  space=$(df -Pk "${here:-/}" 2>/dev/null) || space=
  where=$(resolve "${here:-/}") || where=${here:-/}"
."
  where=${where%??}; [ "$where" != / ] || where=
  marker=; [ ! -f "$place/.barman-restoring" ] || marker=$(cat "$place/.barman-restoring")
  version=0; control=
  if [ -f "$place/PG_VERSION" ]; then
    version=1
    [ ! -f "$place/global/pg_control" ] || control=$(od -An -v -tx1 "$place/global/pg_control") || :
  fi
  only=1
  for entry in "$place"/*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    case "${entry##*/}" in PG_*|lost+found) ;; *) only=0; break ;; esac
  done
  wal=
  for name in pg_wal pg_xlog; do
    [ ! -L "$place/$name" ] || { wal=$(resolve "$place/$name") && wal=${wal%??}; } || wal=
  done
  printf '%s\000' $kind $empty $writable "$who" "$pid" "$space" "$where$rest" "$marker" $version $only \
    "$control" "$wal"
  for link in "$place"/pg_tblspc/*; do
    [ -L "$link" ] && target=$(resolve "$link") || continue
    printf '%s\000' "${link##*/}" "${target%??}"
  done
  printf '\000'
  for file in "$place"/pg_wal/[0-9A-F]* "$place"/pg_xlog/[0-9A-F]*; do
    [ ! -f "$file" ] || printf '%s\000' "${file##*/}"
  done
  printf '\000'
done
)sh";
constexpr std::string_view kNeeded = "tar sync mkdir chmod ln mv rm ls";
// When something is there already; b2sum is used if there is one.
constexpr std::string_view kNeededToUpdate = " cat find od sha256sum stat xargs";
constexpr int kNotFit = 3;
// As much as anybody needs, and several of them can be added.
constexpr std::uint64_t kUnknownSpace = std::uint64_t{1} << 60;

constexpr std::string_view kMake = R"sh(
set -e
mode=$1; shift
for place; do mkdir -p -- "$place"; chmod "$mode" -- "$place"; done
)sh";

constexpr std::string_view kLink = R"sh(
set -e
data=$1; shift
mkdir -p -m 700 -- "$data/pg_tblspc"
while [ $# -gt 0 ]; do ln -s -- "$2" "$data/pg_tblspc/$1"; shift 2; done
)sh";

constexpr std::string_view kSetModes = R"sh(
set -e
mode=$1; shift
for place; do chmod "$mode" -- "$place"; done
)sh";

constexpr std::string_view kFlushPlaces = R"sh(
flush "$@"
)sh";

constexpr std::string_view kComplete = R"sh(
waiting=$1; final=$2; shift 2
for place; do rm -f -- "$place/.barman-restoring"; done
flush_files "$@"
mv -f -- "$waiting" "$final"
flush_files "$final" "${final%/*}"
)sh";

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

class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}
  bool is_at_end() const { return rest_.empty(); }
  std::string next() {
    const std::size_t end = rest_.find('\0');
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return field;
  }

 private:
  std::string_view rest_;
};

std::optional<postgres::SystemId> system_id_of(const std::string& control_file) {
  try {
    return postgres::parse_control_file(as_bytes(control_file)).system_id;
  } catch (const Error&) {  // Absent or damaged: then it says nothing.
    return std::nullopt;
  }
}

// "postgres", the directory, and "drwxr-xr-x 2 root root 4096 Nov 30 17:24 /etc". A directory may
// have a line break in its name: then only who has tried is told.
void take_owner(const std::string& text, DirectoryFacts& facts) {
  if (text.empty()) return;
  const std::vector<std::string> lines = split(text, '\n');
  facts.remote_user = lines.front();
  if (lines.size() != 3) return;
  const std::vector<std::string> words = split_blanks(lines[2]);
  constexpr std::size_t kOwner = 2;
  if (words.size() <= kOwner) return;
  facts.owner_text =
      fmt::format("'{}' belongs to {}, mode {}", lines[1], words[kOwner], words.front());
}

DirectoryFacts read_place(FieldReader& fields) {
  DirectoryFacts facts;
  const std::string kind = fields.next();
  facts.exists = kind != "-";
  facts.is_directory = kind == "d" || kind == "x";
  facts.is_readable = kind != "x";
  facts.is_empty = fields.next() == "1";
  const std::string writable = fields.next();
  facts.is_writable = writable == "1";
  facts.is_on_read_only_disk = writable == "r";
  take_owner(fields.next(), facts);
  if (const std::optional<std::int64_t> pid = parse_integer(fields.next())) {
    facts.running_postmaster = static_cast<int>(*pid);
  }
  take_space(fields.next(), facts);
  facts.resolved = fields.next();
  facts.interrupted_restore = parse_restore_marker(fields.next());
  facts.is_data_directory = fields.next() == "1";
  facts.holds_tablespace_only = fields.next() == "1";
  facts.system_id = system_id_of(bytes_of_hex(fields.next()));
  const std::string wal_link = fields.next();
  if (!wal_link.empty()) facts.wal_link = wal_link;
  for (std::string oid = fields.next(); !oid.empty(); oid = fields.next()) {
    const fs::path target = fields.next();
    const std::optional<std::int64_t> number = parse_integer(oid);
    if (!number || *number <= 0 || *number > std::numeric_limits<std::uint32_t>::max()) continue;
    facts.tablespace_links[static_cast<std::uint32_t>(*number)] = target;
  }
  for (std::string name = fields.next(); !name.empty(); name = fields.next()) {
    if (wal::parse_wal_file_name(name)) facts.wal_names.push_back(std::move(name));
  }
  return facts;
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
                        .option = "the command of --remote-ssh-command",
                        .words = host::ssh_words(remote_ssh_command)});
}

std::vector<DirectoryFacts> parse_remote_facts(const std::string& answer) {
  FieldReader fields(answer);
  std::vector<DirectoryFacts> places;
  while (!fields.is_at_end()) places.push_back(read_place(fields));
  return places;
}

std::optional<RestoreMarker> find_remote_marker(const host::Host& host,
                                                const std::string& destination,
                                                const Interrupt& interrupt) {
  constexpr std::string_view kShow =
      "[ ! -f \"$1/.barman-restoring\" ] || cat \"$1/.barman-restoring\"\n";
  const host::HostAnswer answer = host.run(
      script_command(std::string(kPrintMark) + std::string(kShow), {destination}), interrupt);
  // What is wrong there is told when the places are looked at.
  const std::optional<std::string> text = answer_behind_mark(answer.read_output());
  return text ? parse_restore_marker(*text) : std::nullopt;
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
  std::string needed(kNeeded);
  if (request.delta_restore || request.resume) needed += kNeededToUpdate;
  std::vector<std::string> arguments = {std::move(needed)};
  arguments.insert(arguments.end(), places.begin(), places.end());
  const host::HostAnswer answer = host.run(
      script_command(std::string(kPrintMark) + std::string(kInspect), arguments), interrupt);
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
                host.next_step(answer.error));
  }
  const std::optional<std::string> text = answer_behind_mark(answer.read_output());
  const std::vector<DirectoryFacts> found =
      text ? parse_remote_facts(*text) : std::vector<DirectoryFacts>();
  if (found.size() != places.size()) {
    throw Error(
        ErrorKind::remote,
        fmt::format("what came from the command '{}' is not what a shell answers", host.describe()),
        host.hint());
  }
  facts.destination = found.front();
  for (std::size_t i = 0; i < facts.backup.tablespaces.size(); ++i) {
    facts.tablespace_targets[facts.backup.tablespaces[i].name] = found[i + 1];
  }
  if (has_staging) facts.staging_wal = found.back();
}

void link_remote_tablespaces(const host::Host& host, const RestorePlan& plan,
                             const Interrupt& interrupt) {
  if (plan.tablespaces.empty()) return;
  std::vector<std::string> arguments = {plan.destination.string()};
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    arguments.insert(arguments.end(), {fmt::to_string(tablespace.oid), tablespace.location});
  }
  run_script(host, kLink, arguments, interrupt, "cannot make the links of the tablespaces");
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
  run_script(host, std::string(kDefineFlush) + std::string(kFlushPlaces), texts_of(places),
             interrupt, "cannot make the files durable");
  std::vector<std::string> arguments = texts_of(places);
  arguments.insert(arguments.begin(),
                   {(places.front() / waiting).string(), (places.front() / final).string()});
  // Commit point. Not to be interrupted: nobody would know on which side of it.
  try {
    run_script(host, std::string(kDefineFlush) + std::string(kComplete), arguments, {},
               fmt::format("it is not known whether \"{}\" is there", final));
  } catch (const Error& error) {
    throw UncertainFailure(
        error,
        fmt::format("Look on the destination host: with '{}' the restore is complete; without "
                    "it, complete it with --delta-restore, added to the same command.",
                    (places.front() / final).string()));
  }
}

}  // namespace barman::restore
