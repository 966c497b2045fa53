"""``nearfield-singleuser``: JupyterHub's single-user server, sooner ready.

The server, its options and its variables are those of ``jupyterhub-singleuser``; what differs is
how its modules are imported (docs/explanation/decisions/0010). ``benchmarks/spawn_time.py``
measures it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from types import ModuleType

IRI = "rfc3987_syntax"


def main() -> object:
    """Run the server until it ends. The program behind the name."""
    gc.disable()
    grammar_on_first_use()
    singleuser = importlib.import_module("jupyterhub.singleuser")
    if not os.environ.get("JUPYTERHUB_SINGLEUSER_APP"):
        # The extensions that it imports next, and these alone: jupyterlab.labhubapp would make of
        # it the server of JupyterHub 1. What cannot be imported the server itself will tell, or
        # do without.
        for extension in (
            "jupyterlab.labapp",
            "nearfield_server.extension",
            "nearfield_server.routes",
        ):
            with suppress(Exception):
                importlib.import_module(extension)
    # Modules live as long as the process: the collector need never walk through them again.
    gc.freeze()
    gc.enable()
    return singleuser.main()


def grammar_on_first_use() -> None:
    """Let ``rfc3987_syntax`` make its parser when an IRI is to be checked, not when imported.

    ``jsonschema`` takes one function of it, for the formats ``iri`` and ``iri-reference``, which
    no schema of a Jupyter server has; making the parser is a third of the server's start.
    """
    if IRI in sys.modules or importlib.util.find_spec(IRI) is None:
        return

    def is_valid_syntax(term: str, value: str) -> bool:
        if sys.modules.get(IRI) is later:
            del sys.modules[IRI]
        real = importlib.import_module(IRI)
        valid: bool = real.is_valid_syntax(term=term, value=value)
        return valid

    later = ModuleType(IRI, "Stands in until the first check.")
    later.is_valid_syntax = is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[IRI] = later
