"""Homes inside a storage that sessions see read-only."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Mapping

from nearfield.checking.finding import Finding
from nearfield.config import Config
from nearfield.storage import locate

ACCOUNTS = 50
"""So many homes are looked at; those of a site lie side by side."""


def check_homes(config: Config, homes: Mapping[str, str]) -> Iterator[Finding]:
    """``homes``: of some of the people, by account.

    A storage is bound at its own path over what is there, so where it holds a home, a session in an
    image cannot write its user's files, nor its own.
    """
    inside: dict[str, dict[str, str]] = {}
    for account, home in homes.items():
        for path in dict.fromkeys((home, os.path.realpath(home))):
            name, _ = locate(config, path)
            if name is not None and config.storages[name].read_only:
                inside.setdefault(name, {})[account] = path
    for name, found in inside.items():
        account, home = next(iter(found.items()))
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        what = f"{config.storages[name].prefix} holds homes ({home} of {account}{others})"
        yield Finding(
            severity="error",
            key=f"storages.{name}.prefix",
            what=f"{what}: in images they are read-only",
            fix="name the folders below it that hold data, each a storage;"
            " or name the homes' own folder as one, with read_only: false",
        )


def homes_of(config: Config, account: pwd.struct_passwd) -> dict[str, str]:
    """The homes of ``account`` and of some members of ``launcher.group``, by account."""
    homes = {account.pw_name: account.pw_dir} if account.pw_uid >= config.launcher.min_uid else {}
    try:
        members = grp.getgrnam(config.launcher.group).gr_mem if config.launcher.group else []
    except KeyError:
        return homes
    for name in members[:ACCOUNTS]:
        try:
            homes[name] = pwd.getpwnam(name).pw_dir
        except KeyError:
            continue  # a name in the group that is no account here
    return homes
