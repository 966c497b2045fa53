"""Processes and signals: who descends from whom, what reaches whom, who is left over."""

import os
import select
import shutil
import signal
import time
from typing import Dict, List


def family_of(roots: List[int]) -> List[int]:
    """These processes and all that descend from them."""
    children: Dict[int, List[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    parent = int(file.read().rsplit(b")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found = list(roots)
    for pid in found:
        found.extend(children.get(pid, []))
    return found


class Signals:
    """TERM, INT and the time limit as flags; sleep that a signal or a child's end cuts short."""

    def __init__(self) -> None:
        self.asked = 0
        self.time_up = False
        """Slurm has sent USR2, to us alone, because the time limit is near."""
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        signal.signal(signal.SIGUSR2, self._note_limit)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._canary = self._fork_canary()

    def _note(self, number: int, _frame: object) -> None:
        self.asked = self.asked or number

    def _note_limit(self, _number: int, _frame: object) -> None:
        self.time_up = not self.asked
        self.asked = self.asked or signal.SIGTERM

    def ask(self, number: int) -> None:
        """As if that signal had come."""
        self.asked = self.asked or number

    def sleep(self, seconds: float) -> None:
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            try:
                os.read(self._read, 512)
            except BlockingIOError:
                pass

    def _fork_canary(self) -> int:
        """A child that dies of TERM. If it is dead when we get one, everybody got it.

        Slurm signals every process of a job at once; passing TERM on would deliver it twice.
        """
        end, self._leash = os.pipe()
        pid = os.fork()
        if pid:
            os.close(end)
            return pid
        # Whatever happens here, it must not go on as its parent would.
        try:
            self._be_canary(end)
        finally:
            os._exit(0)

    def _be_canary(self, end: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        os.close(self._leash)
        told = b""
        while not told.endswith(b"end\n"):
            more = os.read(end, 512)
            if not more:  # our parent was killed: nobody else ends what it had started
                end_orphans(told.decode("utf-8", "surrogateescape").split("\n"))
                return
            told += more

    def look_after(self, child: int, folder: str) -> None:
        """Should this process be killed: ``child`` and its family are ended, ``folder`` removed.

        Not every site's Slurm finds the processes of a job whose first one is gone.
        """
        self._tell_canary(os.fsencode("%d %s\n" % (child, folder)))

    def _tell_canary(self, words: bytes) -> None:
        try:
            os.write(self._leash, words)
        except BrokenPipeError:
            pass  # a signal to everybody has ended it

    def everybody_got_it(self) -> bool:
        time.sleep(0.1)
        try:
            return os.waitpid(self._canary, os.WNOHANG)[0] == self._canary
        except ChildProcessError:
            return True

    def end(self) -> None:
        self._tell_canary(b"end\n")
        os.close(self._leash)


def end_orphans(lines: List[str]) -> None:
    """The families and folders that ``look_after`` was told of: TERM, and after 5 s KILL."""
    told = [line.split(" ", 1) for line in lines if " " in line]
    left = family_of([int(child) for child, _ in told if os.path.exists("/proc/" + child)])
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 1.0)):
        for pid in left:
            try:
                os.kill(pid, number)
            except OSError:
                pass
        until = time.monotonic() + seconds
        while left and time.monotonic() < until:
            time.sleep(0.05)
            left = [pid for pid in left if os.path.exists("/proc/%d" % pid)]
    for _, folder in told:
        shutil.rmtree(folder, ignore_errors=True)


def become_reaper() -> None:
    """Orphans of the server (squashfuse after a KILL) become ours, so that we can end them."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    except Exception:
        pass


def end_leftovers() -> None:
    for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 1.0)):
        until = time.monotonic() + seconds
        left = family_of([os.getpid()])[1:]
        for pid in left:
            try:
                os.kill(pid, number)
            except OSError:
                pass
        while left and time.monotonic() < until:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.02)
            left = family_of([os.getpid()])[1:]
