"""What a scan tells: how far it is, and in the end what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nearfield.catalogue._tree import Failure


class OnProgress(Protocol):
    """Told how far the scan is; ``total`` is None while it is not known."""

    def __call__(self, done: int, total: int | None, what: str = "") -> None: ...


@dataclass(frozen=True)
class ScanReport:
    """What a scan did. ``failed`` names everything that was not, or not wholly, registered."""

    registered: int = 0
    unchanged: int = 0
    updated: int = 0
    missing: int = 0
    ignored: int = 0
    failed: tuple[Failure, ...] = ()
    missing_paths: tuple[str, ...] = ()

    @property
    def known(self) -> int:
        """Datasets of the folder that are in the catalogue and whose files are there."""
        return self.registered + self.unchanged + self.updated
