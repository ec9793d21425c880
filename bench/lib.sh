# For the scripts of this directory: a work directory that goes away with everything that was started, a user that
# PostgreSQL accepts, an sshd on the loopback, medians and ratios. Source it in the root of the repository.
#   $work      the directory (BENCH_DIR, default below /var/tmp)
#   $build     the release build (BARMAN_BUILD)
#   $pg        PostgreSQL's programs (Debian 15)
build=${BARMAN_BUILD:-build/release}
pg=/usr/lib/postgresql/15/bin
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/barman-bench.XXXXXX"); chmod 755 "$work"
daemons=() clusters=()
end_process() { # end_process PID: what it has started first (a function in the background is a shell of its own), then itself; by their ids
  local child
  for child in $(ps -o pid= --ppid "$1"); do end_process "$child"; done
  kill "$1" 2>/dev/null || true
}
# `wait` keeps the shell from telling that something was ended.
cleanup() {
  local status=$? directory pid
  [ "$status" = 0 ] || { echo "ended with $status; the last lines of its log:"; tail -5 "$work/log"; } >&2 2>/dev/null
  for directory in "${clusters[@]}"; do as_user "$pg/pg_ctl" -D "$directory" -m immediate stop >/dev/null 2>&1 || true; done
  for pid in "${daemons[@]}"; do end_process "$pid"; wait "$pid" 2>/dev/null || true; done
  [ ! -e "$work/sshd.pid" ] || kill "$(cat "$work/sshd.pid")" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work" "$@"; else "$@"; fi; }
own() { if [ "$(id -u)" = 0 ]; then chown -R postgres: "$@"; fi; }
user=$(as_user id -un)
require() { # require FILE WHAT-TO-DO
  [ -x "$1" ] || { echo "there is no $1: $2" >&2; exit 1; }
}
programs() { # copies our programs: barman to $work/bin, the clients to $work/client
  local program
  mkdir -p "$work/bin" "$work/client"
  for program in barman barman-wal-archive barman-wal-restore; do
    require "$build/src/programs/$program" "cmake --preset release && cmake --build $build --target $program"
  done
  cp "$build/src/programs/barman" "$work/bin/"; cp "$build"/src/programs/barman-wal-{archive,restore} "$work/client/"
}
seconds() { # the command's wall time
  local begin=$EPOCHREALTIME
  "$@" >>"$work/log" 2>&1 || { echo "failed: $*" >&2; tail -5 "$work/log" >&2; exit 1; }
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", b - a }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
free_port() { echo $((20000 + RANDOM % 10000)); }
ssh_server() { # sshd as the user, which finds our barman; $work/client/ssh reaches it; sets $ssh_port
  require /usr/sbin/sshd "install openssh-server"
  ssh_port=$(free_port)
  ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"; ssh-keygen -q -t ed25519 -N '' -f "$work/key"
  cat >"$work/sshd_config" <<CONF
Port $ssh_port
ListenAddress 127.0.0.1
HostKey $work/host_key
AuthorizedKeysFile $work/key.pub
UsePAM no
StrictModes no
PidFile $work/sshd.pid
MaxStartups 100
SetEnv "PATH=$work/bin:/usr/bin:/bin" "BARMAN_CONFIG_FILE=$work/barman.conf"
CONF
  printf 'Host *\n IdentityFile %s\n BatchMode yes\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n' \
    "$work/key" >"$work/ssh_config"
  printf '#!/bin/sh\nexec /usr/bin/ssh -F %s "$@"\n' "$work/ssh_config" >"$work/client/ssh"; chmod 755 "$work/client/ssh"
  own "$work"
  as_user /usr/sbin/sshd -f "$work/sshd_config" -E "$work/sshd.log"
  export PATH="$work/client:$PATH"
  until as_user ssh -p "$ssh_port" "$user@127.0.0.1" true 2>/dev/null; do sleep 0.2; done
}
cluster() { # cluster DIRECTORY PORT LINES-OF-CONFIGURATION: created and started
  clusters+=("$1")
  as_user "$pg/initdb" -k -A trust --no-sync -D "$1" >/dev/null
  printf "port = %s\nlisten_addresses = ''\nunix_socket_directories = '%s'\n%s\n" "$2" "$work" "$3" >>"$1/postgresql.conf"
  as_user "$pg/pg_ctl" -w -D "$1" -l "$work/pg.log" start >/dev/null
}
sql() { # sql PORT STATEMENT
  as_user psql -q -h "$work" -p "$1" -At postgres -c "$2"
}
