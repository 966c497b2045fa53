"""batchspawner's ``req_*`` settings for hubs that come from it.

They fill what ``nearfield.yaml`` leaves open, and never override it. Where jobs are submitted
through the launcher, its own root-owned file must say the same, or it refuses.
"""

from __future__ import annotations

import re
from typing import Any

from nearfield.config import Config
from nearfield.errors import ConfigError

_WORDS = {
    "req_partition": "partition",
    "req_account": "account",
    "req_qos": "qos",
    "req_reservation": "reservation",
}
_UNITS = {"": 1, "k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}


def memory_mb(text: str) -> int:
    """Slurm's memory notation in MiB: ``2000``, ``2000M``, ``2G``."""
    found = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", text.strip(), re.IGNORECASE)
    if not found:
        raise ConfigError(f"req_memory: {text!r} is not an amount of memory", hint="such as 4G")
    return max(1, int(int(found[1]) * _UNITS[found[2].lower()]))


def minutes(text: str) -> int:
    """Slurm's time notation in minutes, rounded up: ``30``, ``30:00``, ``8:00:00``, ``1-12:00``."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not found:
        raise ConfigError(f"req_runtime: {text!r} is not a time", hint="such as 8:00:00")
    days, *rest = (None if g is None else int(g) for g in found.groups())
    first, second, third = (0 if part is None else part for part in rest)
    if days is not None:
        seconds = days * 86400 + first * 3600 + second * 60 + third
    elif rest[2] is not None:
        seconds = first * 3600 + second * 60 + third
    else:  # a single number is minutes, two are minutes:seconds
        seconds = first * 60 + second
    return max(1, -(-seconds // 60))


def with_req_traits(config: Config, spawner: Any) -> Config:
    """``config`` with the spawner's ``req_*`` settings where its hardware says nothing."""
    wanted: dict[str, Any] = {
        key: value for trait, key in _WORDS.items() if (value := getattr(spawner, trait, ""))
    }
    if text := spawner.req_memory:
        wanted["memory_mb"] = memory_mb(text)
    if text := spawner.req_runtime:
        wanted["minutes"] = minutes(text)
    if text := spawner.req_nprocs:
        wanted["cores"] = int(text)
    if text := spawner.req_ngpus:
        wanted["gpus"] = int(text)
    if not wanted:
        return config
    hardware = {
        name: entry.model_copy(
            update={k: v for k, v in wanted.items() if k not in entry.model_fields_set}
        )
        for name, entry in config.hardware.items()
    }
    return config.model_copy(update={"hardware": hardware})
