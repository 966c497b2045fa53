"""Images on the real thing: signed or not, with a server inside or a kernel alone, with a layer."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.images import Images, make_images, make_wheel

pytestmark = pytest.mark.system

MODULES = """
module() {
    shift
    export LOADEDMODULES="$*" PATH="%s/bin:$PATH"
}
"""


@pytest.fixture(scope="module")
def images(cluster: Any) -> Images:
    return make_images(cluster)


@pytest.fixture(scope="module")
def site(cluster: Any, hub: Any, images: Images) -> Iterator[None]:
    """Environments of every kind, as an administrator adds them while the hub runs."""
    before = hub.config_file.read_text()
    config = json.loads(before)
    venv, shared = str(cluster.site_venv), Path(cluster.dir) / "site"
    (shared / "modules.sh").write_text(MODULES % venv)
    # The head node has no such path: only the node can tell.
    far = Path(cluster.storage("a")) / "images"
    shutil.rmtree(far, ignore_errors=True)
    shutil.copytree(images.folder, far)
    basis = config["environments"]["image"]
    rule = {"signature": "required", "keyring": str(images.keyring)}
    kernel = {"server": "site", "kernel": [f"{venv}/bin/python", "-m", "ipykernel_launcher"]}
    alone = {k: v for k, v in basis.items() if k != "command"} | kernel
    added: dict[str, dict[str, Any]] = {
        name: basis | rule | {"image": str(images[name])}
        for name in ("signed", "unsigned", "tampered", "stranger")
    }
    added |= {
        f"far-{name}": basis | rule | {"image": f"{cluster.data('a')}/images/{name}.sif"}
        for name in ("tampered",)
    }
    added |= {
        "other-signer": basis | rule | {"image": str(images["signed"]), "signers": ["a" * 40]},
        "warned": added["unsigned"] | {"signature": "warn"},
        "kernel": alone | rule | {
            "title": "Kernel alone", "image": str(images["signed"]), "default_url": "/lab/tree/x",
            "layer": True, "signers": [images.fingerprint],
        },
        "layered": basis | {"layer": True, "kernel": kernel["kernel"]},
        "venv": {"venv": venv},
        "modules": {"modules": ["python/3", "jupyter"], "modules_init": f"{shared}/modules.sh"},
    }  # fmt: skip
    config["runtime"] = {"venv": venv}
    config["environments"] |= added
    config["profiles"] |= {name: {"environment": name, "hardware": "small"} for name in added}
    hub.config_file.write_text(json.dumps(config))
    yield
    hub.config_file.write_text(before)


def begin(hub: Any, *profiles: str, datasets: tuple[str, ...] = ()) -> str:
    """Start alice's sessions side by side, each as a server named after its profile."""
    names = [profile.split(":")[-1] for profile in profiles]
    for profile, name in zip(profiles, names, strict=True):
        options = {"profile": profile.split(":")[0], "datasets": list(datasets)}
        answer = hub.request_server("alice", options, name=name)
        assert answer.status_code in {201, 202}, answer.text + hub.tail()
    for name in names:
        hub.wait_ready("alice", name=name)
    return str(hub.user_token("alice"))


def image_in_state(hub: Any, name: str) -> dict[str, Any]:
    """What the hub has saved about the image of alice's session."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with sqlite3.connect(hub.folder / "jupyterhub.sqlite") as db:
            rows = db.execute("select state from spawners where name = ?", (name,)).fetchall()
        for (state,) in rows:
            if found := json.loads(state or "{}").get("image"):
                return dict(found)
        time.sleep(0.2)
    raise AssertionError("no image in the state")


def session_file(cluster: Any, name: str) -> dict[str, Any]:
    """Of alice's newest session."""
    folder = cluster.home("alice") / ".local/share/nearfield/sessions"
    newest = max(folder.glob("nearfield-*"), key=lambda p: p.stat().st_mtime)
    found: dict[str, Any] = json.loads((newest / name).read_text())
    return found


ENVIRON = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith(('NEARFIELD_', 'APPTAINER_CONT', 'LOADED'))}))"  # noqa: E501


@pytest.mark.usefixtures("site")
def test_an_allowed_image_starts_and_its_digest_is_known_everywhere(
    cluster: Any, hub: Any, images: Images
) -> None:
    token = begin(hub, "signed")
    seen = json.loads(hub.execute("alice/signed", token, ENVIRON))
    assert seen["NEARFIELD_IMAGE_VERDICT"] == "verified"
    assert seen["NEARFIELD_IMAGE_SIGNER"] == images.fingerprint
    assert seen["APPTAINER_CONTAINER"].startswith("/proc/self/fd/"), "not the verified file"
    saved = image_in_state(hub, "signed")
    assert saved["digest"] == seen["NEARFIELD_IMAGE_DIGEST"]
    assert saved["signers"] == [images.fingerprint]
    assert saved["warnings"] == []
    known = json.loads(
        (cluster.home("alice") / ".local/share/nearfield/sessions/.images.json").read_text()
    )
    assert any(key.startswith(seen["NEARFIELD_IMAGE"] + " ") for key in known)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("unsigned", "is not signed; have it signed"),
        ("tampered", "was changed after it had been signed; take it from its source"),
        ("stranger", "a key that is not in the site's keyring; put the signer's public key"),
        ("other-signer", "which is not among the allowed signers"),
    ],
)
def test_a_wrong_image_is_refused_before_anything_is_submitted(
    cluster: Any, hub: Any, profile: str, words: str
) -> None:
    answer = hub.request_server("alice", {"profile": profile})
    assert answer.status_code == 403, answer.text
    assert words in answer.json()["message"]
    assert ".sif" in answer.json()["message"]
    running = [s for s in cluster.squeue("alice").values() if s in {"PENDING", "RUNNING"}]
    assert running == []


@pytest.mark.usefixtures("site")
def test_the_node_has_the_last_word(cluster: Any, hub: Any) -> None:
    answer = hub.request_server("alice", {"profile": "far-tampered"})
    assert answer.status_code == 500, answer.text
    assert "was changed after it had been signed" in answer.json()["message"]
    assert session_file(cluster, "failure.json")["reason"] == "image-tampered"


@pytest.mark.usefixtures("site")
def test_warn_starts_and_tells(cluster: Any, hub: Any) -> None:
    token = begin(hub, "warned")
    assert "is not signed" in image_in_state(hub, "warned")["warnings"][0]
    assert "is not signed" in session_file(cluster, "image.json")["warnings"][0]
    assert (
        json.loads(hub.execute("alice/warned", token, ENVIRON))["NEARFIELD_IMAGE_VERDICT"]
        == "unsigned"
    )


LOOK = """
import glob, json, os, sys
[root] = glob.glob("/data/*/*.nxs") or glob.glob("/data/*/*.h5")
import h5py
stacks = []
def note(name, item):
    if len(getattr(item, "shape", ())) == 3:
        stacks.append((name, item.shape, item.dtype, item[...].sum()))
real = os.path.realpath(root)
with h5py.File(root) as f:
    f.visititems(note)
name, shape, dtype, total = stacks[0]
layout = h5py.VirtualLayout(shape, dtype)
layout[...] = h5py.VirtualSource(real, name, shape)
with h5py.File("/tmp/links.h5", "w") as f:
    f["link"] = h5py.ExternalLink(real, "/" + name)
    f.create_virtual_dataset("virtual", layout)
with h5py.File("/tmp/links.h5") as f:
    sums = [int(x) for x in (total, f["link"][...].sum(), f["virtual"][...].sum())]
def refused(action):
    try:
        action()
    except OSError as error:
        return error.errno
print(json.dumps({"sums": sums, "write": refused(lambda: open(real, "r+b")),
    "create": refused(lambda: open(os.path.dirname(real) + "/new", "xb")),
    "data": os.environ["NEARFIELD_DATA"], "prefix": sys.prefix, "tmp": os.environ["TMPDIR"],
    "inside": os.environ.get("APPTAINER_CONTAINER"), "url": os.environ["JUPYTERHUB_DEFAULT_URL"]}))
"""


def interrupt_busy_kernel(hub: Any, server: str, token: str) -> None:
    url = f"{hub.url}/user/{server}/api/kernels"
    headers = {"Authorization": f"token {token}"}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for kernel in httpx.get(url, headers=headers, timeout=30).json():
            if kernel["execution_state"] == "busy":
                time.sleep(0.5)  # the cell is being executed by now
                httpx.post(f"{url}/{kernel['id']}/interrupt", headers=headers, timeout=30)
                return
        time.sleep(0.1)
    raise AssertionError("no kernel got busy")


@pytest.mark.usefixtures("site")
def test_a_kernel_alone_runs_in_the_image_with_a_layer_that_is_kept(
    cluster: Any, hub: Any, pids: dict[str, str]
) -> None:
    home = cluster.home("alice")
    layers = home / ".local/share/nearfield/layers"
    shutil.rmtree(layers, ignore_errors=True)
    wheel = make_wheel(home, "nearfield_tiny", 42)
    token = begin(hub, "kernel", datasets=(pids["alice"],))
    seen = json.loads(hub.execute("alice/kernel", token, LOOK))
    assert seen["sums"][0] > 0
    assert len(set(seen["sums"])) == 1, "absolute links do not lead to the data"
    assert seen["write"] in {30, 13}
    assert seen["create"] in {30, 13}
    assert seen["inside"].startswith("/proc/self/fd/")
    assert (seen["data"], seen["tmp"], seen["url"]) == ("/data", "/tmp", "/lab/tree/x")
    assert seen["prefix"].startswith(str(layers / "kernel"))
    absent = "import importlib.util as u; print(u.find_spec('nearfield_tiny'))"
    assert hub.execute("alice/kernel", token, absent).strip() == "None"
    with ThreadPoolExecutor(1) as beside:
        sleeping = beside.submit(hub.execute, "alice/kernel", token, "import time; time.sleep(60)")
        interrupt_busy_kernel(hub, "alice/kernel", token)
        with pytest.raises(AssertionError, match="KeyboardInterrupt"):
            sleeping.result(20)
    install = f"%pip install --no-index --disable-pip-version-check {wheel}"
    assert "Successfully installed" in hub.execute("alice/kernel", token, install)

    # Seen in the next session, not in another environment with the same Python.
    token = begin(hub, "kernel:next", "layered")
    use = "import nearfield_tiny; print(nearfield_tiny.ANSWER)"
    assert hub.execute("alice/next", token, use).strip() == "42"
    assert hub.execute("alice/layered", token, absent).strip() == "None"
    prefix = hub.execute("alice/layered", token, "import sys; print(sys.prefix)")
    assert prefix.startswith(str(layers / "layered"))
    hub.api("DELETE", "users/alice/servers/layered")

    # A layer that breaks the kernel is left out, and the session says so.
    [site] = (layers / "kernel").glob("*/lib/python*/site-packages")
    (site / "ipykernel_launcher.py").write_text("raise RuntimeError('broken')")
    token = begin(hub, "kernel:broken")
    assert hub.execute("alice/broken", token, absent).strip() == "None"
    [warning] = image_in_state(hub, "broken")["warnings"]
    assert "your own packages are left out" in warning
    assert str(layers) in warning


@pytest.mark.usefixtures("site")
def test_a_server_without_an_image(hub: Any, cluster: Any) -> None:
    token = begin(hub, "venv", "modules")
    look = "import json, os, sys; print(json.dumps([sys.prefix, os.environ.get('LOADEDMODULES')]))"
    for name, modules in (("venv", None), ("modules", "python/3 jupyter")):
        found = json.loads(hub.execute(f"alice/{name}", token, look))
        assert found == [str(cluster.site_venv), modules]
