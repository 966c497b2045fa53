# shellcheck shell=bash
# Clusters, accounts, users and QOS in the accounting database.

# normal           no limit
# interactive      for servers: before everybody else; room for a load test of one user
# limited          for tests of limits: 1 running, 2 submitted, at most 10 minutes
# scavenge         preempted by normal and interactive: SIGTERM, 5 s of grace, then cancelled (state PREEMPTED)
# scavenge-requeue preempted by normal and interactive: goes back to the queue
accounting_script() {
  local u name acct seen=' '
  echo "add cluster lab"
  echo "add cluster lab2"
  echo "add qos interactive"
  echo "add qos limited"
  echo "add qos scavenge"
  echo "add qos scavenge-requeue"
  echo "modify qos scavenge set Priority=0 PreemptMode=cancel GraceTime=5"
  echo "modify qos scavenge-requeue set Priority=0 PreemptMode=requeue GraceTime=5"
  echo "modify qos normal set Priority=10 Preempt=scavenge,scavenge-requeue"
  echo "modify qos interactive set Priority=100 MaxJobsPerUser=500 MaxSubmitJobsPerUser=600 MaxWall=04:00:00 Preempt=scavenge,scavenge-requeue"
  echo "modify qos limited set Priority=10 MaxJobsPerUser=1 MaxSubmitJobsPerUser=2 MaxWall=00:10:00"
  for u in "${USERS[@]}"; do
    IFS=: read -r name _ acct <<<"$u"
    [[ $seen == *" $acct "* ]] || echo "add account $acct Cluster=lab,lab2 Description=lab Organization=lab"
    seen+="$acct "
    echo "add user $name Cluster=lab,lab2 Account=$acct DefaultQOS=normal QOS=normal,interactive,limited,scavenge,scavenge-requeue"
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
  have=$(on lab sacctmgr -nP list assoc where user="$users" format=cluster,user,qos | grep -c scavenge-requeue) || true
  [ "$have" -eq $want ] || die "accounting associations were not created ($have of $want), see $LOGS/sacctmgr.out"
  cp "$script" "$SPOOL/accounting.done"
}
