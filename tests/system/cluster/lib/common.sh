# shellcheck shell=bash disable=SC2034
# Paths, messages with times, and the start and stop of processes that are provably ours.

LAB=${SLURMLAB_DIR:-/var/lib/slurmlab}
LOGS=$LAB/log RUN=$LAB/run ETC=$LAB/etc SPOOL=$LAB/spool
MUNGE_SOCK=$LAB/munge/socket        # in a folder of its own: munged insists that root or munge owns it

# Every process we start carries this in its environment. A recorded pid counts only while its process has the
# mark, so a stale pid file (a reboot, a crash) can never make us end a stranger's process.
MARK=SLURMLAB_OWNER=$LAB

T0=$(date +%s%N)
elapsed() { local ns=$(( $(date +%s%N) - T0 )); printf '%d.%02d' $((ns/1000000000)) $((ns/10000000%100)); }
say()     { printf '[%6.2fs] %s\n' "$(elapsed)" "$*"; }
die()     { echo "cluster: $*" >&2; exit 1; }
refuse()  { echo "cluster: refused: $*" >&2; exit 3; }

# The path ends up in sudoers, slurm.conf and mount arguments, each with its own quoting rules: allow none of them.
[[ $LAB =~ ^/[A-Za-z0-9_./-]+$ && $LAB != *..* ]] || { echo "cluster: SLURMLAB_DIR must be a plain absolute path" >&2; exit 2; }

require_root() { [ "$(id -u)" = 0 ] || refuse "must run as root"; }

make_folders() {
  mkdir -p "$LAB" "$LOGS" "$RUN" "$ETC" "$SPOOL" "$LAB/home" "$LAB/data" "$LAB/nodes" "$LAB/cgroup"
  chmod 755 "$LAB" "$LOGS" "$RUN" "$ETC" "$SPOOL" "$LAB/home" "$LAB/data" "$LAB/nodes" "$LAB/cgroup"
}

# One `up`, `down`, `boot` or `start` at a time. Children must not inherit the descriptor (see start), else a
# daemon would hold the lock for ever.
take_lock() { exec 9>"$RUN/lock"; flock -w 300 9 || die "another cluster command holds $RUN/lock"; }

pid_of() { cat "$RUN/$1.pid" 2>/dev/null; }
ours()   { [ -n "${1:-}" ] && tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | grep -qxF "$MARK"; } 2>/dev/null
alive()  { ours "$(pid_of "$1")"; }
# no such process, or only its exit code is left (whoever is pid 1 here may collect that late)
gone()   { local stat; read -r stat 2>/dev/null <"/proc/$1/stat" || return 0; [[ $stat == *') '[ZX]' '* ]]; }

# wait_for SECONDS WHAT COMMAND... : poll every 50 ms
wait_for() {
  local secs=$1 what=$2 end; shift 2; end=$(( $(date +%s%N) + secs*1000000000 ))
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s%N)" -lt "$end" ] || die "timed out after ${secs}s waiting for $what (logs: $LOGS)"
    sleep 0.05
  done
}

# start NAME COMMAND... : run in the background in a session of its own, with the mark; remember the pid.
# A clean environment: what happens to be set in the caller's shell must not leak into daemons and jobs.
start() {
  local name=$1; shift
  env -i "$MARK" PATH="$PATH" LANG=C.UTF-8 setsid "$@" </dev/null >>"$LOGS/$name.out" 2>&1 9>&- &
  echo $! >"$RUN/$name.pid"
}

# stop NAME [SECONDS] : TERM, wait, then KILL; only ever the pid that we recorded
stop() {
  local name=$1 secs=${2:-10} pid i
  pid=$(pid_of "$name") || return 0
  if ours "$pid"; then
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < secs*50; i++)); do ! gone "$pid" || break; sleep 0.02; done
    ! ours "$pid" || kill -KILL "$pid" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do ! gone "$pid" || break; sleep 0.02; done
  fi
  rm -f "$RUN/$name.pid"
}

# run_as USER COMMAND... : no shell and no PAM in between, so that arguments and exit code pass through unchanged
run_as() {
  local user=$1 home; shift
  home=$(getent passwd "$user" | cut -d: -f6) || die "no such user: $user (is the cluster up?)"
  cd "$home" || die "no home: $home"
  exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --reset-env -- "$@"
}
