"""The user's own layer: a virtual environment on top of the image's Python, outside of the image.

``layers/<environment>/<digest of the image>/`` beside the session folders. Kernels run in it, the
server never does, so whatever a user installs, the server starts. What was installed for one
image is not seen by another: nothing of it is on a path that two environments share.
"""

import json
import os
import shutil
import subprocess
import tempfile
from typing import Any, Dict, List

from nearfield.scheduler.node.image import bind
from nearfield.scheduler.node.session import base_environment, own_account, say

LAYER_SECONDS = 120
# Runs in the image, with its Python. The image may hold a virtual environment itself: a second one
# on top of its base would not see the packages of the first, so these are named in a .pth file.
MAKE_LAYER = """\
import json, os, sys
new, layer = sys.argv[1:]
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
name = "python%d.%d" % sys.version_info[:2]
site = os.path.join(new, "lib", name, "site-packages")
programs = os.path.join(new, "bin")
os.makedirs(site)
os.makedirs(programs)
with open(os.path.join(new, "pyvenv.cfg"), "w") as file:
    file.write("home = %s\\ninclude-system-site-packages = false\\nversion = %s\\n"
               % (os.path.dirname(base), sys.version.split()[0]))
os.symlink(base, os.path.join(programs, "python"))
for other in ("python3", name):
    os.symlink("python", os.path.join(programs, other))
with open(os.path.join(programs, "pip"), "w") as file:
    file.write('#!/bin/sh\\nexec "${0%/*}/python" -m pip "$@"\\n')
os.chmod(os.path.join(programs, "pip"), 0o755)
below = [p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")]
with open(os.path.join(site, "_nearfield_image.pth"), "w") as file:
    file.write("import os; b = %r; p = os.environ.get('PATH', os.defpath); "
               "os.environ['PATH'] = p if p.split(':')[0] == b else b + ':' + p\\n"
               % os.path.join(layer, "bin"))
    for path in below:
        file.write("import site; site.addsitedir(%r)\\n" % path)
print(json.dumps({"python": sys.version.split()[0], "site": os.path.relpath(site, new)}))
"""
PROBE = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


class Layer:
    """A layer that kernels can run in; or, with ``problem``, one that they cannot."""

    def __init__(self, folder: str, problem: str = "") -> None:
        self.folder = folder
        self.problem = problem

    def kernel(self, kernel: List[str]) -> List[str]:
        return [os.path.join(self.folder, "bin", "python"), *kernel[1:]]


def user_layer(
    folder: str, task: Dict[str, Any], options: List[str], image: str, fds: List[int], digest: str
) -> Layer:
    """The layer of this user, environment and image; made if there is none. Never raises."""
    if not digest:
        return Layer("", "the image has no digest, so packages cannot be kept for it")
    top = os.path.dirname(os.path.dirname(folder))
    path = os.path.join(top, "layers", task["environment_name"], digest[:16])
    try:
        known = read_layer(path)
        if known is None:
            make_layer(path, task["kernel"][0], options, image, fds)
            known = read_layer(path)
        site = os.path.join(path, str((known or {})["site"]))
        now = os.stat(site).st_mtime_ns
        if (known or {}).get("checked") != now:
            inside = [*options, *bind(path, path, False), image]
            python = os.path.join(path, "bin", "python")
            run_inside([*inside, python, "-c", PROBE, *probed(task["kernel"])], fds)
            write_layer(path, dict(known or {}, checked=now))
    except subprocess.TimeoutExpired:
        return Layer(path, "it did not answer within %d s" % LAYER_SECONDS)
    except (OSError, ValueError, KeyError) as error:
        return Layer(path, str(error))
    return Layer(path)


def probed(kernel: List[str]) -> List[str]:
    """The modules without which this kernel does not start."""
    modules = kernel[2:3] if kernel[1:2] == ["-m"] else []
    # The launcher imports the rest only once it is run.
    return [*modules, "ipykernel.kernelapp"] if modules == ["ipykernel_launcher"] else modules


def read_layer(path: str) -> Any:
    """What is written down of a layer; None if there is no layer."""
    try:
        with open(os.path.join(path, "layer.json"), encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        if os.path.isdir(path):
            raise ValueError("its layer.json is missing") from None
        return None


def write_layer(path: str, content: Dict[str, Any]) -> None:
    new = os.path.join(path, "layer.json.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.rename(new, os.path.join(path, "layer.json"))


def make_layer(path: str, python: str, options: List[str], image: str, fds: List[int]) -> None:
    parent = os.path.dirname(path)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    work = tempfile.mkdtemp(prefix=".new-", dir=parent)
    try:
        new = os.path.join(work, "layer")
        os.mkdir(new, 0o700)
        inside = [*options, *bind(work, work, False), image]
        told = json.loads(run_inside([*inside, python, "-I", "-c", MAKE_LAYER, new, path], fds))
        write_layer(new, dict(told, checked=0))
        try:
            os.rename(new, path)
        except OSError:
            if not os.path.isdir(path):  # another session of this account was first
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run_inside(argv: List[str], fds: List[int]) -> str:
    """What a program in the image prints. Raises ValueError with the end of its complaint."""
    done = subprocess.run(
        argv,
        env=base_environment(own_account()),
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=LAYER_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
    raise ValueError((said or "exit code %d" % done.returncode)[-300:])


def tell_layer(layer: Layer) -> str:
    """A sentence for log and session where the layer is left out; "" where it is used."""
    if not layer.problem:
        return ""
    text = "your own packages are left out of this session: %s" % layer.problem
    if layer.folder:
        text += "; to begin anew, remove %s" % layer.folder
    say("warning: " + text)
    return text
