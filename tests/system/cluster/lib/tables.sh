# shellcheck shell=bash disable=SC2034
# What the site consists of. Everything else is derived from these tables.

# Ports lie below the ephemeral range (32768-60999) and away from Slurm's defaults.
CTLD_PORT=16817 CTLD2_PORT=16827 DBD_PORT=16819 REST_PORT=16820 DB_PORT=13306 SLURMD_BASE=17000

BRIDGE=slurmlab0 SUBNET=10.99.0      # .1 is the head node (this host), .11 and up are the compute nodes
HEAD=slurm-head HEAD2=slurm-head2    # host names of the two controllers, each in a UTS namespace of its own

# name | cluster | CPUs | memory (MB) | features | gres | storages mounted on it
# The nodes claim far more than this machine has (SlurmdParameters=config_overrides): na1+na2+nb1 hold 768
# one-CPU servers. small1 is small on purpose: two one-CPU jobs fill it, so a test forces a preemption at once.
NODES=(
  "na1|lab|256|512000|storage-a,cpu||storage-a"
  "na2|lab|256|512000|storage-a,cpu||storage-a"
  "nb1|lab|256|512000|storage-b,cpu||storage-b"
  "gpu1|lab|64|128000|storage-a,storage-b,gpu|gpu:sim:2|storage-a storage-b"
  "small1|lab|2|4000|storage-a,cpu||storage-a"
  "nc1|lab2|64|128000|storage-c,cpu||storage-c"
)
STORAGES=(storage-a storage-b storage-c)

# user : uid : account. Fixed ids, so that files in $LAB still belong to them after down and up.
USERS=("alice:20001:physics" "bob:20002:chem" "carol:20003:physics")
LAB_GROUP=slurmlab LAB_GID=20000     # the people; whom the hub may act for
HUB_USER=jhub HUB_UID=20100          # the unprivileged account a JupyterHub runs as; not in LAB_GROUP

# the one command that the hub may run as a member of LAB_GROUP (see accounts.sh and site-runtime)
LAUNCHER=$LAB/site/venv/bin/nearfield-launch

DAEMONS=(munged mariadbd slurmdbd slurmctld slurmctld2 slurmrestd)

node_names() { printf '%s\n' "${NODES[@]%%|*}"; }
nodes_of()   { local n; for n in $(node_names); do [ "$(node_field "$n" cluster)" != "$1" ] || echo "$n"; done; }

node_index() {
  local i=0 n
  for n in "${NODES[@]}"; do i=$((i+1)); [ "${n%%|*}" != "$1" ] || { echo $i; return; }; done
  die "no node $1 (there are: $(node_names | paste -sd' '))"
}

node_addr() { echo "$SUBNET.$((10 + $(node_index "$1")))"; }
node_port() { echo $((SLURMD_BASE + $(node_index "$1"))); }

node_field() { # NODE cluster|cpus|memory|features|gres|storages
  local line name cluster cpus memory features gres storages
  for line in "${NODES[@]}"; do
    IFS='|' read -r name cluster cpus memory features gres storages <<<"$line"
    [ "$name" != "$1" ] || { echo "${!2}"; return; }
  done
}

check_node()   { node_index "$1" >/dev/null; }
check_daemon() { [[ " ${DAEMONS[*]} " == *" $1 "* ]] || die "no daemon $1 (there are: ${DAEMONS[*]})"; }

# on CLUSTER COMMAND... : a Slurm client command against lab or lab2, whatever the caller's environment says
on() { local cluster=$1; shift; SLURM_CONF=$ETC/$cluster/slurm.conf "$@"; }
