"""Which template a run used, exactly: hashes, and the commit where it comes from a checkout."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from nearfield.provenance.record import TemplateUsed
from nearfield.templates.card import CARD_NAME, NOTEBOOK_NAME
from nearfield.templates.find import Template


def template_used(template: Template, notebook: bytes) -> TemplateUsed:
    """``notebook`` is what will be executed, as it was read."""
    commit, modified = _commit(template.folder)
    return TemplateUsed(
        name=template.card.name,
        version=template.card.version,
        title=template.card.title,
        notebook_sha256=hashlib.sha256(notebook).hexdigest(),
        card_sha256=hashlib.sha256((template.folder / CARD_NAME).read_bytes()).hexdigest(),
        commit=commit,
        modified=modified,
    )


def _commit(folder: Path) -> tuple[str | None, bool]:
    # A folder that merely lies inside somebody's repository has no commit: it must be tracked.
    if not _git(folder, "ls-files", "--", NOTEBOOK_NAME):
        return None, False
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or len(commit) not in (40, 64):
        return None, False
    changes = _git(folder, "status", "--porcelain", "--", ".")
    return commit, changes is None or changes != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where there is no git, no repository, or no answer in time."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the site's git, found as usual
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
