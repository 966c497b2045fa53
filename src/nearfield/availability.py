"""Where the bytes of a dataset are, as far as this machine can tell without touching them.

Only file metadata are looked at: nothing is opened, so nothing is recalled from tape.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import PurePosixPath

from nearfield.config import Config
from nearfield.datasets import Availability, DataFile, Dataset, path_problem
from nearfield.mapping import mapped

# A file system may keep the bytes of a small file in its inode, without any block.
INODE_BYTES = 4096
MAX_LOOKS = 20
SECONDS = 2.0


def availability_of(
    config: Config, dataset: Dataset, *, looks: int = MAX_LOOKS, seconds: float = SECONDS
) -> Availability:
    """``online``, ``tape``, ``remote`` or ``unknown``, by at most ``looks`` files.

    ``tape``: one of them has a size and no blocks. ``online``: all of them are here, with their
    bytes. ``remote``: none is here, and there is an address to fetch them from. What the source
    says counts where this machine knows nothing. A file system that does not answer in ``seconds``
    is one of which nobody can tell.
    """
    paths = _paths(config, dataset, looks)
    answer = _within(seconds, paths) if paths else None
    if answer in ("online", "tape"):
        return answer
    if dataset.availability in ("tape", "remote"):
        return dataset.availability
    return "remote" if any(file.url for file in dataset.files) else "unknown"


def with_availability(config: Config, dataset: Dataset) -> Dataset:
    """``dataset``, telling where its bytes are."""
    found = availability_of(config, dataset)
    if found == dataset.availability:
        return dataset
    return dataset.model_copy(update={"availability": found})


def _paths(config: Config, dataset: Dataset, looks: int) -> list[str]:
    """The files to look at, the root first and the others from all over the dataset.

    Where the site names its storages, only what lies on them: a foreign record's path may be
    anything, and a path of the same name here something else.
    """
    files = _spread(dataset.files, looks)
    root = dataset.root_file
    if root is not None and root not in files:
        files = [root, *files[: looks - 1]]
    return [
        file.path
        for file in files
        if path_problem(file.path) is None
        and (not config.storages or mapped(config, file.path) is not None)
    ]


def _spread(files: Sequence[DataFile], number: int) -> list[DataFile]:
    step = max(1, -(-len(files) // max(1, number)))
    return list(files[::step])


def _within(seconds: float, paths: Sequence[str]) -> Availability:
    found: list[Availability] = []

    def work() -> None:
        found.append(_look(paths))

    # A dead file server holds whoever asks it: that must not be the asking thread.
    thread = threading.Thread(target=work, name="nearfield-availability", daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else "unknown"


def _look(paths: Sequence[str]) -> Availability:
    online = True
    for path in paths:
        try:
            facts = os.stat(PurePosixPath(path))  # noqa: PTH116  # Path.stat is the same call
        except (OSError, ValueError):
            online = False
            continue
        if facts.st_size > INODE_BYTES and facts.st_blocks == 0:
            return "tape"
    return "online" if online else "unknown"
