#include "restore/remote_guard.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "restore/live_clusters.h"
#include "restore/remote_script.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// What the script answers.
constexpr std::string_view kHeld("held\0", 5);
constexpr std::string_view kHeldWithZstd("held zstd\0", 10);
constexpr int kInUse = 4;
constexpr std::size_t kMaxGuardAnswer = 64 << 10;
constexpr int kNoLimit = -1;

// $1: the content of markers, $2: 1 when the directory may have files already, $3: the data
// directory, then the OID and the location of each tablespace ("-": a directory for WAL).
constexpr std::string_view kHold = R"sh(
marker=$1; update=$2; data=$3; shift 3
lives() { [ -d "/proc/$1" ] || kill -0 "$1" 2>/dev/null; }
take() { (set -C; umask 077; echo $$ > "$1") 2>/dev/null; }
holder_of() { holder=; read -r holder 2>/dev/null < "$1" || :; holder=${holder#-}; }
# Functions return what fails: where one exits, bash takes its words for those of the script.
# What nobody holds goes, but not the lock of one who was quicker.
break_lock() {
  mv -f -- "$1" "$1.$$" 2>/dev/null || return 0
  stale=$holder
  holder_of "$1.$$"
  [ "$holder" = "$stale" ] || ln -- "$1.$$" "$1" 2>/dev/null || :
  rm -f -- "$1.$$"
}
hold() {
  mkdir -p -m 700 -- "$1" || return 1
  lock=$1/.barman-restore.pid
  tries=0
  until take "$lock"; do
    [ -f "$lock" ] || { take "$lock" && break; } || [ -f "$lock" ] || {
      echo "cannot create $lock" >&2; return 1; }
    holder_of "$lock"
    [ "$holder" != $$ ] || break
    # Without a number it is being written.
    if { [ -z "$holder" ] && [ $tries -lt 2 ]; } || lives "${holder:-none}"; then
      # One that was cut off ends soon.
      tries=$((tries + 1))
      [ $tries -lt 15 ] || {
        echo "another restore writes into $1 (process $holder; if it is none, remove $lock)" >&2
        return 4; }
      sleep 1 || :
    else
      break_lock "$lock"
    fi
  done
}
prepare() {
  mkdir -p -m 700 -- "$1"
  : > "$1/.barman_write_check"
  rm -f -- "$1/.barman_write_check"
  chmod 700 -- "$1"
  (umask 077; printf %s "$marker" > "$1/.barman-restoring.new")
  mv -f -- "$1/.barman-restoring.new" "$1/.barman-restoring"
}
release() {
  holder_of "$1/.barman-restore.pid"
  [ "$holder" != $$ ] || rm -f -- "$1/.barman-restore.pid"
}
release_all() {
  release "$data"
  while [ $# -gt 0 ]; do release "$2"; shift 2; done
}
# Since it was looked at another restore may have been there, and be over.
require_empty() {
  [ "$update" = 1 ] || [ -z "$(ls -- "$1")" ] || { echo "$1 is not empty any more" >&2; return 4; }
}
trap 'release_all "$@"' EXIT
trap 'exit 1' HUP INT TERM PIPE
hold "$data" || exit
require_empty "$data" || exit
# The directory of a tablespace may be another restore's, into another data directory.
key=
for word; do
  if [ -z "$key" ]; then key=$word; continue; fi
  hold "$word" || exit
  [ "$key" = - ] || require_empty "$word" || exit
  key=
done
# No server can be started on it: while pg_control is there by the lock file that PostgreSQL itself
# respects; then by its absence.
if [ -e "$data/global/pg_control" ]; then
  take "$data/postmaster.pid" || {
    holder_of "$data/postmaster.pid"
    ! lives "${holder:-none}" || {
      echo "PostgreSQL is being started on $data (process $holder)" >&2; exit 4; }
    rm -f -- "$data/postmaster.pid"
    take "$data/postmaster.pid"
  }
fi
prepare "$data"
if [ "$update" = 1 ]; then mkdir -p -m 700 -- "$data/global"; else mkdir -m 700 -- "$data/global"; fi
flush_files "$data/.barman-restoring" "$data"
for word; do
  if [ -z "$key" ]; then key=$word; continue; fi
  prepare "$word"
  flush_files "$word/.barman-restoring" "$word"
  if [ "$key" != - ] && [ "$update" = 0 ]; then
    [ -d "$data/pg_tblspc" ] || mkdir -m 700 -- "$data/pg_tblspc"
    ln -s -- "$word" "$data/pg_tblspc/$key"
  fi
  key=
done
if [ -e "$data/global/pg_control" ]; then
  rm -f -- "$data/global/pg_control"
  flush_files "$data/global"
  rm -f -- "$data/postmaster.pid"
fi
if zstd -V >/dev/null 2>&1; then printf 'held zstd\000'; else printf 'held\000'; fi
while read -r line; do :; done
)sh";

std::vector<std::string> guard_command(const RestorePlan& plan) {
  std::vector<std::string> arguments = {format_restore_marker(plan.marker),
                                        plan.updates_existing ? "1" : "0",
                                        plan.destination.string()};
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    arguments.insert(arguments.end(), {fmt::to_string(tablespace.oid), tablespace.location});
  }
  if (plan.marker.staging_wal) {
    arguments.insert(arguments.end(), {"-", plan.marker.staging_wal->string()});
  }
  return script_command(std::string(kPrintMark) + std::string(kDefineFlush) + std::string(kHold),
                        arguments);
}

}  // namespace

RemoteGuard::RemoteGuard(const host::Host& host, const RestorePlan& plan,
                         const Interrupt& interrupt)
    : input_(make_pipe()),
      output_(make_pipe()),
      errors_(open_anonymous_file(fs::temp_directory_path())),
      place_(plan.destination.string()),
      session_(host.start_call(guard_command(plan), {.input = input_.read_end.get(),
                                                     .output = output_.write_end.get(),
                                                     .error = errors_.get()})) {
  input_.read_end = Fd();
  output_.write_end = Fd();
  wait_until_held(host, interrupt);
}

void RemoteGuard::wait_until_held(const host::Host& host, const Interrupt& interrupt) {
  std::string text;
  for (;;) {
    const std::optional<std::string> answer = answer_behind_mark(text);
    has_zstd_ = answer && answer->starts_with(kHeldWithZstd);
    if (has_zstd_ || (answer && answer->starts_with(kHeld))) return;
    if (wait_for_fd(output_.read_end.get(), WaitFor::readable, kNoLimit, interrupt) ==
        WaitResult::interrupted) {
      interrupt.throw_if_requested();
    }
    std::string piece(256, '\0');
    const ssize_t count = ::read(output_.read_end.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || text.size() > kMaxGuardAnswer) break;
    text.append(piece, 0, static_cast<std::size_t>(count));
  }
  input_.write_end = Fd();
  const int exit_code = session_.wait();
  const std::string reason = host::read_error_text(errors_);
  if (exit_code == kInUse) {
    throw Error(ErrorKind::conflict,
                fmt::format("The restore operation cannot proceed: {}", reason),
                std::string("Nothing was changed. ") + kRunningClusterHint);
  }
  throw script_failure(host, "cannot prepare the directories", exit_code, reason);
}

void RemoteGuard::require_held() const {
  // It says nothing more, and its output ends with it.
  pollfd ended = {.fd = output_.read_end.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, 0) == 0 || (ended.revents & POLLHUP) == 0) return;
  throw Error(ErrorKind::remote,
              fmt::format("the connection that kept other restores out of '{}' of the destination "
                          "host has ended",
                          place_));
}

void RemoteGuard::release(const Interrupt& interrupt) {
  input_.write_end = Fd();
  session_.wait_unless_interrupted(interrupt);
}

}  // namespace barman::restore
