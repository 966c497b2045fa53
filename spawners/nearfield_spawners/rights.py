"""May the user read the chosen datasets? Asked as the user, before a job exists, and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nearfield.config import Config
from nearfield.datasets import DatasetFiles
from nearfield.errors import DatasetNotPermittedError
from nearfield.scheduler import PathAccess, Scheduler
from nearfield.scheduler.jobspec import DatasetLink
from nearfield.scheduler.node.readable import SAMPLES, samples
from nearfield.scheduler.sessions import bound_storages
from nearfield.storage import locate

PATHS = 1000
"""The launcher takes so many paths in one question: there is never more than one."""
ADVICE = "ask the dataset's owner for access on the file system"


@dataclass(frozen=True)
class Right:
    """May the account read a dataset? ``unknown``: the node decides before the server starts."""

    pid: str
    answer: Literal["yes", "no", "unknown"]
    path: str
    reason: str


async def rights_of(
    scheduler: Scheduler,
    user: str,
    links: Sequence[DatasetLink],
    datasets: Iterable[DatasetFiles] = (),
) -> tuple[Right, ...]:
    """One answer for each dataset, from a sample of its files, in one question for all."""
    if not links:
        return ()
    elsewhere = {dataset.pid: dataset.elsewhere for dataset in datasets}
    room = max(1, min(SAMPLES, PATHS // len(links)))
    asked = {link.pid: samples([*link.files, *elsewhere.get(link.pid, ())], room) for link in links}
    answers = await scheduler.access(
        user, dict.fromkeys(p for some in asked.values() for p in some)
    )
    return tuple(_judge(user, pid, paths, answers) for pid, paths in asked.items())


def _judge(user: str, pid: str, paths: list[str], answers: dict[str, PathAccess]) -> Right:
    root = paths[0]
    for path in paths:
        if answers.get(path) is PathAccess.NO:
            return Right(pid, "no", path, f"the account {user!r} may not read {path}")
    # A file besides the root that is not there is a hole in the data, not a matter of rights.
    if answers.get(root) is PathAccess.YES:
        return Right(pid, "yes", root, "")
    why = f"{root} is not to be seen from here: its node decides before the server starts"
    return Right(pid, "unknown", root, why)


async def check_rights(
    scheduler: Scheduler,
    user: str,
    links: Sequence[DatasetLink],
    datasets: Iterable[DatasetFiles] = (),
) -> tuple[str, ...]:
    """Refuse what the account may not read; return the paths that only the node can tell.

    Raises:
        DatasetNotPermittedError: names dataset, path and reason.
    """
    rights = await rights_of(scheduler, user, links, datasets)
    for right in rights:
        if right.answer == "no":
            raise DatasetNotPermittedError(f"dataset {right.pid}: {right.reason}", hint=ADVICE)
    return tuple(right.path for right in rights if right.answer == "unknown")


def not_bound(config: Config, profile: str, datasets: Iterable[DatasetFiles]) -> list[str]:
    """What a session will miss of these datasets: linked files in no storage of the profile."""
    if not config.storages:
        return []
    allowed = bound_storages(config, config.profiles[profile])
    missed = []
    for dataset in datasets:
        outside = [p for p in dataset.elsewhere if locate(config, p)[0] not in allowed]
        if outside:
            more = f" and {len(outside) - 1} more" if len(outside) > 1 else ""
            missed.append(
                f"dataset {dataset.pid} links to {outside[0]}{more}, in no storage of this profile:"
                " an image does not see it"
            )
    return missed
