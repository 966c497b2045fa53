"""Programs on the node itself: from a virtual environment, or after loading modules."""

import os
import socket
import subprocess
from typing import Any, Dict

from nearfield.scheduler.node.session import NotStarted

MODULE_SECONDS = 60
OF_THE_SHELL = ("_", "PWD", "OLDPWD", "SHLVL")
# Fixed text; the script and the names of the modules are its arguments. What these print is not
# for us: only the environment goes to standard output.
LOAD = '. "$1" >&2 && shift && module load "$@" >&2 && exec /usr/bin/env -0'


def with_runtime(env: Dict[str, str], runtime: Dict[str, Any]) -> Dict[str, str]:
    """``env`` in which the runtime's programs are found."""
    if runtime["venv"]:
        programs = os.path.join(runtime["venv"], "bin")
        return dict(env, PATH=programs + ":" + env["PATH"], VIRTUAL_ENV=runtime["venv"])
    if runtime["modules"]:
        return with_modules(env, runtime["modules_init"], runtime["modules"])
    return env


def with_modules(env: Dict[str, str], init: str, modules: Any) -> Dict[str, str]:
    """``env`` as ``module load`` leaves it. It must hold no secret: a site's script sees it."""
    argv = ["/bin/sh", "-c", LOAD, "nearfield", init, *modules]
    why = ""
    try:
        done = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=MODULE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = "no answer within %d s" % MODULE_SECONDS
    else:
        if done.returncode == 0:
            rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")
            found = dict(row.split("=", 1) for row in rows if "=" in row)
            return {name: found[name] for name in found if name not in OF_THE_SHELL}
        said = done.stderr.decode("utf-8", "replace").split("\n")
        why = " ".join(line.strip() for line in said if line.strip())[-400:]
    names = " ".join(modules)
    where = socket.gethostname()
    raise NotStarted("modules", "the modules %s cannot be loaded on %s: %s" % (names, where, why))
