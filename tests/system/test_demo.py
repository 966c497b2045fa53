"""The demo does the whole journey, and what it published can be looked up afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.system
NEARFIELD = [sys.executable, "-m", "nearfield"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def test_the_journey_without_a_browser(place: Path) -> None:
    done = subprocess.run(
        [*NEARFIELD, "demo", "--dir", str(place), "--headless"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [s["step"] for s in steps] == ["scan", "search", "spawn", "run", "publish", "show"]
    last = steps[-1]
    shown_in_lab = [path.resolve() for path in (place / "home/data").glob("*/*")]
    assert shown_in_lab == [place / "data/synthetic_saxs_stack.h5"]
    samples = {path: path.stat().st_mtime_ns for path in (place / "data").iterdir()}

    # The results of the first time are in the catalogue now, and must not be taken for raw data.
    again = subprocess.run(
        [*NEARFIELD, "demo", "--dir", str(place), "--headless"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["input_datasets"] == last["input_datasets"]
    # Else the record of the first run would name files that are no longer there.
    assert {path: path.stat().st_mtime_ns for path in (place / "data").iterdir()} == samples

    shown = subprocess.run(
        [
            *NEARFIELD,
            "--config",
            str(place / "nearfield.yaml"),
            "catalogue",
            "show",
            last["pid"],
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    dataset = json.loads(shown.stdout)
    assert dataset["input_datasets"] == [steps[1]["pid"]]
    names = [Path(f["path"]).name for f in dataset["files"]]
    assert "frames-projection.ipynb" in names
    for file in dataset["files"]:
        assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]

    secrets = json.loads((place / "demo.json").read_text())
    for kept in place.rglob("*"):
        # The hub's own database keeps hashes; what people keep and share must hold no token.
        if kept.is_file() and kept.name != "demo.json" and "hub" not in kept.parts:
            content = kept.read_bytes()
            for name in ("driver_token", "proxy_token", "password"):
                assert secrets[name].encode() not in content, (name, kept)


def test_ctrl_c_leaves_nothing_behind(place: Path) -> None:
    process = subprocess.Popen(
        [*NEARFIELD, "demo", "--dir", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - the tests have one thread
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    layout = json.loads((place / "demo.json").read_text())
    assert layout["password"] in said
    url = f"http://127.0.0.1:{layout['port']}"
    assert url in said
    assert httpx.get(f"{url}/hub/login", timeout=10).status_code == 200

    second = subprocess.run(
        [*NEARFIELD, "demo", "--dir", str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 3
    assert f"a demo runs in {place} already at {url}" in second.stderr
    assert "make demo DEMO_DIR=DIR" in second.stderr

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert left_behind(place) == []


@pytest.mark.parametrize(
    "so_far",
    ["demo: preparing", "starting JupyterHub", "Starting proxy", "Starting service 'catalogue'"],
)
def test_ctrl_c_while_it_starts_leaves_nothing_behind(place: Path, so_far: str) -> None:
    told = place.with_name("told")
    with told.open("w") as out:
        process = subprocess.Popen(
            [*NEARFIELD, "demo", "--dir", str(place)],
            stdout=subprocess.DEVNULL,
            stderr=out,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - the tests have one thread
        )
    deadline = time.monotonic() + 90
    while not any(so_far in f.read_text() for f in (told, place / "hub.log") if f.exists()):
        assert process.poll() is None, told.read_text()
        assert time.monotonic() < deadline, told.read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert left_behind(place) == []


def heed_ctrl_c() -> None:
    """Whoever started the tests in the background made them, and all below, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def left_behind(place: Path) -> list[str]:
    deadline = time.monotonic() + 20
    while (left := processes_of(place)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def processes_of(place: Path) -> list[str]:
    """Command lines of processes that run in or mention the demo's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            here = (entry / "cwd").readlink()
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if line and (str(place) in line or here.is_relative_to(place)):
            found.append(line)
    return found


def test_a_folder_that_is_not_the_demos_is_left_alone(place: Path) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("mine")
    done = subprocess.run(
        [*NEARFIELD, "demo", "--dir", str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "not made by the demo" in done.stderr
    assert [p.name for p in place.iterdir()] == ["thesis.tex"]
