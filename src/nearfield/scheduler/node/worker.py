"""A worker job on its node: a Dask worker, in the same image and mounts as the session.

Its TLS key lies in the job's folder until it starts, then on this node alone. A worker whose
scheduler is gone ends by itself, so a session that was killed leaves none.
"""

import os
import shutil
import socket
import tempfile
import time
from typing import Any, Dict, List, Optional

from nearfield.scheduler.node.checks import bounded, check_parts, why_absent
from nearfield.scheduler.node.environment import session_environment
from nearfield.scheduler.node.examine import (
    VERIFY_SECONDS,
    Examined,
    digest_image,
    examined_image,
    image_environment,
)
from nearfield.scheduler.node.image import bind, container_options
from nearfield.scheduler.node.limit import EXIT_TIME_LIMIT, Limit
from nearfield.scheduler.node.ports import ANYWHERE, own_address
from nearfield.scheduler.node.processes import Signals, become_reaper, end_leftovers
from nearfield.scheduler.node.server import start, wait_for_end
from nearfield.scheduler.node.session import NotStarted, say
from nearfield.scheduler.node.sif import known_of

MEMORY_SHARE = 0.9
"""Of the job's memory; Dask stops and spills below that, and Slurm ends a job above all of it."""
DEATH_SECONDS = 60
"""So long a worker waits for a scheduler that does not answer."""
LEAVE_SECONDS = 60
"""So long before the job's limit the worker gives what it holds to others and ends."""
END_GRACE = 3.0
"""Dask ends at once, unless a task holds it up; then Slurm must not be the one that kills us, or
scratch and the key in it would stay on the node."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
TLS_FOLDER = "nearfield-tls"


def run_worker(folder: str, session: Dict[str, Any], secrets: Dict[str, str]) -> int:
    """A worker, from the checks to the last of its processes. Its exit code."""
    told, task = session["worker"], session["task"]
    say("worker %s of %s on %s" % (told["name"], told["session_folder"], socket.gethostname()))
    signals = Signals()
    limit = Limit(folder, session, time.time())
    become_reaper()
    scratch = tempfile.mkdtemp(prefix="nearfield-", dir=os.environ.get("TMPDIR") or "/tmp")
    image = None
    try:
        keep_worker_key(scratch, secrets)
        why = bounded(why_absent, os.path.join(told["session_folder"], "data"))
        if why:
            message = "%s is not on %s: %s" % (
                told["session_folder"], socket.gethostname(), why)  # fmt: skip
            raise NotStarted("folder", message)
        mounts = check_parts(task)
        image = examined_image(folder, task)
        if image is not None:
            must_be_the_same(image, told, os.path.dirname(folder))
        env = worker_environment(session, scratch, image)
        home = env["HOME"] if os.access(env["HOME"], os.X_OK) else "/"
        argv = worker_argv(session, mounts, scratch, home, image, limit.ends)
        if signals.asked:
            return 128 + signals.asked
        child = start(argv, env, home, image)
        signals.look_after(child.pid, scratch)
        code = wait_for_end(child, signals, grace=END_GRACE)
        return EXIT_TIME_LIMIT if signals.time_up else code
    finally:
        signals.end()
        end_leftovers()
        shutil.rmtree(scratch, ignore_errors=True)


def keep_worker_key(scratch: str, secrets: Dict[str, str]) -> None:
    place = os.path.join(scratch, TLS_FOLDER)
    os.mkdir(place, 0o700)
    for name in ("ca", "cert", "key"):
        path = os.path.join(place, name + ".pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets[name])


def must_be_the_same(image: Examined, told: Dict[str, Any], cache: str) -> None:
    """The image that the session's kernels run in. A copy on each node has another identity."""
    if image.identity == told["identity"]:
        return
    # A large image may have been hashed only after the session had begun.
    digest = told["digest"] or known_of(cache, image.path, told["identity"]).get("digest")
    if digest and not image.digest:
        digest_image(image, cache, VERIFY_SECONDS)
    if not digest or image.digest != digest:
        message = "the image %s on %s is not the one that the session began with" % (
            image.path, socket.gethostname())  # fmt: skip
        raise NotStarted("image-changed", message + ": start a new session", path=image.path)


def worker_environment(
    session: Dict[str, Any], scratch: str, image: Optional[Examined]
) -> Dict[str, str]:
    """That of a kernel; no token of the hub's, and one thread for each task."""
    told = session["worker"]
    env = session_environment(told["session_folder"], session, {}, scratch)
    if image is not None:
        env.update(image_environment(image))
    if told["layer"]:
        env.update(NEARFIELD_LAYER=told["layer"], PYTHONNOUSERSITE="1")
    env.update(dict.fromkeys(ONE_THREAD, "1"))
    env.update(
        NEARFIELD_WORKER=told["name"],
        NUMBA_NUM_THREADS=str(told["threads"]),
        DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="true",
        DASK_DISTRIBUTED__WORKER__HTTP__ROUTES="[]",
    )
    if not os.access(env["HOME"], os.W_OK):
        env["NUMBA_CACHE_DIR"] = os.path.join(env["TMPDIR"], "nearfield-numba")
    return env


def worker_argv(
    session: Dict[str, Any], mounts: List[Any], scratch: str, home: str,
    image: Optional[Examined], ends: Optional[float],
) -> List[str]:  # fmt: skip
    told = session["worker"]
    program = worker_program(session, scratch if image is None else "/tmp", ends)
    if image is None:
        return program
    options = container_options(told["session_folder"], session, mounts, scratch)
    if told["layer"]:
        options += bind(told["layer"], told["layer"], False)
    return [*options, "--pwd", home, image.for_apptainer(), *program]


def worker_program(session: Dict[str, Any], local: str, ends: Optional[float]) -> List[str]:
    """Dask's own command. ``local``: the node's scratch, as seen from the worker."""
    told, task = session["worker"], session["task"]
    tls = os.path.join(local, TLS_FOLDER)
    argv = [told["python"], "-m", "distributed.cli.dask_worker", told["scheduler"]]
    argv += ["--tls-ca-file", os.path.join(tls, "ca.pem")]
    argv += ["--tls-cert", os.path.join(tls, "cert.pem")]
    argv += ["--tls-key", os.path.join(tls, "key.pem")]
    # No nanny: Slurm starts and ends the process, and whoever asked for it asks for another.
    argv += ["--no-nanny", "--nworkers", "1", "--nthreads", str(told["threads"])]
    memory = int(session["hardware"]["memory_mb"] * MEMORY_SHARE)
    argv += ["--memory-limit", "%dMiB" % memory, "--local-directory", local]
    argv += ["--name", told["name"], "--death-timeout", str(DEATH_SECONDS)]
    # Its pages have no login. There is a listener without a dashboard too: for this node alone.
    argv += ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    if task["ports"]:
        argv += ["--worker-port", "%d:%d" % tuple(task["ports"])]
    address = own_address(task["bind_address"])
    if address not in ANYWHERE:
        argv += ["--host", "[%s]" % address if ":" in address else address]
    if ends is not None and ends - time.time() > 2 * LEAVE_SECONDS:
        argv += ["--lifetime", "%ds" % (ends - time.time() - LEAVE_SECONDS)]
    return argv
