"""Ending a run on request: Ctrl-C, or the TERM that Slurm and service managers send.

A cell that runs is interrupted, as in JupyterLab, so that its ``with`` blocks close their
files; a kernel that does not answer within a few seconds, or a second request, is killed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

GRACE_SECONDS = 5.0


class Stopped(Exception):
    """The run ended because it was asked to."""


class Stop:
    """A request to stop, and the process group that it has to reach."""

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self.requested = False
        self._grace = grace
        self._group: int | None = None
        self._timer: threading.Timer | None = None

    def request(self) -> None:
        """Ask the run to end; asked again, end it at once. Safe in a signal handler."""
        again, self.requested = self.requested, True
        if again:
            self._send(signal.SIGKILL)
        else:
            self._interrupt()

    def check(self) -> None:
        """Raises Stopped once a stop has been requested."""
        if self.requested:
            raise Stopped

    def kernel_started(self, group: int | None) -> None:
        self._group = group
        if self.requested:
            self._interrupt()

    def kernel_ended(self) -> None:
        """From now on the number of the group may belong to somebody else."""
        if self.requested:
            # What the notebook started may have outlived its kernel.
            self._send(signal.SIGKILL)
        self._group = None
        if self._timer is not None:
            self._timer.cancel()

    def _interrupt(self) -> None:
        if self._group is None:
            return
        self._send(signal.SIGINT)
        self._timer = threading.Timer(self._grace, self._send, (signal.SIGKILL,))
        self._timer.daemon = True
        self._timer.start()

    def _send(self, number: signal.Signals) -> None:
        group = self._group
        # Never our own group: a provisioner may start kernels without a session of their own.
        if group is not None and group > 1 and group != os.getpgrp():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """INT, TERM and HUP request a stop while the block runs. Elsewhere than in the main thread
    there are no signals to hear, and nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.request()

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores HUP on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
