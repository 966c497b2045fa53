"""Nearfield: from a catalogue dataset to a published, re-runnable result on an HPC cluster.

The public functions live in :mod:`nearfield.api` and are loaded when first used, so that
``import nearfield`` costs a hub, a login node or a kernel next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearfield._version import __version__

if TYPE_CHECKING:
    from nearfield.api import (
        cluster,
        dataset,
        open_file,
        publish,
        reduce,
        reduction,
        run,
        search,
    )

__all__ = [
    "__version__", "cluster", "dataset", "open_file", "publish", "reduce", "reduction", "run",
    "search",
]  # fmt: skip

_LAZY = frozenset(__all__) - {"__version__"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module("nearfield.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
