"""Is this what a profile allows? The launcher's answer, from its own configuration.

A hub that has been taken over can send any JobSpec. The launcher makes the spec again from the
root-owned configuration and takes only names, links and environment from the hub's; what differs
from the result is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.errors import SpecRefusedError, UnknownNameError, UsageError
from nearfield.profiles import choose
from nearfield.scheduler.hub_urls import HINT, not_the_hubs
from nearfield.scheduler.jobspec import DatasetLink, JobSpec, SessionTask, why_not_linked
from nearfield.scheduler.sessions import bound_storages, session_spec
from nearfield.scheduler.wire import SESSION_NAME, is_session_name
from nearfield.storage import locate

CALLBACK_PATH = "/hub/api/nearfield/port"

# What jupyterhub/spawner.py (get_env, 5.3 to 6.1) gives a single-user server.
ENVIRONMENT = frozenset(
    {
        "CPU_GUARANTEE",
        "CPU_LIMIT",
        "JPY_API_TOKEN",
        "JUPYTERHUB_ACTIVITY_URL",
        "JUPYTERHUB_ADMIN_ACCESS",
        "JUPYTERHUB_API_TOKEN",
        "JUPYTERHUB_API_URL",
        "JUPYTERHUB_BASE_URL",
        "JUPYTERHUB_CLIENT_ID",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
        "JUPYTERHUB_COOKIE_OPTIONS",
        "JUPYTERHUB_DEBUG",
        "JUPYTERHUB_DEFAULT_URL",
        "JUPYTERHUB_DISABLE_USER_CONFIG",
        "JUPYTERHUB_HOST",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
        "JUPYTERHUB_OAUTH_CALLBACK_URL",
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
        "JUPYTERHUB_OAUTH_SCOPES",
        "JUPYTERHUB_PUBLIC_HUB_URL",
        "JUPYTERHUB_PUBLIC_URL",
        "JUPYTERHUB_ROOT_DIR",
        "JUPYTERHUB_SERVER_NAME",
        "JUPYTERHUB_SERVICE_PREFIX",
        "JUPYTERHUB_SERVICE_URL",
        "JUPYTERHUB_SINGLEUSER_APP",
        "JUPYTERHUB_SSL_CERTFILE",
        "JUPYTERHUB_SSL_CLIENT_CA",
        "JUPYTERHUB_SSL_KEYFILE",
        "JUPYTERHUB_USER",
        "MEM_GUARANTEE",
        "MEM_LIMIT",
    }
)
# These choose which code runs, which is the profile's to say.
_NEARFIELD_FORBIDDEN = frozenset({"NEARFIELD_CONFIG", "NEARFIELD_HOME"})
_SINGLEUSER_APPS = frozenset(
    {
        "jupyter_server.serverapp.ServerApp",
        "jupyterlab.labapp.LabApp",
        "notebook.notebookapp.NotebookApp",
    }
)
_MAX_ENVIRONMENT = 1024 * 1024


def check(spec: JobSpec, config: Config, account: Principal) -> JobSpec:
    """The spec as this configuration makes it. ``account`` has its Unix groups.

    Raises:
        SpecRefusedError: names the field that the profile does not allow.
    """
    task = spec.task
    if not isinstance(task, SessionTask):
        raise _refused("task.kind", "only sessions are started here, no commands")
    if spec.user != account.name:
        raise _refused("user", f"is {spec.user!r}, this account is {account.name!r}")
    if not is_session_name(spec.name):
        raise _refused("name", f"must be {SESSION_NAME}")
    try:
        choose(config, account, spec.profile)
    except UnknownNameError as error:
        why = f"{spec.profile!r} is not open to {account.name}"
        raise _refused("profile", why, error.hint) from error
    _check_environment(task)
    _check_callback(task.callback_url)
    sent = {name: value.get_secret_value() for name, value in task.environment.items()}
    if wrong := not_the_hubs(sent, task.callback_url, config.launcher.hub_urls):
        raise _refused(f"task.{wrong}", "is not below launcher.hub_urls", HINT)
    _check_links(config, spec, task.datasets)
    try:
        expected = session_spec(
            config,
            name=spec.name,
            user=account.name,
            profile_name=spec.profile,
            datasets=task.datasets,
            environment={k: v.get_secret_value() for k, v in task.environment.items()},
            callback_url=task.callback_url,
            chosen=spec.chosen,
        )
    except UsageError as error:
        raise _refused("chosen", f"is not what the profile allows: {error}", error.hint) from error
    for field, wanted, got in _differences(expected, spec):
        raise _refused(field, f"is {got!r}; profile {spec.profile!r} says {wanted!r}")
    return expected


def _refused(field: str, why: str, hint: str | None = None) -> SpecRefusedError:
    return SpecRefusedError(
        f"job refused: {field} {why}"[:2000],
        hint=hint or "hub and launcher must read the same profiles",
    )


def _check_environment(task: SessionTask) -> None:
    size = 0
    for name, secret in task.environment.items():
        value = secret.get_secret_value()
        size += len(name) + len(value)
        ours = name.startswith("NEARFIELD_") and name not in _NEARFIELD_FORBIDDEN
        if name not in ENVIRONMENT and not ours:
            raise _refused(f"task.environment.{name}", "is not a variable of a session")
        if "\0" in value:
            raise _refused(f"task.environment.{name}", "holds a NUL")
        if name == "JUPYTERHUB_SINGLEUSER_APP" and value not in _SINGLEUSER_APPS:
            raise _refused(f"task.environment.{name}", "names an application that is not known")
    if size > _MAX_ENVIRONMENT:
        raise _refused("task.environment", f"is longer than {_MAX_ENVIRONMENT} characters")


def _check_callback(url: str | None) -> None:
    if url is None:
        return
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.username is None
            and not parts.query
            and not parts.fragment
            and parts.path.endswith(CALLBACK_PATH)
            and re.fullmatch(r"[\x21-\x7e]{1,2000}", url) is not None
        )
    except ValueError:
        fits = False
    if not fits:
        raise _refused("task.callback_url", f"must be http(s)://…{CALLBACK_PATH}")


def _check_links(config: Config, spec: JobSpec, links: tuple[DatasetLink, ...]) -> None:
    slugs = [link.slug for link in links]
    if len(set(slugs)) != len(slugs):
        raise _refused("task.datasets", "has the same slug twice")
    allowed = bound_storages(config, config.profiles[spec.profile])
    for link in links:
        if not re.fullmatch(r"[\x21-\x7e]{1,400}", link.pid):
            raise _refused(f"task.datasets.{link.slug}.pid", "is not a PID")
        field = f"task.datasets.{link.slug}.files"
        if why := why_not_linked(link.folder, link.files):
            raise _refused(field, why)
        for path in (link.folder, *link.files):
            if config.storages and locate(config, path)[0] not in allowed:
                raise _refused(field, f"{path!r} is in no storage of the profile")


def _differences(expected: JobSpec, got: JobSpec) -> Iterator[tuple[str, object, object]]:
    for name in ("name", "cluster", "user", "profile", "chosen", "comment"):
        yield from _differs(name, getattr(expected, name), getattr(got, name))
    for name in type(expected.hardware).model_fields:
        yield from _differs(
            f"hardware.{name}", getattr(expected.hardware, name), getattr(got.hardware, name)
        )
    for name in SessionTask.model_fields:
        # Secrets: never in a message. They were taken from the spec, so they cannot differ.
        # Sources: a session is told those of this file, whatever the hub says. So with the folder
        # of Slurm's commands: a hub without Slurm need not know it.
        if name not in {"environment", "sources", "slurm"}:
            wanted, sent = getattr(expected.task, name), getattr(got.task, name)
            yield from _differs(f"task.{name}", wanted, sent)


def _differs(field: str, expected: object, got: object) -> Iterator[tuple[str, object, object]]:
    if expected != got:
        yield field, expected, got
