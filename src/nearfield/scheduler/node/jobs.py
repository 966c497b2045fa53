"""The socket over which a kernel of this session has worker jobs started.

A kernel may run in an image that has no Slurm; this program runs beside it on the node and has it.
One JSON object a line, requests and answers in turn; see docs/reference/worker-jobs.md. The
connection is the lease: when it closes, all jobs started over it are cancelled. Only processes of
this very account are answered, and nothing but the profile's own kind of job can be started.
"""

import json
import os
import re
import socket
import struct
import threading
import time
from typing import Any, BinaryIO, Callable, Dict, List, Optional

from nearfield.scheduler.node.ledger import (
    Ledger,
    NotDone,
    WorkerJob,
    last_of_log,
    read_told,
)
from nearfield.scheduler.node.ports import ANYWHERE, own_address
from nearfield.scheduler.node.session import NotStarted, say
from nearfield.scheduler.node.slurm import SlurmSaid

JOBS_VERSION = 1
JOBS_FOLDER = "nearfield-jobs"
MAX_LINE = 256 * 1024
JOB_BYTES = 400
"""Of an answer, for what is told of each job besides texts."""
MAX_CONNECTIONS = 16
END_SECONDS = 10.0
WORKER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
SCHEDULER_ADDRESS = re.compile(
    r"tls://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-fA-F:.]{2,45}\]):[0-9]{1,5}", re.ASCII
)


class Jobs:
    """The listening socket, below ``scratch``, and what is told over it."""

    def __init__(
        self, ledger: Ledger, scratch: str, facts: Dict[str, Any], worker: Dict[str, Any],
        asked: Callable[[], object],
    ) -> None:  # fmt: skip
        """``facts`` for hello; ``worker``: what each worker job is told of this session; ``asked``
        says whether the session was asked to end."""
        self._ledger, self._facts, self._worker, self._asked = ledger, facts, worker, asked
        self._connections: List[socket.socket] = []
        self._ender = None  # type: Optional[threading.Thread]
        self._closed = False
        folder = os.path.join(scratch, JOBS_FOLDER)
        os.mkdir(folder, 0o700)
        self.path = os.path.join(folder, "socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The path may be longer than the 108 bytes that an address can have.
            self._socket.bind("/proc/self/fd/%d/socket" % fd)
        finally:
            os.close(fd)
        os.chmod(self.path, 0o600)
        self._socket.listen(MAX_CONNECTIONS)
        self._socket.settimeout(1.0)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """The session ends, and with it all worker jobs.

        Neither a Slurm nor a home that hangs may hold it up: Slurm kills what is slow to end.
        """
        self._closed = True
        self._end_jobs().join(END_SECONDS)
        self._socket.close()
        for connection in list(self._connections):
            hang_up(connection)

    def _end_jobs(self) -> threading.Thread:
        if self._ender is None or not self._ender.is_alive():
            self._ender = threading.Thread(
                target=self._ledger.end_all, args=(END_SECONDS,), daemon=True
            )
            self._ender.start()
        return self._ender

    def _accept(self) -> None:
        while not self._closed:
            try:
                if self._asked():  # the server has its grace; the workers are not needed for it
                    self._end_jobs()
                    return
                self._take(self._socket.accept()[0])
            except socket.timeout:
                if self._ledger.may_end_again():
                    threading.Thread(target=self._ledger.end_again, daemon=True).start()
            except (OSError, RuntimeError) as error:
                # No file or thread is left; that passes, and without us nothing would be ended.
                if not self._closed:
                    say("a connection for worker jobs failed: %s" % error)
                    time.sleep(1.0)

    def _take(self, connection: socket.socket) -> None:
        if peer_uid(connection) != os.getuid() or len(self._connections) >= MAX_CONNECTIONS:
            connection.close()
            return
        connection.settimeout(None)
        self._connections.append(connection)
        try:
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()
        except RuntimeError:
            self._connections.remove(connection)
            connection.close()
            raise

    def _attend(self, connection: socket.socket) -> None:
        """One connection, from its first request to its end and that of its jobs."""
        try:
            with connection.makefile("rb") as lines:
                self._converse(connection, lines)
        except (OSError, ValueError):
            pass  # it has closed in the middle of something
        finally:
            self._connections.remove(connection)
            connection.close()
            self._ledger.end_of(connection)

    def _converse(self, connection: socket.socket, lines: BinaryIO) -> None:
        while True:
            line = lines.readline(MAX_LINE + 1)
            if not line.endswith(b"\n"):
                return
            answer = self.answer(connection, line)
            words = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
            connection.sendall(words + b"\n")

    def answer(self, owner: object, line: bytes) -> Dict[str, Any]:
        """The answer to one request."""
        told = {}  # type: Dict[str, Any]
        try:
            try:
                told = dict(json.loads(line.decode("utf-8")))
            except (ValueError, TypeError, RecursionError):
                raise NotDone("request", "a request is one JSON object a line") from None
            verb = {
                "hello": self._hello,
                "start": self._start,
                "status": self._status,
                "cancel": self._cancel,
                "estimate": self._estimate,
            }.get(str(told.get("verb")))
            if verb is None:
                raise NotDone("verb", "there is no verb %r" % str(told.get("verb"))[:40])
            return {"id": told.get("id"), "ok": True, "result": verb(owner, told)}
        except NotDone as error:
            reason, message = error.reason, str(error)
        except SlurmSaid as error:
            reason, message = "unavailable" if error.no_answer else "refused", str(error)
        except Exception as error:
            # Whatever one request meets, the others are answered.
            reason, message = "failed", "%s: %s" % (type(error).__name__, error)
            say("a request about worker jobs failed: " + message)
        return {
            "id": told.get("id"), "ok": False, "error": {"reason": reason, "message": message},
        }  # fmt: skip

    def _why_none(self) -> str:
        if not self._facts["address"]:
            return "%s has no address that other nodes reach" % self._facts["node"]
        return self._ledger.why_none()

    def _hello(self, _owner: object, told: Dict[str, Any]) -> Dict[str, Any]:
        if told.get("version") != JOBS_VERSION:
            message = "this session speaks version %d: start a new session" % JOBS_VERSION
            raise NotDone("version", message)
        why, ends = self._why_none(), self._facts["ends"]
        left = None if ends is None else max(0.0, ends - time.time())
        return dict(
            self._facts, version=JOBS_VERSION, most=self._ledger.most, possible=not why, why=why,
            seconds_left=left,
        )  # fmt: skip

    def _start(self, owner: object, told: Dict[str, Any]) -> Dict[str, Any]:
        why = self._why_none()
        if why:
            raise NotDone("impossible", why)
        tls, facts = told.get("tls"), self._facts
        if not isinstance(tls, dict) or not all(
            isinstance(tls.get(k), str) and tls[k].startswith("-----BEGIN ")
            for k in ("ca", "cert", "key")
        ):
            raise NotDone("request", "tls: ca, cert and key must be PEM texts")
        worker = dict(
            self._worker,
            name=a_match(told, "name", WORKER_NAME),
            scheduler=a_match(told, "scheduler", SCHEDULER_ADDRESS),
            python=an_absolute_path(told, "python"),
            threads=a_number(told, "threads", facts["cores"]) or facts["cores"],
        )
        minutes = self._minutes(told)
        session = self._ledger.session
        task = dict(
            session["task"], kind="worker", server="image", datasets=[], sources={}, layer=False,
            callback_url=None, default_url="", warn_minutes=[], grace_seconds=0,
        )  # fmt: skip
        content = dict(session, task=task, minutes=minutes, worker=worker)
        secrets = {"ca": tls["ca"], "cert": tls["cert"], "key": tls["key"]}
        job = self._ledger.start(owner, minutes, content, secrets)
        return {"job": job.number, "job_name": job.name}

    def _minutes(self, told: Dict[str, Any]) -> int:
        """What is asked for, and no more than what this session has left: it ends its workers."""
        minutes = a_number(told, "minutes", self._facts["minutes"]) or self._facts["minutes"]
        if self._facts["ends"] is not None:
            left = int((self._facts["ends"] - time.time()) // 60) + 1
            minutes = max(1, min(minutes, left))
        return int(minutes)

    def _chosen(self, owner: object, told: Dict[str, Any]) -> Dict[str, WorkerJob]:
        mine, asked = self._ledger.jobs_of(owner), told.get("jobs")
        if asked is None:
            return mine
        if not isinstance(asked, list) or not all(isinstance(number, str) for number in asked):
            raise NotDone("request", "jobs: must be a list of job numbers")
        for number in asked:
            if number not in mine:
                raise NotDone("job", "job %s is none of this connection" % number[:20])
        return {number: mine[number] for number in asked}

    def _status(self, owner: object, told: Dict[str, Any]) -> Dict[str, Any]:
        lines = a_number(told, "log", 100, 0) or 0
        chosen = self._chosen(owner, told)
        self._ledger.look()
        most = text_for_each(len(chosen))
        return {"jobs": {number: shown_job(job, lines, most) for number, job in chosen.items()}}

    def _cancel(self, owner: object, told: Dict[str, Any]) -> Dict[str, Any]:
        return {"cancelled": self._ledger.end(list(self._chosen(owner, told).values()))}

    def _estimate(self, _owner: object, told: Dict[str, Any]) -> Dict[str, Any]:
        why = self._why_none()
        if why:
            raise NotDone("impossible", why)
        options = self._ledger.options(self._ledger.new_name(), "/", self._minutes(told))
        return {"start": self._ledger.slurm.estimate(options)}


def text_for_each(jobs: int) -> int:
    """Characters of three texts of each job, of four bytes at most, so that a line holds all."""
    return max(10, (MAX_LINE // max(1, jobs) - JOB_BYTES) // 12)


def shown_job(job: WorkerJob, lines: int, most: int) -> Dict[str, Any]:
    """``most``: characters of each text."""
    failure = read_told(job.folder, "failure.json") if job.over() else {}
    words = {k: str(failure.get(k, ""))[:most] for k in ("reason", "message")} if failure else None
    log = last_of_log(job.folder, lines)[-most:] if lines else ""
    return dict(job.known, job_name=job.name, failure=words, log=log)


def peer_uid(connection: socket.socket) -> int:
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])


def hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def a_match(told: Dict[str, Any], key: str, pattern: Any) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise NotDone("request", "%s: %r does not fit" % (key, str(value)[:100]))
    return value


def an_absolute_path(told: Dict[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"/[^\0\n]{1,4095}", value):
        raise NotDone("request", "%s: must be an absolute path" % key)
    return value


def a_number(told: Dict[str, Any], key: str, most: int, least: int = 1) -> Optional[int]:
    """A whole number from ``least`` to ``most``, or None where it is not given."""
    value = told.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise NotDone("request", "%s: must be a whole number from %d to %d" % (key, least, most))
    return value


def address_for_workers(bind: str) -> str:
    """An address of this node that others reach; "" if its names lead to none."""
    try:
        own = own_address(bind)
    except NotStarted:
        return ""
    if own not in ANYWHERE:
        return own
    for name in (os.environ.get("SLURMD_NODENAME"), socket.gethostname()):
        try:
            found = socket.getaddrinfo(name or "", None, type=socket.SOCK_STREAM)
        except OSError:
            continue
        for row in found:
            address = str(row[4][0])
            if not address.startswith(("127.", "::1", "fe80:")):
                return address
    return ""
