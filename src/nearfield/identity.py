"""Whose Unix account a person of the hub has, and whether sessions may run as it."""

from __future__ import annotations

import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nearfield.config import Config, IdentityConfig
from nearfield.config.identity import read_map
from nearfield.errors import AccountError

_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)
ASK = "ask the administrators of this hub"


def account_of(identity: IdentityConfig, name: str, auth_state: Mapping[str, Any] | None) -> str:
    """The account of the hub's user ``name``, whom the authenticator told ``auth_state`` of.

    Raises:
        AccountError: the claim is missing, or names no account.
    """
    claim = name if identity.claim == "username" else _claim(identity.claim, auth_state)
    # The lower case of a Kelvin sign is a k: letters that are not ASCII are never folded.
    if not claim.isascii() and (identity.lower or identity.domain is not None):
        raise AccountError(
            f"your {identity.claim} {claim[:200]!r} has letters other than a-z", hint=ASK
        )
    if identity.lower:
        claim = claim.lower()
    if identity.domain is not None:
        head, _, domain = claim.rpartition("@")
        if not head or domain.lower() != identity.domain.lower():
            raise AccountError(
                f"your {identity.claim} {claim[:200]!r} is not of the domain {identity.domain}",
                hint=ASK,
            )
        claim = head
    if identity.map:
        known = _map(identity)
        if claim not in known:
            raise AccountError(
                f"there is no account here for your {identity.claim} {claim[:200]!r}", hint=ASK
            )
        claim = known[claim]
    if not _ACCOUNT.fullmatch(claim):
        raise AccountError(
            f"your {identity.claim} gives {claim[:200]!r}, which is no name of an account", hint=ASK
        )
    return claim


def _claim(path: str, auth_state: Mapping[str, Any] | None) -> str:
    if not auth_state:
        raise AccountError(
            "this hub does not know who you are any more", hint="log out and log in again"
        )
    for start in (auth_state, auth_state.get("oauth_user")):
        found: Any = start
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if isinstance(found, str) and found:
            return found
    raise AccountError(f"your login does not say {path!r}, which names your account", hint=ASK)


_read: dict[tuple[Path, int, int, int], Mapping[str, str]] = {}


def _map(identity: IdentityConfig) -> Mapping[str, str]:
    if isinstance(identity.map, dict):
        return identity.map
    try:
        found = identity.map.stat()
        stamp = (identity.map, found.st_mtime_ns, found.st_ino, found.st_size)
        # Each login and start asks for every user of the hub: read once for all.
        if stamp not in _read:
            known = read_map(identity.map)
            _read.clear()
            _read[stamp] = known
        return _read[stamp]
    except (OSError, ValueError) as error:
        # Who it concerns can do nothing about it; who can finds it in the hub's log.
        raise AccountError(
            "the list of this hub's accounts cannot be read", hint=f"identity.map: {error}"
        ) from error


def check_account(account: str, config: Config, cluster: str | None = None) -> None:
    """May sessions run as ``account``? The launcher decides; this says it earlier, in words.

    Without ``cluster``, all of them are meant: a login, which comes before any choice.

    Raises:
        AccountError: a system account, or none on this host although it must be there.
    """
    names = [cluster] if cluster is not None else list(config.clusters)
    concerned = [config.clusters[n] for n in names if config.clusters[n].scheduler == "slurm"]
    if not concerned:
        return
    try:
        uid = pwd.getpwnam(account).pw_uid
    except KeyError:
        # Through ssh a hub's host need not know the accounts of the submit host.
        if any(c.submitter == "ssh" for c in concerned):
            return
        raise AccountError(f"there is no account {account!r} on this site", hint=ASK) from None
    if uid < config.launcher.min_uid:
        raise AccountError(
            f"{account!r} is a system account (uid {uid}): no sessions run as it", hint=ASK
        )
