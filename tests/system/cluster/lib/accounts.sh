# shellcheck shell=bash
# The people of the site on this host: Unix users, their group, and what the hub may do in their name.

SUDOERS=/etc/sudoers.d/slurmlab

# -r: no lines in /etc/subuid and /etc/subgid. The uids are given, so "system" changes nothing else; SYS_UID_MAX only
# keeps useradd from warning about them.
make_users() {
  local u name uid
  getent group $LAB_GROUP >/dev/null || groupadd -g $LAB_GID $LAB_GROUP
  for u in "${USERS[@]}"; do
    IFS=: read -r name uid _ <<<"$u"
    make_user "$name" "$uid" $LAB_GID
  done
  getent group $HUB_USER >/dev/null || groupadd -g $HUB_UID $HUB_USER
  make_user $HUB_USER $HUB_UID $HUB_UID
}

make_user() { # NAME UID GID
  id -u "$1" >/dev/null 2>&1 || useradd -r -K SYS_UID_MAX=60000 -M -d "$LAB/home/$1" -s /bin/bash -u "$2" -g "$3" "$1"
  [ -d "$LAB/home/$1" ] || install -d -o "$2" -g "$3" -m 700 "$LAB/home/$1"
}

# Homes stay: they are part of the cluster's state, and `purge` deletes them.
remove_users() {
  local u name
  for u in "${USERS[@]}" $HUB_USER; do
    name=${u%%:*}
    [ "$(getent passwd "$name" | cut -d: -f6)" != "$LAB/home/$name" ] || userdel "$name" ||
      say "warning: user $name stays (does a process of theirs, not ours, still run?): run down again"
  done
  [ "$(getent group $LAB_GROUP | cut -d: -f3)" != $LAB_GID ] || groupdel $LAB_GROUP 2>/dev/null || true
  [ "$(getent group $HUB_USER | cut -d: -f3)" != $HUB_UID ] || groupdel $HUB_USER 2>/dev/null || true
}

# One command, no arguments ("" in sudoers), a fresh environment, and no SETENV: what a compromised hub can do is
# bounded by what the launcher accepts on its standard input.
write_sudoers() {
  cat >"$RUN/sudoers" <<S
# written by the test cluster ($LAB); removed by: cluster down
Defaults:$HUB_USER env_reset, !setenv, !requiretty, !syslog, !pam_session
$HUB_USER ALL=(%$LAB_GROUP) NOPASSWD:NOSETENV: $LAUNCHER ""
S
  visudo -cqf "$RUN/sudoers" || die "the sudoers file is not valid: $RUN/sudoers"
  install -o root -g root -m 440 "$RUN/sudoers" "$SUDOERS"
}

remove_sudoers() { rm -f "$SUDOERS" "$RUN/sudoers"; }
