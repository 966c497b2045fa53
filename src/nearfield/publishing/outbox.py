"""The outbox: what is about to be published, and what is, kept in the run folder.

One folder per catalogue, ``DIR/.nearfield/outbox-<target>/``, with ``intent.json`` (what will be
derived, whole and final) and, once the catalogue has answered, ``done.json``. An intent that the
catalogue refused is marked by ``refused.json``, and is no longer final. The folder is
prepared under another name and then renamed: renaming onto a folder that is not empty fails, so
of several publishers exactly one intent wins, and nobody ever sees half of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearfield.datasets import DerivedDataset
from nearfield.errors import PublishError
from nearfield.provenance.files import PRIVATE_FOLDER, sync_folder, write_atomic, write_new

FORMAT = "nearfield-outbox/1"

OnStep = Callable[[str], None]


def ignore_step(step: str) -> None:
    """Nobody is watching."""


class Outbox:
    """The outbox of one run folder for one catalogue; ``target`` says which."""

    def __init__(self, folder: Path, target: str, on_step: OnStep = ignore_step) -> None:
        key = hashlib.sha256(target.encode()).hexdigest()[:16]
        self.target = target
        self.private = folder / PRIVATE_FOLDER
        self.folder = self.private / f"outbox-{key}"
        self._on_step = on_step

    def intent(self) -> DerivedDataset | None:
        """What was decided to be published; None where nothing was."""
        found = self._read("intent.json")
        if found is None:
            return None
        try:
            return DerivedDataset.model_validate(found["derived"])
        except (KeyError, ValidationError) as error:
            raise PublishError(
                f"{self.folder / 'intent.json'}: not what Nearfield wrote: {error}"
            ) from error

    def claim(self, derived: DerivedDataset) -> DerivedDataset:
        """Decide to publish ``derived``; returns what was decided, by us or by who was first."""
        prepared = self.private / f".{self.folder.name}.{secrets.token_hex(6)}"
        prepared.mkdir()
        try:
            intent = {
                "format": FORMAT,
                "target": self.target,
                "derived": derived.model_dump(mode="json"),
            }
            write_new(prepared / "intent.json", _bytes(intent))
            sync_folder(prepared)
            self._on_step("prepared")
            prepared.rename(self.folder)
        except OSError as error:
            shutil.rmtree(prepared, ignore_errors=True)
            # ENOENT: who was first has finished, and swept our preparation away.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise
        sync_folder(self.private)
        self._on_step("claimed")
        decided = self.intent()
        if decided is None:
            raise PublishError(f"{self.folder}: disappeared while publishing")
        return decided

    def published_pid(self) -> str | None:
        """The PID that the catalogue gave; None while it has not."""
        found = self._read("done.json")
        if found is None:
            return None
        pid = found.get("pid")
        if not isinstance(pid, str) or not pid:
            raise PublishError(f"{self.folder / 'done.json'}: has no pid")
        return pid

    def mark_done(self, pid: str) -> None:
        """Remember the catalogue's answer. Two publishers write the same PID."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        write_atomic(self.folder / "done.json", _bytes({"format": FORMAT, "pid": pid, "at": at}))
        self._on_step("marked")
        # Preparations that a killed publisher left; one still at work finds the claim taken.
        for left in self.private.glob(f".{self.folder.name}.*"):
            with contextlib.suppress(OSError):
                shutil.rmtree(left)

    def mark_refused(self, why: str) -> None:
        """Remember that the catalogue has not taken the intent, and never had."""
        # Where that cannot be written, the intent stays final.
        with contextlib.suppress(OSError):
            write_atomic(self.folder / "refused.json", _bytes({"format": FORMAT, "why": why}))

    def withdraw_refused(self) -> bool:
        """Put a refused intent away, so that another can be decided; True where one was."""
        if self._read("refused.json") is None or self._read("done.json") is not None:
            return False
        away = self.private / f".{self.folder.name}.{secrets.token_hex(6)}"
        # Of several publishers one puts it away; the others find what is decided next.
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(away)
            if not (away / "refused.json").exists():
                away.rename(self.folder)  # it had been put away before; this is what came next
            else:
                shutil.rmtree(away, ignore_errors=True)
        return True

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise PublishError(f"{path}: not JSON: {error}") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise PublishError(f"{path}: not of the format {FORMAT}")
        return found


def _bytes(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()
