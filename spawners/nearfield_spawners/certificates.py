"""JupyterHub's ``internal_ssl`` for sessions: whose names a certificate bears, and how it travels.

A certificate is made before the job is submitted, when nobody knows its node. So it bears the
names of all nodes of the cluster, as the hub addresses them; with ``node_address:
"{node}.cluster.example"`` one wildcard does. Key and certificates travel as texts in the session's
environment, which is staged in a file that its owner alone can read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from pathlib import Path

from nearfield.errors import BlockedError, NearfieldError, SchedulerUnavailableError
from nearfield.scheduler import Scheduler
from nearfield.scheduler.slurm_output import is_host

NAMES_SECONDS = 600.0
MAX_NAMES = 3000
_VARIABLES = {
    "keyfile": "NEARFIELD_TLS_KEY",
    "certfile": "NEARFIELD_TLS_CERT",
    "cafile": "NEARFIELD_TLS_CA",
}
_known: dict[str, tuple[float, tuple[str, ...]]] = {}


async def node_alt_names(scheduler: Scheduler, node_address: str) -> list[str]:
    """What the certificate of a session on any node of this cluster must bear.

    Raises:
        SchedulerUnavailableError: the cluster does not say which nodes it has.
        BlockedError: too many of them for one certificate.
    """
    queries = getattr(scheduler, "queries", None)
    if queries is None:
        return ["IP:127.0.0.1"]  # ``local``: sessions listen there
    if node_address.startswith("{node}."):
        return [f"DNS:*{node_address.removeprefix('{node}')}"]
    if "{node}" not in node_address:
        return [_alt_name(node_address)]
    nodes = await _nodes(scheduler.cluster, queries)
    return [_alt_name(node_address.replace("{node}", node)) for node in nodes]


async def _nodes(cluster: str, queries: object) -> tuple[str, ...]:
    at, names = _known.get(cluster, (float("-inf"), ()))
    if time.monotonic() - at < NAMES_SECONDS:
        return names
    done = await queries.ask("sinfo", "-h", "-N", "-o", "%N", seconds=15)  # type: ignore[attr-defined]
    names = tuple(sorted({name for name in done.out.split() if is_host(name)}))
    if done.code != 0 or not names:
        raise SchedulerUnavailableError(f"sinfo does not say which nodes there are: {done.words}")
    if len(names) > MAX_NAMES:
        raise BlockedError(
            f"{len(names)} nodes are too many for one certificate",
            hint='write node_address with a domain, "{node}.cluster.example": one wildcard does',
        )
    _known[cluster] = (time.monotonic(), names)
    return names


def _alt_name(address: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(address.strip('[]'))}"
    except ValueError:
        return f"DNS:{address}"


async def certificate_texts(paths: Mapping[str, str]) -> dict[str, str]:
    """The variables that hand JupyterHub's files for a session over. Raises NearfieldError."""
    texts = {}
    for kind, variable in _VARIABLES.items():
        try:
            texts[variable] = await asyncio.to_thread(Path(paths[kind]).read_text)
        except (KeyError, OSError) as error:
            raise NearfieldError(
                "the session's certificate cannot be read", hint=f"internal_ssl: {error!r}"
            ) from error
    return texts
