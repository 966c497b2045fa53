"""The life of a job on its node, from its folder to its exit code."""

import os
import shutil
import socket
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional

from nearfield.scheduler.node.checks import (
    check_datasets,
    check_parts,
    make_links,
    on_this_node,
)
from nearfield.scheduler.node.environment import session_environment, with_session_kernels
from nearfield.scheduler.node.examine import Examined, examined_image, image_environment
from nearfield.scheduler.node.hub import tell_stage
from nearfield.scheduler.node.image import bind, container_options, server_argv
from nearfield.scheduler.node.jobs import Jobs, address_for_workers
from nearfield.scheduler.node.kernels import JOBS_INSIDE, write_kernels
from nearfield.scheduler.node.layer import tell_layer, user_layer
from nearfield.scheduler.node.ledger import Ledger
from nearfield.scheduler.node.limit import EXIT_TIME_LIMIT, Limit
from nearfield.scheduler.node.processes import Signals, become_reaper, end_leftovers
from nearfield.scheduler.node.server import serve
from nearfield.scheduler.node.session import (
    NotStarted,
    become_command,
    forget_secrets,
    read_session,
    say,
    write_json,
)
from nearfield.scheduler.node.slurm import NodeSlurm
from nearfield.scheduler.node.worker import run_worker

EXIT_NOT_STARTED = 77


def run_session(folder: str, session: Dict[str, Any], environment: Dict[str, str]) -> int:
    """A Jupyter server, from the checks to the last of its processes. Its exit code."""
    say("%s on %s, profile %s" % (session["name"], socket.gethostname(), session["profile"]))
    signals = Signals()
    limit = Limit(folder, session, time.time())
    tell_stage(session["task"], environment, "checks")
    become_reaper()
    scratch = tempfile.mkdtemp(prefix="nearfield-", dir=os.environ.get("TMPDIR") or "/tmp")
    jobs = None
    try:
        mounts = check_parts(session["task"])
        links = on_this_node(session["task"], mounts)
        check_datasets(links)
        make_links(folder, links)
        image = examined_image(folder, session["task"])
        env = session_environment(folder, session, environment, scratch)
        if limit.ends is not None:
            env["NEARFIELD_ENDS"] = "%d" % limit.ends
        home = env["HOME"] if os.access(env["HOME"], os.X_OK) else "/"
        argv = session_argv(folder, session, mounts, scratch, env, home, image)
        if signals.asked:
            return 128 + signals.asked
        jobs = listen_for_jobs(folder, session, env, scratch, limit, image, signals)
        code = serve(session, argv, env, signals, home, limit, scratch, image)
        return EXIT_TIME_LIMIT if signals.time_up else code
    finally:
        if jobs is not None:
            close_jobs(jobs)
        signals.end()
        end_leftovers()
        shutil.rmtree(scratch, ignore_errors=True)


def session_argv(
    folder: str,
    session: Dict[str, Any],
    mounts: List[Any],
    scratch: str,
    env: Dict[str, str],
    home: str,
    image: Optional[Examined],
) -> List[str]:
    """The server's command; what its kernels need is written down and added to ``env``."""
    task = session["task"]
    if image is None:
        return list(task["command"])
    env.update(image_environment(image))
    options = container_options(folder, session, mounts, scratch)
    layer = None
    if task["layer"]:
        given = image.for_apptainer()
        layer = user_layer(folder, task, options, given, image.descriptors(), image.digest)
        if layer.problem:
            image.tell_also(folder, tell_layer(layer))
        else:
            options += bind(layer.folder, layer.folder, False)
            env.update(NEARFIELD_LAYER=layer.folder, PYTHONNOUSERSITE="1")
    if task["server"] == "site" or layer is not None:
        with_session_kernels(env, folder)
        write_kernels(folder, task, options, image.identity, layer)
    return server_argv(task, options, home, image.for_apptainer())


def listen_for_jobs(
    folder: str, session: Dict[str, Any], env: Dict[str, str], scratch: str, limit: Limit,
    image: Optional[Examined], signals: Signals,
) -> Optional[Jobs]:  # fmt: skip
    """The socket for worker jobs, told to the server in ``env``; None in a session without Slurm.

    A session without it is better than none.
    """
    task = session["task"]
    if not task.get("slurm"):
        return None
    hardware = session["hardware"]
    address = address_for_workers(task["bind_address"])
    facts = {
        "session": session["name"],
        "profile": session["profile"],
        "environment": task["environment_name"],
        "node": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "address": address,
        "bind": address if "{node}" in task["bind_address"] else task["bind_address"],
        "ports": task["ports"],
        "image": task["image"] or "",
        "ends": limit.ends,
    }
    facts.update((key, hardware[key]) for key in ("cores", "memory_mb", "gpus", "minutes"))
    worker = {
        "session_folder": folder,
        "identity": image.identity if image else [],
        "digest": image.digest if image else "",
        "layer": env.get("NEARFIELD_LAYER", ""),
    }
    program = globals().get("PROGRAM", b"").decode("utf-8")
    ledger = Ledger(folder, session, NodeSlurm(task["slurm"]), program)
    try:
        jobs = Jobs(ledger, scratch, facts, worker, lambda: signals.asked)
    except OSError as error:
        say("worker jobs cannot be started from this session: %s" % error)
        return None
    inside = task["image"] and task["server"] == "image"
    env["NEARFIELD_JOBS"] = JOBS_INSIDE if inside else jobs.path
    return jobs


def close_jobs(jobs: Jobs) -> None:
    """Whatever happens there: what else has to be done at the end is done."""
    try:
        jobs.close()
    except Exception as error:
        say("worker jobs could not be ended: %s: %s" % (type(error).__name__, error))


def run_job(folder: str) -> int:
    """Everything. What keeps a session from starting is written down for whoever asks."""
    try:
        session, environment = read_session(folder)
        if session["task"]["kind"] == "command":
            become_command(folder, session, environment)
        running = run_worker if session["task"]["kind"] == "worker" else run_session
        code = running(folder, session, environment)
    except (NotStarted, OSError, ValueError) as error:
        failure = {
            "reason": "node",
            "message": "the session could not start on %s: %s" % (socket.gethostname(), error),
        }  # type: Dict[str, Any]
        if isinstance(error, NotStarted):
            failure = error.record
        code = int(failure.get("exit_code", EXIT_NOT_STARTED))
        write_json(os.path.join(folder, "failure.json"), failure)
        say("not started (%s): %s" % (failure["reason"], failure["message"]))
    forget_secrets(folder)
    write_json(os.path.join(folder, "result.json"), {"exit_code": code, "ended": time.time()})
    say("ended with exit code %d" % code)
    return code


def run_on_node(folder: str) -> None:
    code = run_job(folder)
    sys.stdout.flush()
    os._exit(code)  # a thread may hang in a dead file system
