"""``identity:``: which word of the identity provider names a person's Unix account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, StringConstraints, model_validator

from nearfield.config._base import AbsolutePath, ConfigModel

UnixName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]{0,31}$")]


class IdentityConfig(ConfigModel):
    """From the hub's user to the account that sessions run as."""

    claim: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*$")] = (
        "username"
    )
    """``username``: the hub's own. Anything else is a path in the authenticator's auth_state, also
    below ``oauth_user``: ``preferred_username``, ``oauth_user.sub``."""
    domain: str | None = None
    """The claim must end in ``@domain``, which is taken off."""
    lower: bool = False
    """The claim is made lower-case first."""
    map: dict[str, UnixName] | AbsolutePath = Field(default_factory=dict)
    """Claim to account, here or in a YAML file. If there is one, nobody else has an account."""

    @model_validator(mode="after")
    def _one_to_one(self) -> Self:
        if isinstance(self.map, dict):
            must_be_one_to_one(self.map)
        return self

    @property
    def trivial(self) -> bool:
        """Is every account simply the hub's user name?"""
        return self == IdentityConfig()


def must_be_one_to_one(accounts: dict[str, str]) -> None:
    """Raises ValueError where two people have one account."""
    seen: dict[str, str] = {}
    for claim, account in accounts.items():
        if account in seen:
            raise ValueError(f"map: {seen[account]!r} and {claim!r} both have account {account!r}")
        seen[account] = claim


def read_map(path: Path) -> dict[str, str]:
    """A map file: YAML, ``claim: account``. Raises ValueError or OSError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML") from error
    if not isinstance(found, dict) or not all(
        isinstance(word, str) for pair in found.items() for word in pair
    ):
        raise ValueError(
            f"{path} must be 'claim: account' lines, quoted where they look like numbers"
        )
    must_be_one_to_one(found)
    return found
