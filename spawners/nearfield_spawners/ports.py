"""Which ports a server may report."""

from __future__ import annotations


def valid_port(port: object) -> int:
    """``port`` as an unprivileged TCP port. Raises ValueError for everything else."""
    if isinstance(port, bool) or not isinstance(port, int) or not 1024 <= port <= 65535:
        raise ValueError("port must be a whole number from 1024 to 65535")
    return port
