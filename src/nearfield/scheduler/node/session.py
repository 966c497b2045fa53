"""The session folder as the job finds it, and a plain command."""

import errno
import json
import os
import pwd
import signal
import sys
from typing import Any, Dict, Tuple

# What of the job's own environment a session keeps. Everything else comes from the task.
KEPT = (
    "PATH",
    "LANG",
    "TZ",
    "KRB5CCNAME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ZE_AFFINITY_MASK",
)


USER_UMASK = 0o027
"""For the server and what it writes: results must be readable for the group that owns them.
What the job itself writes into its session folder is private."""


class NotStarted(Exception):
    """The session cannot start; ``record`` becomes failure.json."""

    def __init__(self, reason: str, message: str, **more: object) -> None:
        Exception.__init__(self, message)
        self.record: Dict[str, Any] = dict(more, reason=reason, message=message)


def say(text: str) -> None:
    sys.stdout.write("nearfield: " + text + "\n")
    sys.stdout.flush()


def write_json(path: str, content: object) -> None:
    """Whole or not at all, readable by nobody else."""
    new = path + ".new"
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)
        os.rename(new, path)
    except OSError as error:
        say("cannot write %s: %s" % (path, error.strerror))


def read_session(folder: str) -> Tuple[Dict[str, Any], Dict[str, str]]:
    with open(os.path.join(folder, "session.json"), encoding="utf-8") as file:
        session = json.load(file)
    secret = os.path.join(folder, "environment.json")
    try:
        with open(secret, encoding="utf-8") as file:
            environment = json.load(file)
    except FileNotFoundError:
        # Slurm, or an administrator, has put the job back into the queue after it had run.
        message = "this session was started before: start a new one"
        raise NotStarted("started-before", message) from None
    # From here on the tokens live in this process and the server's only.
    os.unlink(secret)
    return session, environment


def forget_secrets(folder: str) -> None:
    """The folder outlives the session; what opens its server does not."""
    for name in ("environment.json", "keyfile.pem"):
        try:
            os.unlink(os.path.join(folder, name))
        except FileNotFoundError:
            pass
        except OSError as error:
            say("cannot remove %s: %s" % (name, error.strerror))


def own_account() -> pwd.struct_passwd:
    return pwd.getpwuid(os.getuid())


def base_environment(account: pwd.struct_passwd) -> Dict[str, str]:
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env.update({k: v for k, v in os.environ.items() if k.startswith("SLURM")})
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    env.setdefault("LANG", "C.UTF-8")
    env.update(
        HOME=os.environ.get("HOME") or account.pw_dir,
        USER=account.pw_name,
        LOGNAME=account.pw_name,
        SHELL=account.pw_shell or "/bin/sh",
    )
    return env


def become_command(folder: str, session: Dict[str, Any], environment: Dict[str, Any]) -> None:
    """A plain command: this process becomes it."""
    env = base_environment(pwd.getpwuid(os.getuid()))
    env["TMPDIR"] = os.environ.get("TMPDIR", "/tmp")
    env.update(environment)
    env.update(NEARFIELD_JOB=session["name"], NEARFIELD_SESSION_DIR=folder)
    try:
        os.chdir(env["HOME"])
    except OSError:
        os.chdir("/")
    os.umask(USER_UMASK)
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)  # the batch script ignores it
    argv = session["task"]["argv"]
    sys.stdout.flush()
    try:
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        say("%r cannot be run: %s" % (argv[0], error.strerror))
        os._exit(126 if error.errno == errno.EACCES else 127)
