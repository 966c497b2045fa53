"""Kernels in the image, started by a server that runs outside of it.

A kernelspec of the session alone names the starter below and nothing else. The starter looks
whether the image is still the one that the session began with, clears what the site's runtime has
left in the environment, and becomes ``apptainer exec``; so a signal reaches apptainer, which hands
it to the kernel.
"""

import json
import os
import sys
from typing import Any, Dict, List

JOBS_INSIDE = "/tmp/nearfield-jobs/socket"
"""Where a kernel in the image sees the socket for worker jobs: /tmp is the session's scratch."""
STARTER = """\
import json, os, sys

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.json")) as file:
    told = json.load(file)
for name in [n for n in os.environ if n.startswith(tuple(told["without"]))]:
    del os.environ[name]
os.environ.update(told["environment"])
image = told["image"]
if told["identity"]:
    fd = os.open(image, os.O_RDONLY)
    found = os.fstat(fd)
    now = [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    if now != told["identity"]:
        sys.exit("nearfield: the image %s was changed since this session began: start a new "
                 "session" % image)
    if told["by_descriptor"]:
        os.set_inheritable(fd, True)
        image = "/proc/self/fd/%d" % fd
argv = told["options"] + [image] + told["kernel"] + ["-f", sys.argv[1]]
os.execv(argv[0], argv)
"""

WITHOUT = (
    "PYTHON",
    "LD_",
    "VIRTUAL_ENV",
    "CONDA",
    "APPTAINER",
    "SINGULARITY",
    "LOADEDMODULES",
    "_LMFILES_",
    "JUPYTER_PATH",
)
"""Beginnings of variables that are about the server's own software."""


def write_kernels(
    folder: str, task: Dict[str, Any], options: List[str], identity: List[int], layer: Any
) -> None:
    """The kernel of the image, and on top of it that of the user's layer where there is one."""
    ready = layer is not None and not layer.problem
    wanted = [("python3", task["title"], task["kernel"])]
    if ready:
        alone = "%s, without your packages" % task["title"]
        wanted = [
            ("python3", task["title"], layer.kernel(task["kernel"])),
            ("python3-image", alone, task["kernel"]),
        ]
    for name, title, kernel in wanted:
        if task["server"] == "site":
            starting = kernel_start(task, options, identity, kernel)
            write_kernel(folder, name, title, starting)
        elif ready:
            # The server is in the image already.
            write_spec(folder, name, title, [*kernel, "-f", "{connection_file}"], "signal")


def write_spec(folder: str, name: str, title: str, argv: List[str], interrupt: str) -> str:
    place = os.path.join(folder, "jupyter", "kernels", name)
    os.makedirs(place, mode=0o700, exist_ok=True)
    spec = {
        "argv": argv,
        "display_name": title,
        "language": "python",
        "interrupt_mode": interrupt,
        "metadata": {"debugger": True},
    }
    with open(os.path.join(place, "kernel.json"), "w", encoding="utf-8") as file:
        json.dump(spec, file)
    return place


def write_kernel(
    folder: str, name: str, title: str, starting: Dict[str, Any], python: str = sys.executable
) -> None:
    """``jupyter/kernels/<name>`` in the session folder, with the starter in it."""
    starter = os.path.join(folder, "jupyter", "kernels", name, "start.py")
    argv = [python or "/usr/bin/python3", "-I", starter, "{connection_file}"]
    # A signal to the process group would reach the kernel twice, through apptainer as well.
    place = write_spec(folder, name, title, argv, "message")
    with open(starter, "w", encoding="utf-8") as file:
        file.write(STARTER)
    with open(os.path.join(place, "start.json"), "w", encoding="utf-8") as file:
        json.dump(starting, file)


def kernel_start(
    task: Dict[str, Any], options: List[str], identity: List[int], kernel: List[str]
) -> Dict[str, Any]:
    """What the starter is told. ``kernel`` is its program and arguments inside the image."""
    environment = {"NEARFIELD_DATA": "/data", "TMPDIR": "/tmp"}
    if task.get("slurm"):
        environment["NEARFIELD_JOBS"] = JOBS_INSIDE
    return {
        "options": options,
        "image": task["image"],
        "identity": identity,
        "by_descriptor": bool(identity) and task["signature"] is not None,
        "kernel": kernel,
        "without": WITHOUT,
        "environment": environment,
    }
