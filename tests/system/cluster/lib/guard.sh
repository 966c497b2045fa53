# shellcheck shell=bash
# When to keep our hands off: a host with a Slurm of its own, or with accounts that bear our users' names.
# Every check only reads. Nothing has been written yet when one of them refuses.

refuse_unless_ours() {
  require_root
  [ "$(. /etc/os-release 2>/dev/null; echo "${ID:-}")" = debian ] || refuse "not Debian: the packages come from apt"
  refuse_foreign_config
  refuse_foreign_daemons
  refuse_foreign_accounts
  refuse_foreign_network
  unshare --mount --uts --net --pid --fork --mount-proc true 2>/dev/null ||
    refuse "this host does not let root make network, PID, UTS and mount namespaces"
}

refuse_foreign_config() {
  local f
  for f in /etc/slurm*/* /usr/local/etc/slurm*/* /usr/local/etc/slurm*.conf; do
    [ -e "$f" ] || [ -L "$f" ] || continue
    [ ! -d "$f" ] || continue
    [[ $(readlink "$f") != "$ETC"/* ]] || continue             # a link of ours
    [ "$f" != /etc/slurm/plugstack.conf ] || continue          # shipped by Debian's package, without content
    refuse "this host has a Slurm configuration that is not ours: $f"
  done
  # stateless, because after our own installation of munge the key that its postinst made is removed again
  [ ! -e /etc/munge/munge.key ] || refuse "this host has a munge key: /etc/munge/munge.key"
}

refuse_foreign_daemons() {
  local d pid name
  for d in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$d/comm" || continue
    case $name in
      munged|slurmd|slurmctld|slurmdbd|slurmrestd)
        pid=${d#/proc/}
        gone "$pid" || ours "$pid" || refuse "$name (pid $pid) runs on this host and was not started by us" ;;
    esac
  done
}

refuse_foreign_accounts() {
  local u name uid group
  group=$(getent group "$LAB_GROUP" | cut -d: -f3) || true
  [ -z "$group" ] || [ "$group" = $LAB_GID ] || refuse "group $LAB_GROUP exists with gid $group, not $LAB_GID"
  group=$(getent group $LAB_GID | cut -d: -f1) || true
  [ -z "$group" ] || [ "$group" = "$LAB_GROUP" ] || refuse "gid $LAB_GID belongs to the group $group"
  for u in "${USERS[@]}" "$HUB_USER:$HUB_UID:"; do
    IFS=: read -r name uid _ <<<"$u"
    refuse_foreign_account "$name" "$uid"
  done
}

refuse_foreign_account() {
  local have
  have=$(getent passwd "$1" | cut -d: -f3,6) || true
  [ -z "$have" ] || [ "$have" = "$2:$LAB/home/$1" ] ||
    refuse "user $1 exists with uid:home $have, not $2:$LAB/home/$1"
  have=$(getent passwd "$2" | cut -d: -f1) || true
  [ -z "$have" ] || [ "$have" = "$1" ] || refuse "uid $2 belongs to the user $have"
}

refuse_foreign_network() {
  alive munged && return 0                                     # a running cluster owns its bridge and addresses
  ! ip -o -4 addr 2>/dev/null | grep -v " $BRIDGE " | grep -qF " $SUBNET." ||
    refuse "this host already uses addresses in $SUBNET.0/24"
}
