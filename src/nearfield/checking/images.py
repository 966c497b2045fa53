"""Images of ``environments:``: there, readable by the people, and they start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from nearfield.checking.finding import Finding
from nearfield.checking.reach import obstacles
from nearfield.config import Config, EnvironmentConfig
from nearfield.scheduler.commands import Result
from nearfield.scheduler.node.image import bind

START_SECONDS = 60.0
"""For ``apptainer exec IMAGE true``, of which a large image on cold storage takes some."""

Run = Callable[[list[str]], Result]
"""Runs an argv, bounded by START_SECONDS. Raises SchedulerUnavailableError at the end of it."""
Verify = Callable[[str, EnvironmentConfig], Iterator[Finding]]


def check_image(
    name: str, config: Config, run: Run, verify: Verify | None = None
) -> Iterator[Finding]:
    """Everything that keeps the environment's image from starting."""
    environment = config.environments[name]
    image = environment.image
    if image is None:
        return
    key = f"environments.{name}.image"
    try:
        kind = "folder" if image.is_dir() else "file"
        size = image.stat().st_size
        closed = list(obstacles(image, _groups_of(name, config)))
    except OSError as error:
        yield Finding(
            severity="error",
            key=key,
            what=f"{error.filename or image}: {error.strerror}",
            fix="put the image there, or check on a host that has what the nodes have",
        )
        return
    if kind == "file" and size == 0:
        yield Finding(severity="error", key=key, what=f"{image} is empty", fix="build it again")
        return
    for obstacle in closed:
        acl = "" if obstacle.certain else "; it has an ACL, which may say otherwise"
        yield Finding(
            severity="error" if obstacle.certain else "warning",
            key=key,
            what=f"{obstacle.path} {obstacle.why}{acl}",
            fix=obstacle.fix,
        )
    if verify is not None:
        yield from verify(name, environment)
    if not any(obstacle.certain for obstacle in closed):
        yield from _starts(key, image, environment, run)


def _groups_of(environment: str, config: Config) -> frozenset[str]:
    """Groups that everybody who may use the environment is in."""
    common: frozenset[str] | None = None
    for profile in config.profiles.values():
        if profile.environment == environment:
            own = frozenset(
                profile.groups if len(profile.groups) == 1 and not profile.users else ()
            )
            common = own if common is None else common & own
    everybody = frozenset({config.launcher.group} if config.launcher.group else ())
    return everybody | (common or frozenset())


def _starts(key: str, image: Path, environment: EnvironmentConfig, run: Run) -> Iterator[Finding]:
    apptainer = environment.apptainer
    if not os.access(apptainer, os.X_OK):
        yield Finding(
            severity="note",
            key=key,
            what=f"not started: {apptainer} cannot be run on this host",
            fix="check on a node, or on a login node that has it",
        )
        return
    argv = [str(apptainer), "exec", "--no-mount", "cwd,tmp"]
    for mount in environment.mounts:
        if mount.source.exists():
            argv += bind(str(mount.source), str(mount.target or mount.source), mount.read_only)
        elif mount.required:
            yield Finding(
                severity="warning",
                key=f"{key.removesuffix('.image')}.mounts",
                what=f"{mount.source} is required, and not on this host",
                fix="nodes must have it; required: false leaves it out where they have not",
            )
    done = run([*argv, str(image), "true"])
    if done.code != 0:
        yield Finding(
            severity="error",
            key=key,
            what=f"does not start: {_last_words(done)}",
            fix="run it by hand: apptainer exec IMAGE true",
        )


def _last_words(done: Result) -> str:
    lines = [line.strip() for line in done.err.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("FATAL", "ERROR"))]
    return (fatal or lines or [f"exit code {done.code}"])[-1][:400]
