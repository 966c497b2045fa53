"""What the server finds in its environment."""

import os
import pwd
import urllib.parse
from typing import Any, Dict

from nearfield.scheduler.node.runtime import with_runtime
from nearfield.scheduler.node.session import base_environment


def session_environment(
    folder: str, session: Dict[str, Any], environment: Dict[str, str], scratch: str
) -> Dict[str, str]:
    """Handed over by inheritance: what apptainer's --env is given, a shell expands."""
    task = session["task"]
    inside = task["image"] and task["server"] == "image"
    env = base_environment(pwd.getpwuid(os.getuid()))
    if not inside:
        env = with_runtime(env, task["runtime"])
    env.update(environment)
    env.update(keep_certificates(folder, env))
    env.update(
        TMPDIR="/tmp" if inside else scratch,
        NEARFIELD_DATA="/data" if inside else os.path.join(folder, "data"),
        NEARFIELD_SESSION_DIR=folder,
        NEARFIELD_PROFILE=session["profile"],
        NEARFIELD_ENVIRONMENT=task["environment_name"],
        NEARFIELD_JOB=session["name"],
    )
    if task["default_url"]:
        env["JUPYTERHUB_DEFAULT_URL"] = task["default_url"]
    return env


def with_session_kernels(env: Dict[str, str], folder: str) -> None:
    """The session's own kernelspecs come first, and their connection files lie in its folder."""
    runtime = os.path.join(folder, "runtime")
    os.makedirs(runtime, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "jupyter")
    if env.get("JUPYTER_PATH"):
        path += ":" + env["JUPYTER_PATH"]
    env.update(JUPYTER_PATH=path, JUPYTER_RUNTIME_DIR=runtime)


def keep_certificates(folder: str, env: Dict[str, str]) -> Dict[str, str]:
    """JupyterHub's internal_ssl: the hub sends the PEM texts, JupyterHub wants files."""
    names = {
        "NEARFIELD_TLS_KEY": "KEYFILE",
        "NEARFIELD_TLS_CERT": "CERTFILE",
        "NEARFIELD_TLS_CA": "CLIENT_CA",
    }
    files = {}
    for name, word in names.items():
        text = env.pop(name, None)
        if text is not None:
            path = os.path.join(folder, word.lower() + ".pem")
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            files["JUPYTERHUB_SSL_" + word] = path
    return files


def with_port(url: str, address: str, port: int) -> str:
    """The URL that JupyterHub chose, with the address and port that hold on this node."""
    parts = urllib.parse.urlsplit(url or "http://x/")
    shown = "[%s]" % address if ":" in address else address
    return urllib.parse.urlunsplit(
        (parts.scheme or "http", "%s:%d" % (shown, port), parts.path or "/", parts.query, "")
    )
