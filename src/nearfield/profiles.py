"""Who may use which profile."""

from __future__ import annotations

from nearfield.config import Config, ProfileConfig
from nearfield.datasets import Principal
from nearfield.errors import UnknownNameError


def usable(config: Config, user: Principal) -> dict[str, ProfileConfig]:
    """The profiles that this user may use, in the configuration's order."""
    return {
        name: profile
        for name, profile in config.profiles.items()
        if (not profile.users and not profile.groups)
        or user.name in profile.users
        or not user.groups.isdisjoint(profile.groups)
    }


def choose(config: Config, user: Principal, name: str) -> ProfileConfig:
    """The profile of that name. Raises UnknownNameError, which names those that exist."""
    allowed = usable(config, user)
    if name not in allowed:
        raise UnknownNameError("profile", name, allowed)
    return allowed[name]
