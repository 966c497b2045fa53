"""One person's process: the configuration and the tokens that it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nearfield.testing.catalogue_contract import PEOPLE
from rightslab.sources import Source

FAR = "far"
"""The name that the source is configured under."""


class Held:
    """A token that is there."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool = False) -> str:
        return self._token


def token_of(who: str) -> str | None:
    name = PEOPLE[who].name
    return f"token-of-{name}" if name else None


def config_of(source: Source, who: str, home: Mapping[str, Any]) -> dict[str, Any]:
    """``nearfield.yaml`` of somebody who has a token for the source, or has none."""
    given = {"token": "file"} if token_of(who) else {"token": "none", **source.anonymous}
    far = {**source.settings, "timeout": 30, **given}
    return {"catalogue": {"name": "home", "timeout": 30, **home}, "catalogues": {FAR: far}}


def keep_token(folder: Path, who: str) -> None:
    """The token for the source as a user keeps it, below ``$NEARFIELD_HOME``."""
    file = folder / "tokens" / FAR
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    if token := token_of(who):
        file.touch(0o600)
        file.write_text(token)
