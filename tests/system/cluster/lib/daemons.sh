# shellcheck shell=bash
# The daemons of the head node: munged, mariadbd, slurmdbd, one slurmctld for each cluster, slurmrestd.

start_munged() {
  alive munged && return 0
  install -d -o munge -g munge -m 755 "$LAB/munge"
  rm -f "$MUNGE_SOCK"*
  start munged setpriv --reuid=munge --regid=munge --clear-groups /usr/sbin/munged --foreground \
    --key-file="$ETC/munge.key" --socket="$MUNGE_SOCK" --pid-file="$LAB/munge/pid" --log-file="$LAB/munge/log" \
    --seed-file="$LAB/munge/seed" --num-threads=4
  wait_for 10 munged munge_works
}

munge_works() { munge -S "$MUNGE_SOCK" -n | unmunge -S "$MUNGE_SOCK"; }

# Run as slurm: mariadb-server-core brings no user of its own, and this database has no other client.
start_mariadbd() {
  alive mariadbd && return 0
  local d=$LAB/db
  if [ ! -d "$d/mysql" ]; then
    install -d -o slurm -g slurm -m 700 "$d"
    mariadb-install-db --no-defaults --user=slurm --datadir="$d" --auth-root-authentication-method=socket \
      --skip-test-db --skip-name-resolve >"$LOGS/mariadb-install.out" 2>&1 9>&- || die "mariadb-install-db failed"
  fi
  # a test database: what a power cut of this machine would lose does not matter, speed does
  start mariadbd /usr/sbin/mariadbd --no-defaults --user=slurm --datadir="$d" --socket="$d/sock" --pid-file="$d/pid" \
    --bind-address=127.0.0.1 --port=$DB_PORT --skip-name-resolve --skip-log-bin --performance-schema=OFF \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-fast-shutdown=2
  wait_for 30 mariadbd db_client -e 'select 1'
  db_client -e "create database if not exists slurm_acct_db;
    create user if not exists slurm@'127.0.0.1' identified by 'slurmlab';
    grant all on slurm_acct_db.* to slurm@'127.0.0.1';"
}

db_client() { mariadb --no-defaults -u root -S "$LAB/db/sock" "$@"; }

# slurmctld and slurmdbd bind to what their own host name resolves to (No*InAddrAny) and compare that name with
# SlurmctldHost/DbdHost: each gets its name in a UTS namespace, so that this machine is not renamed.
start_named() { # NAME HOSTNAME COMMAND...
  # shellcheck disable=SC2016  # expanded by the inner shell
  start "$1" unshare --uts sh -c 'hostname "$0"; exec "$@"' "${@:2}"
}

start_slurmdbd() {
  alive slurmdbd && return 0
  start_named slurmdbd $HEAD env SLURM_CONF="$ETC/lab/slurm.conf" /usr/sbin/slurmdbd -D
  wait_for 60 slurmdbd on lab sacctmgr -n list cluster
}

launch_ctld() { # NAME CLUSTER HOSTNAME
  alive "$1" || start_named "$1" "$3" env SLURM_CONF="$ETC/$2/slurm.conf" /usr/sbin/slurmctld -D -f "$ETC/$2/slurm.conf"
}
start_slurmctld()  { launch_ctld slurmctld  lab  $HEAD;  wait_for 20 slurmctld  ctld_is_up lab; }
start_slurmctld2() { launch_ctld slurmctld2 lab2 $HEAD2; wait_for 20 slurmctld2 ctld_is_up lab2; }
start_both_ctlds() { launch_ctld slurmctld lab $HEAD; launch_ctld slurmctld2 lab2 $HEAD2; start_slurmctld; start_slurmctld2; }
ctld_is_up()       { on "$1" scontrol ping | grep -q 'is UP'; }

start_slurmrestd() {
  alive slurmrestd && return 0
  start slurmrestd setpriv --reuid=nobody --regid=nogroup --clear-groups \
    env SLURM_JWT=daemon SLURM_CONF="$ETC/lab/slurm.conf" \
    /usr/sbin/slurmrestd -a rest_auth/jwt -s openapi/v0.0.38,openapi/dbv0.0.38 "127.0.0.1:$REST_PORT"
}
restd_answers() { bash -c "exec 3<>/dev/tcp/127.0.0.1/$REST_PORT"; }

start_daemon() { "start_$1"; [ "$1" != munged ] || take_nodes_back; }

# Nodes that slurmctld could not reach for want of munge are marked silent, then DOWN. It asks a silent one again
# within 5 s, one that is DOWN only every minute or so; a reconfigure asks all of them now.
take_nodes_back() {
  ! ctld_is_up lab || on lab scontrol reconfigure
  ! ctld_is_up lab2 || on lab2 scontrol reconfigure
}

signal_daemon() { # NAME SIGNAL
  alive "$1" || die "$1 is not running"
  kill "-$2" "$(pid_of "$1")"
}

# Until the next `up`, which writes the configuration anew. While munge is out for longer than this, slurmctld takes
# its nodes for dead and ends their jobs: so it is with Slurm's own default of 300 s, only later.
set_patience() { # SECONDS
  sed -i "s/^SlurmdTimeout=.*/SlurmdTimeout=$1/" "$ETC/lab/slurm.conf"
  on lab scontrol reconfigure
}

cancel_all_jobs() {
  local cluster
  for cluster in lab lab2; do
    ctld_is_up "$cluster" 2>/dev/null || continue
    on "$cluster" squeue -h -o %A 2>/dev/null | sort -u | SLURM_CONF=$ETC/$cluster/slurm.conf xargs -r scancel 2>/dev/null || true
  done
  for _ in {1..60}; do
    [ -n "$(on lab squeue -h 2>/dev/null; on lab2 squeue -h 2>/dev/null)" ] || break
    sleep 0.1
  done
}
