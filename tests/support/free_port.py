"""A port that a test's server may take a moment later.

Asking the system for any port (``bind(…, 0)``) and closing it again hands it to whoever asks
next: another server of the test, or an outgoing connection. These come from below the range that
the system itself picks from, are free on every address, and are told once in a process.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_told: set[int] = set()


def _highest() -> int:
    """The last one below those that the system gives to whoever asks for any."""
    first = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    return max(int(first) - 1, _LOWEST + 1000)


def free_port() -> int:
    """Free now, and nobody's next one but by name."""
    for _ in range(200):
        # A test may set the seed of `random`; two runs beside each other must not agree.
        port = random.SystemRandom().randint(_LOWEST, _highest())
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        if port not in _told:
            _told.add(port)
            return port
    raise AssertionError(f"no free port from {_LOWEST} to {_highest()}")
