# shellcheck shell=bash
# slurm.conf and its companions for both clusters, the links through which clients find them, and host names.

CONF_FILES=(slurm.conf gres.conf cgroup.conf slurmdbd.conf)

write_config() {
  write_keys
  install -d -o slurm -g slurm -m 755 "$RUN/slurm" "$LOGS/slurm" "$SPOOL/ctld-lab" "$SPOOL/ctld-lab2"
  local cluster
  for cluster in lab lab2; do
    mkdir -p "$ETC/$cluster"
    write_slurm_conf "$cluster" >"$ETC/$cluster/slurm.conf"
    write_gres_conf "$cluster"  >"$ETC/$cluster/gres.conf"
    write_cgroup_conf >"$ETC/$cluster/cgroup.conf"
  done
  install -o slurm -g slurm -m 600 /dev/null "$ETC/lab/slurmdbd.conf"
  write_slurmdbd_conf >"$ETC/lab/slurmdbd.conf"
  # Clients look in /etc/slurm: a link, because SLURM_CONF does not survive su and sudo. It is lab's; nodes of lab2
  # see lab2's there (see nodes.sh), and elsewhere `-M lab2` or SLURM_CONF chooses.
  mkdir -p /etc/slurm
  local f
  for f in "${CONF_FILES[@]}"; do ln -sfn "$ETC/lab/$f" "/etc/slurm/$f"; done
}

remove_config_links() {
  local f
  for f in "${CONF_FILES[@]}"; do
    [[ $(readlink "/etc/slurm/$f") != "$ETC"/* ]] || rm -f "/etc/slurm/$f"
  done
}

write_keys() {
  [ -s "$ETC/munge.key" ] || dd if=/dev/urandom of="$ETC/munge.key" bs=1 count=1024 status=none
  chown munge: "$ETC/munge.key"; chmod 400 "$ETC/munge.key"
  [ -s "$ETC/jwt.key" ] || openssl rand -out "$ETC/jwt.key" 32
  chown slurm: "$ETC/jwt.key"; chmod 600 "$ETC/jwt.key"
}

write_slurm_conf() { # CLUSTER
  local cluster=$1 head=$HEAD port=$CTLD_PORT
  [ "$cluster" = lab ] || { head=$HEAD2 port=$CTLD2_PORT; }
  cat <<C
ClusterName=$cluster
SlurmctldHost=$head($SUBNET.1)
SlurmctldPort=$port
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$MUNGE_SOCK,cred_expire=60
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$ETC/jwt.key
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny
StateSaveLocation=$SPOOL/ctld-$cluster
SlurmdSpoolDir=$SPOOL/%n
SlurmctldPidFile=$RUN/slurm/slurmctld-$cluster.pid
SlurmdPidFile=$RUN/slurm/%n.pid
SlurmctldLogFile=$LOGS/slurm/slurmctld-$cluster.log
SlurmdLogFile=$LOGS/slurm/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
DebugFlags=NO_CONF_HASH

ProctrackType=proctrack/linuxproc
$(write_memory_rule)
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
EnforcePartLimits=ALL
SlurmdParameters=config_overrides

# speed: try to schedule on every submit, sweep the whole queue each second
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1,bf_resolution=60,bf_window=1440,bf_continue,default_queue_depth=500,preempt_send_user_signal
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/multifactor
PriorityWeightAge=1000
PriorityWeightQOS=10000
PreemptType=preempt/qos
PreemptMode=REQUEUE
KillWait=5
SlurmdTimeout=15
InactiveLimit=0
MinJobAge=120
MaxArraySize=1001
GresTypes=gpu
DefMemPerCPU=200
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$SUBNET.1
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$MUNGE_SOCK
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment,job_env,job_script
AccountingStorageTRES=gres/gpu

C
  write_nodes "$cluster"
  write_partitions "$cluster"
}

# How a job that exceeds its memory ends.
#   with the memory cgroup: the kernel kills its biggest process, and Slurm ends the job as OUT_OF_MEMORY
#   without: slurmstepd samples the job's processes and kills the job within N seconds (task=N, or what the job asks
#   for by --acctg-freq): FAILED with exit code 0:9. With hundreds of jobs here, 1 s for all would cost a core.
write_memory_rule() {
  echo "JobAcctGatherType=jobacct_gather/linux"
  if [ -n "$(memory_cgroup)" ]; then
    printf '%s\n' "TaskPlugin=task/cgroup" "JobAcctGatherFrequency=task=10"
  else
    printf '%s\n' "TaskPlugin=task/none" "JobAcctGatherFrequency=task=5" "JobAcctGatherParams=OverMemoryKill,NoShared"
  fi
}

write_cgroup_conf() {
  # 22.05's slurmd loads a cgroup plugin even when nothing uses it, and dies where autodetection fails
  echo "CgroupPlugin=cgroup/v1"
  [ -z "$(memory_cgroup)" ] || printf '%s\n' "CgroupMountpoint=$LAB/cgroup" "ConstrainRAMSpace=yes" "AllowedSwapSpace=0"
}

write_nodes() { # CLUSTER
  local n gres
  for n in $(nodes_of "$1"); do
    gres=$(node_field "$n" gres)
    echo "NodeName=$n NodeHostname=$n NodeAddr=$(node_addr "$n") Port=$(node_port "$n")" \
      "CPUs=$(node_field "$n" cpus) RealMemory=$(node_field "$n" memory)" \
      "Features=$(node_field "$n" features)${gres:+ Gres=$gres} State=UNKNOWN"
  done
}

write_partitions() { # CLUSTER
  if [ "$1" = lab2 ]; then
    echo "PartitionName=short Nodes=nc1 Default=YES MaxTime=04:00:00 DefaultTime=00:30:00 State=UP"
    return
  fi
  cat <<'C'
PartitionName=short    Nodes=na1,na2,nb1 Default=YES MaxTime=04:00:00 DefaultTime=00:30:00 State=UP
PartitionName=gpu-sim  Nodes=gpu1        MaxTime=02:00:00 DefaultTime=00:30:00 State=UP
PartitionName=beamline Nodes=na1,na2     MaxTime=12:00:00 DefaultTime=01:00:00 PriorityTier=10 State=UP
PartitionName=small    Nodes=small1      MaxTime=01:00:00 DefaultTime=00:10:00 State=UP
C
}

write_gres_conf() { # CLUSTER
  local n kind type count i
  for n in $(nodes_of "$1"); do
    IFS=: read -r kind type count <<<"$(node_field "$n" gres)"
    [ -n "$kind" ] || continue
    # slurmd counts a gpu without File= as absent ("count reported lower than configured"): give it null devices
    mkdir -p "$LAB/dev"
    for ((i = 0; i < count; i++)); do
      [ -e "$LAB/dev/$n-$kind$i" ] || mknod -m 666 "$LAB/dev/$n-$kind$i" c 1 3
    done
    echo "NodeName=$n Name=$kind Type=$type File=$LAB/dev/$n-${kind}[0-$((count-1))]"
  done
}

write_slurmdbd_conf() {
  cat <<C
DbdHost=$HEAD
DbdAddr=$SUBNET.1
DbdPort=$DBD_PORT
CommunicationParameters=NoInAddrAny
SlurmUser=slurm
AuthType=auth/munge
AuthInfo=socket=$MUNGE_SOCK
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$ETC/jwt.key
PidFile=$RUN/slurm/slurmdbd.pid
LogFile=$LOGS/slurm/slurmdbd.log
DebugLevel=info
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$DB_PORT
StorageUser=slurm
StoragePass=slurmlab
StorageLoc=slurm_acct_db
C
}

# /etc/hosts is written in place (never renamed): in a container it may be a mount.
write_hosts() {
  remove_hosts
  cp /etc/hosts "$RUN/hosts.before"
  { [ -z "$(tail -c1 /etc/hosts)" ] || echo
    echo "$SUBNET.1 $HEAD $HEAD2 # slurmlab"
    local n; for n in $(node_names); do echo "$(node_addr "$n") $n # slurmlab"; done
  } >>/etc/hosts
}

# Whoever changed other lines meanwhile keeps them; whoever had no newline at the end gets exactly that back.
remove_hosts() {
  grep -q '# slurmlab$' /etc/hosts 2>/dev/null || return 0
  grep -v '# slurmlab$' /etc/hosts >"$RUN/hosts.now" || true
  if [ -e "$RUN/hosts.before" ] && [ "$(cat "$RUN/hosts.before")" = "$(cat "$RUN/hosts.now")" ]; then
    cat "$RUN/hosts.before" >/etc/hosts
  else
    cat "$RUN/hosts.now" >/etc/hosts
  fi
  rm -f "$RUN/hosts.now" "$RUN/hosts.before"
}
