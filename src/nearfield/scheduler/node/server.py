"""The server: started, watched until it listens, ended."""

import os
import signal
import socket
import subprocess
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional

from nearfield.scheduler.node.environment import with_port
from nearfield.scheduler.node.examine import Examined
from nearfield.scheduler.node.hub import report, tell_stage
from nearfield.scheduler.node.limit import Limit
from nearfield.scheduler.node.ports import free_port, is_ours, own_address, taken
from nearfield.scheduler.node.processes import Signals, family_of
from nearfield.scheduler.node.session import USER_UMASK, NotStarted, say

EXIT_HUB_REFUSED = 78
PORT_TRIES = 3
LISTEN_SECONDS = 600.0
GRACE_SECONDS = 20.0


def in_container(child: "subprocess.Popen[bytes]") -> bool:
    """Has Apptainer done its part? Then a process of its family sees the image as its root."""
    family = family_of([child.pid])
    return any(os.path.exists("/proc/%d/root/.singularity.d" % pid) for pid in family)


def listen(
    child: "subprocess.Popen[bytes]",
    port: int,
    signals: Signals,
    entered: Optional[Callable[[], None]] = None,
) -> bool:
    """Wait until the server listens. False if it ended, or we were asked to end.

    ``entered`` is called once the container has been entered.
    """
    until = time.monotonic() + LISTEN_SECONDS
    while child.poll() is None and not signals.asked:
        if entered is not None and in_container(child):
            entered()
            entered = None
        # One that ended while it was looked at has descriptors that nobody may read.
        if is_ours(port, child.pid) and child.poll() is None:
            return True
        if time.monotonic() > until:
            say("the server did not listen within %d s" % LISTEN_SECONDS)
            return False
        signals.sleep(0.05)
    return False


def wait_for_end(
    child: "subprocess.Popen[bytes]",
    signals: Signals,
    limit: Optional[Limit] = None,
    grace: float = GRACE_SECONDS,
) -> int:
    """The child's exit code. A TERM to us is passed on once; then grace; then KILL."""
    while child.poll() is None and not signals.asked:
        if limit is not None:
            limit.warn(time.time())
        signals.sleep(3600 if limit is None else limit.sleep_for(time.time()))
    if child.poll() is None:
        if signals.time_up and limit is not None:
            limit.reached(time.time())
            grace = limit.grace
        else:
            say("asked to end by signal %d" % signals.asked)
        if not signals.everybody_got_it():
            child.send_signal(signal.SIGTERM)
        until = time.monotonic() + grace
        while child.poll() is None and time.monotonic() < until:
            signals.sleep(until - time.monotonic())
        if child.poll() is None:
            say("it did not end within %d s" % grace)
            child.kill()
    code = child.wait()
    return 128 - code if code < 0 else code


def start(
    argv: List[str], env: Dict[str, str], home: str, image: Optional[Examined]
) -> "subprocess.Popen[bytes]":
    os.umask(USER_UMASK)
    # The server is our direct child: a shell in between would swallow the TERM.
    try:
        return subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            cwd=home,
            pass_fds=image.descriptors() if image else [],
        )
    except OSError as error:
        message = "%s cannot be run on %s: %s" % (argv[0], socket.gethostname(), error.strerror)
        raise NotStarted("server", message) from None


def attend(
    child: "subprocess.Popen[bytes]",
    url: str,
    port: int,
    env: Dict[str, str],
    signals: Signals,
    image: Optional[Examined],
    limit: Limit,
) -> int:
    """From the moment that the server listens to its end."""
    say("the server listens on port %d" % port)
    if image is not None and image.changed():
        signals.ask(signal.SIGTERM)
        wait_for_end(child, signals)
        message = "the image %s was written to while the session started; start again" % image.path
        raise NotStarted("image-tampered", message, path=image.path)
    if url and not report(url, port, env, signals, child):
        signals.ask(signal.SIGTERM)
        wait_for_end(child, signals)
        raise NotStarted("hub", "the hub did not take the port", exit_code=EXIT_HUB_REFUSED)
    return wait_for_end(child, signals, limit)


def serve(
    session: Dict[str, Any],
    argv: List[str],
    env: Dict[str, str],
    signals: Signals,
    home: str,
    limit: Limit,
    scratch: str,
    image: Optional[Examined] = None,
) -> int:
    """Start the server on a free port and stay with it. Its exit code."""
    task = session["task"]
    address, chosen_url = own_address(task["bind_address"]), env.get("JUPYTERHUB_SERVICE_URL", "")
    tried: List[int] = []
    for _ in range(PORT_TRIES):
        port = free_port(address, task.get("ports"), tried)
        tried.append(port)
        env["JUPYTERHUB_SERVICE_URL"] = with_port(chosen_url, address, port)
        inside = task["image"] and task["server"] == "image"
        tell_stage(task, env, "container" if inside else "server")
        child = start(argv, env, home, image)
        signals.look_after(child.pid, scratch)
        entered = partial(tell_stage, task, env, "server") if inside else None
        if listen(child, port, signals, entered):
            return attend(child, task["callback_url"], port, env, signals, image, limit)
        silent = child.poll() is None and not signals.asked
        if silent:
            signals.ask(signal.SIGTERM)
        code = wait_for_end(child, signals, limit)
        if silent:
            raise NotStarted("server", "the server never listened on its port", exit_code=code or 1)
        if signals.asked:
            return code
        if not taken(address, port):
            message = "the server ended with exit code %d before it listened" % code
            raise NotStarted("server", message, exit_code=code or 1)
        say("port %d was taken meanwhile, trying another" % port)
    raise NotStarted("port", "no port stayed free in %d tries" % PORT_TRIES)
