"""Where a run took place: account, host, image, modules, Slurm job, and the kernel's packages."""

from __future__ import annotations

import ast
import getpass
import json
import os
import platform
from collections.abc import Mapping
from typing import Any

from nearfield.provenance.record import KernelUsed, LayerUsed

_ENVIRONMENT = (
    "NEARFIELD_ENVIRONMENT",
    "NEARFIELD_IMAGE",
    "NEARFIELD_IMAGE_DIGEST",
    "NEARFIELD_IMAGE_VERDICT",
    "NEARFIELD_IMAGE_SIGNER",
    "LOADEDMODULES",
)
_JOB = ("SLURM_JOB_ID", "SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST")

# One expression, so that asking leaves no name behind in the kernel's namespace.
KERNEL_QUESTION = (
    "__import__('json').dumps({"
    "'version': __import__('platform').python_version(),"
    "'implementation': __import__('platform').python_implementation(),"
    "'executable': __import__('sys').executable,"
    "'packages': {d.name: d.version for d in"
    " reversed(list(__import__('importlib.metadata').metadata.distributions())) if d.name},"
    # A layer is the virtual environment that has a layer.json (scheduler/node/layer.py).
    "'layer': {'folder': __import__('sys').prefix, 'packages': {d.name: d.version for d in"
    " __import__('importlib.metadata').metadata.distributions("
    "path=[__import__('sysconfig').get_path('purelib')]) if d.name}}"
    " if __import__('os').path.exists(__import__('sys').prefix + '/layer.json') else None})"
)


def account() -> str:
    """The name of this account; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def host() -> str:
    return platform.node() or "unknown"


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Image and modules, as far as they are set."""
    return {name: environ[name] for name in _ENVIRONMENT if environ.get(name)}


def job(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The Slurm job that this process belongs to, if any."""
    return {name: environ[name] for name in _JOB if environ.get(name)}


def kernel_used(name: str, language_info: Mapping[str, Any], answer: str | None) -> KernelUsed:
    """The kernel from its ``language_info`` and its answer to :data:`KERNEL_QUESTION`.

    ``answer`` is the ``repr`` of a JSON text as Jupyter carries it, or None where the kernel
    could not be asked.
    """
    language = str(language_info.get("name", "unknown"))
    version = str(language_info.get("version", "unknown"))
    told: dict[str, Any] = {}
    if answer is not None:
        try:
            told = json.loads(ast.literal_eval(answer))
        except (ValueError, SyntaxError, TypeError):
            told = {}
    packages, layer = told.get("packages", {}), told.get("layer")
    return KernelUsed(
        name=name,
        language=language,
        version=str(told.get("version", version)),
        implementation=told.get("implementation"),
        executable=told.get("executable"),
        packages=_sorted(packages),
        layer=LayerUsed(folder=str(layer["folder"]), packages=_sorted(layer["packages"]))
        if layer
        else None,
    )


def _sorted(packages: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(packages[key]) for key in sorted(packages, key=str.lower)}
