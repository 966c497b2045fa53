# shellcheck shell=bash
# Compute nodes: each slurmd has its own network, PID, UTS and mount namespace, thus its own address, process
# table, host name, /tmp and mounts. The head node is this host; the bridge joins them.

net_up() {
  ! ip link show $BRIDGE >/dev/null 2>&1 || return 0
  ip link add $BRIDGE type bridge
  ip addr add $SUBNET.1/24 dev $BRIDGE
  ip link set $BRIDGE up
}
net_down() { remove_cgroups; ip link del $BRIDGE 2>/dev/null || true; }

# Real out-of-memory kills need the kernel's memory controller (cgroup v1, as 22.05 can use without systemd). Each
# node gets a cgroup namespace, so that its Slurm sees a root of its own. Without: OverMemoryKill (see config.sh).
memory_cgroup() {
  local mounted=/sys/fs/cgroup/memory
  [ "${SLURMLAB_CGROUP:-1}" = 1 ] && [ -w $mounted/cgroup.procs ] && [ -e $mounted/memory.limit_in_bytes ] && echo $mounted || true
}

# A group can be removed only when empty of processes, which takes a moment after a power cut.
remove_cgroups() { # [NODE]
  local top i
  top=$(memory_cgroup)
  [ -n "$top" ] || return 0
  top=$top/slurmlab${1:+/$1}
  for ((i = 0; i < 100; i++)); do
    [ -d "$top" ] || return 0
    find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
  done
}

start_node() {
  local name=$1 conf s
  alive "$name" && { attach_node "$name"; return; }     # after an `up` that was interrupted
  conf=$ETC/$(node_field "$name" cluster)
  for s in "${STORAGES[@]}"; do [ -d "$LAB/storage/$s" ] || install -d -m 1777 "$LAB/storage/$s"; done
  remove_cgroups "$name"
  rm -rf --one-file-system "$LAB/nodes/$name/tmp"
  mkdir -p "$SPOOL/$name" "$LAB/nodes/$name"; install -d -m 1777 "$LAB/nodes/$name/tmp"
  # --kill-child: killing the recorded pid (unshare) is a power cut
  start "$name" env SLURM_CONF="$conf/slurm.conf" unshare --mount --uts --net --pid --fork --kill-child --mount-proc \
    "$HERE/node-init" "$name" "$LAB" "$conf" "$(node_field "$name" storages)" "$(node_addr "$name")" "$(memory_cgroup)"
  wait_for 10 "the namespaces of $name" node_pid "$name"
  attach_node "$name"
}

# The cable: one end on the bridge, the other inside the node, where node-init waits for it.
attach_node() {
  local i
  i=$(node_index "$1")
  ! ip link show "slab$i" >/dev/null 2>&1 || return 0
  ip link add "slab$i" type veth peer name eth0 netns "$(node_pid "$1")"
  ip link set "slab$i" master $BRIDGE up
}

# the node's pid 1, as seen from the host; unset until unshare has forked
node_pid() {
  local pid child
  pid=$(pid_of "$1") && child=$(cat "/proc/$pid/task/$pid/children") && child=${child%% *}
  [ -n "$child" ] && echo "$child"
} 2>/dev/null

kill_node() {
  local pid
  pid=$(pid_of "$1") || die "node $1 is not running"
  ! ours "$pid" || kill -KILL "$pid"
  rm -f "$RUN/$1.pid"
  ip link del "slab$(node_index "$1")" 2>/dev/null || true
}

# the jobs are cancelled by now: a graceful slurmd would take 2 s for nothing
stop_node() { ! [ -e "$RUN/$1.pid" ] || kill_node "$1"; rm -rf --one-file-system "${LAB:?}/nodes/$1"; }

boot_node() {
  start_node "$1"
  wait_for 40 "$1 to take jobs" node_usable "$1"
}

exec_on() {
  local pid
  pid=$(node_pid "$1") || die "node $1 is not running"
  shift
  exec nsenter -t "$pid" -a -- "$@"
}

node_state()  { on "$(node_field "$1" cluster)" sinfo -hN -n "$1" -o %T 2>/dev/null | sort -u | paste -sd,; }
node_usable() { alive "$1" && [[ $(node_state "$1") =~ ^(idle|mixed|allocated)$ ]]; }

all_usable() {
  local cluster bad want have
  for cluster in lab lab2; do
    # Drains survive in the saved state: lift them. Leave DOWN to ReturnToService=2 (a repeated resume blocks it).
    bad=$(on $cluster sinfo -hN -t drain,inval -o %N | sort -u | paste -sd,)
    [ -z "$bad" ] || on $cluster scontrol update nodename="$bad" state=resume || true
    want=$(nodes_of $cluster | wc -l)
    have=$(on $cluster sinfo -hN -o '%N %T' | sort -u | grep -cE ' (idle|mixed|allocated)$')
    [ "$have" -eq "$want" ] || return 1
  done
}
