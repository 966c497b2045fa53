# shellcheck shell=bash
# Debian packages: only what is missing, without starting a service, without leaving a munge key behind.

# mariadb-server-core, not mariadb-server: no default database in /var/lib, no maintenance scripts
PACKAGES=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins slurmdbd slurm-wlm-mysql-plugin
  slurm-wlm-jwt-plugin slurmrestd munge mariadb-server-core mariadb-client-core
  iproute2 nftables openssl sudo openssh-server openssh-client acl systemd)

install_packages() {
  local miss=() p have
  have=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' "${PACKAGES[@]}" 2>/dev/null || true)"
  for p in "${PACKAGES[@]}"; do [[ $have == *" $p=installed "* ]] || miss+=("$p"); done
  [ ${#miss[@]} -gt 0 ] || return 0
  say "installing: ${miss[*]}"
  trap after_install EXIT
  INSTALLING_MUNGE=
  [[ " ${miss[*]} " != *" munge "* ]] || INSTALLING_MUNGE=1
  # keeps maintainer scripts from starting services
  POLICY_GUARD=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    POLICY_GUARD=1
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  apt_install "${miss[@]}" >"$LOGS/apt.out" 2>&1 9>&- || die "apt failed, see $LOGS/apt.out"
  after_install
  trap - EXIT
  say "packages installed"
}

# also when apt failed half-way or somebody pressed ^C
after_install() {
  [ -z "$POLICY_GUARD" ] || rm -f /usr/sbin/policy-rc.d
  # The guard has proved that there was no key before: this one is the postinst's. Ours is in $ETC.
  [ -z "$INSTALLING_MUNGE" ] || rm -f /etc/munge/munge.key
}

apt_install() {
  local apt=(apt-get -qq -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 --no-install-recommends)
  export DEBIAN_FRONTEND=noninteractive
  "${apt[@]}" install "$@" || { apt-get -qq -o DPkg::Lock::Timeout=600 update && "${apt[@]}" install "$@"; }
}
