# shellcheck shell=bash
# Clusters, accounts, users and QOS in the accounting database.

# normal           no limit
# interactive      for servers: before everybody else; room for a load test of one user
# limited          for tests of limits: 1 running, 2 submitted, at most 10 minutes
# scavenge         preempted by normal and interactive: SIGTERM at once, SIGKILL KillWait=5 s later, state PREEMPTED
# scavenge-requeue the same, but the job goes back to the queue (unless --no-requeue)
# scavenge-grace   the same as scavenge with GraceTime=5. Measured on 22.05: a batch script hears nothing during the
#                  grace, and slurmctld looks again only 15 s after the first attempt, so SIGTERM comes at 15 s
accounting_script() {
  local u name acct seen=' '
  echo "add cluster lab"
  echo "add cluster lab2"
  echo "add qos interactive"
  echo "add qos limited"
  echo "add qos scavenge"
  echo "add qos scavenge-requeue"
  echo "add qos scavenge-grace"
  echo "modify qos scavenge set Priority=0 PreemptMode=cancel GraceTime=0"
  echo "modify qos scavenge-grace set Priority=0 PreemptMode=cancel GraceTime=5"
  echo "modify qos scavenge-requeue set Priority=0 PreemptMode=requeue GraceTime=0"
  echo "modify qos normal set Priority=10 Preempt=scavenge,scavenge-requeue,scavenge-grace"
  echo "modify qos interactive set Priority=100 MaxJobsPerUser=500 MaxSubmitJobsPerUser=600 MaxWall=04:00:00 Preempt=scavenge,scavenge-requeue,scavenge-grace"
  echo "modify qos limited set Priority=10 MaxJobsPerUser=1 MaxSubmitJobsPerUser=2 MaxWall=00:10:00"
  for u in "${USERS[@]}"; do
    IFS=: read -r name _ acct <<<"$u"
    [[ $seen == *" $acct "* ]] || echo "add account $acct Cluster=lab,lab2 Description=lab Organization=lab"
    seen+="$acct "
    echo "add user $name Cluster=lab,lab2 Account=$acct"
    # apart from "add", which changes nothing of a user who is there already
    echo "modify user where Name=$name Account=$acct set QOS=normal,interactive,limited,scavenge,scavenge-requeue,scavenge-grace"
    echo "modify user where Name=$name Account=$acct set DefaultQOS=normal"
  done
}

# One sacctmgr session for everything, since each separate call costs 0.5-1 s; skipped while the script is the same.
accounting_entities() {
  local script=$RUN/accounting.script users want have
  accounting_script >"$script"
  cmp -s "$script" "$SPOOL/accounting.done" && return 0
  on lab sacctmgr -i -Q <"$script" >"$LOGS/sacctmgr.out" 2>&1 || true       # "already exists" is an error to it
  users=$(IFS=,; echo "${USERS[*]%%:*}")
  want=$((2 * ${#USERS[@]}))
  have=$(on lab sacctmgr -nP list assoc where user="$users" format=cluster,user,qos | grep -c scavenge-grace) || true
  [ "$have" -eq $want ] || die "accounting associations were not created ($have of $want), see $LOGS/sacctmgr.out"
  cp "$script" "$SPOOL/accounting.done"
}
