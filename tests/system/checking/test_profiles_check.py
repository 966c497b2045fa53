"""``nearfield profiles check`` on the real cluster: every mistake is found, and none in a file
that is in order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

RIGHT = """\
clusters:
  lab:
    scheduler: slurm
    submitter: sudo
    launcher: {launcher}
storages:
  storage-a:
    prefix: /data/a
    places: [{{cluster: lab, constraint: storage-a}}]
  storage-b:
    prefix: /data/b
    places: [{{cluster: lab, partition: short, constraint: storage-b}}]
environments:
  analysis:
    image: {image}
    apptainer: {apptainer}
    mounts: [{{source: /usr}}]
hardware:
  small:
    cluster: lab
    partition: short
    cores: 2
    minutes: 60
    account: physics
    qos: interactive
    choices:
      cores: {{least: 2, most: 256, step: 2}}
      memory_mb: [2048, 512000]
      minutes: [60, 240]
      reservation: {{pattern: "beam-[0-9]+"}}
  gpu:
    cluster: lab
    partition: gpu-sim
    gpus: 1
    gpu_type: sim
    constraint: storage-a&storage-b
    choices:
      gpus: {{least: 0, most: 2}}
  open: {{cluster: lab}}
profiles:
  analysis: {{environment: analysis, hardware: [small, gpu, open]}}
launcher:
  group: slurmlab
"""

# key → words of what is told; each mistake alone in its own place
WRONG: dict[str, tuple[str, Any]] = {
    "hardware.no-partition": ("no partition 'shrt'", {"partition": "shrt"}),
    "hardware.no-feature": ("no feature 'storage-z'", {"constraint": "storage-z"}),
    "hardware.no-node": (
        "no node of partition short has storage-a&storage-b",
        {"partition": "short", "constraint": "storage-a&storage-b"},
    ),
    "hardware.no-qos": ("no QOS 'express'", {"qos": "express"}),
    "hardware.no-account": ("no account 'physix'", {"account": "physix"}),
    "hardware.no-reservation": ("no reservation 'beam-1'", {"reservation": "beam-1"}),
    "hardware.too-long": ("allows 240 min", {"partition": "short", "minutes": 300}),
    "hardware.too-long-choice": (
        "720 min, but partition short",
        {"partition": "short", "choices": {"minutes": [60, 720]}},
    ),
    "hardware.longer-than-qos": ("QOS limited allows 10 min", {"qos": "limited"}),
    "hardware.too-wide": ("300 cores, but", {"cores": 300}),
    "hardware.too-wide-choice": (
        "260 cores, but",
        {"choices": {"cores": {"least": 1, "most": 260}}},
    ),
    "hardware.too-much-memory": ("has 4000", {"partition": "small", "memory_mb": 8000}),
    "hardware.no-gpu": ("1 GPUs, but", {"partition": "short", "gpus": 1}),
    "hardware.other-gpu": (
        "no GPU of type 'a100'",
        {"partition": "gpu-sim", "gpus": 1, "gpu_type": "a100"},
    ),
    # Only Slurm can tell: alice is not in that account; the reservation has half of the cores.
    "hardware.not-hers": (
        "Slurm would refuse it at its defaults: Invalid account",
        {"account": "chem"},
    ),
    "hardware.half-reserved": (
        "Slurm would refuse it with cores 64",
        {
            "partition": "gpu-sim",
            "reservation": "pytest-half",
            "choices": {"cores": [1, 64]},
        },
    ),
    "storages.wrong-partition": ("no partition 'long'", {"partition": "long"}),
    "storages.wrong-feature": ("no feature 'storage-q'", {"constraint": "storage-q"}),
    "environments.gone": ("No such file", {"image": "{folder}/gone.sif"}),
    "environments.closed": ("can be entered by its owner alone", {"image": "{folder}/own/i.sif"}),
    "environments.broken": ("does not start", {"image": "{folder}/broken.sif"}),
    "environments.unsigned": (
        "is not signed",
        {"image": "{folder}/good.sif", "signature": "required", "keyring": "{folder}/keys"},
    ),
}


@pytest.fixture
def folder(cluster: Any) -> Iterator[Path]:
    path = Path(cluster.dir) / "site" / "profiles-check"
    shutil.rmtree(path, ignore_errors=True)
    (path / "own").mkdir(parents=True)
    path.chmod(0o755)
    shutil.copy(cluster.image, path / "own" / "i.sif")
    (path / "own").chmod(0o700)
    (path / "broken.sif").write_bytes(b"no image at all")
    (path / "broken.sif").chmod(0o644)
    shutil.copy(cluster.image, path / "good.sif")
    (path / "keys").mkdir()
    made = ["openssl", "genpkey", "-algorithm", "ed25519"]
    key = subprocess.run(made, capture_output=True, check=True).stdout
    made = ["openssl", "pkey", "-pubout", "-out", str(path / "keys" / "site.pem")]
    subprocess.run(made, input=key, check=True)
    yield path
    shutil.rmtree(path)


def check(cluster: Any, file: Path, *options: str, user: str | None = None) -> tuple[int, Any]:
    argv = [f"{cluster.site_venv}/bin/nearfield", "--config", str(file), "profiles", "check"]
    argv += ["--json", *options]
    if user is None:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    else:
        done = cluster.run_as(user, argv, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def write(folder: Path, text: str) -> Path:
    file = folder / "nearfield.yaml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def right(cluster: Any) -> str:
    return RIGHT.format(
        launcher=f"{cluster.site_venv}/bin/nearfield-launch",
        image=cluster.image,
        apptainer=cluster.apptainer,
    )


def test_a_file_that_is_in_order_has_no_finding(cluster: Any, folder: Path) -> None:
    file = write(folder, right(cluster))
    jobs = set(cluster.squeue())
    for user, options in (("alice", []), (None, ["--user", "alice"])):
        code, report = check(cluster, file, *options, user=user)
        assert (code, report["findings"]) == (0, [])
        assert report["tried_as"] == "alice"
        # small: defaults, two ends of three choices, all; gpu: defaults, two ends; open: defaults
        assert report["tried"] == 12
    assert set(cluster.squeue()) <= jobs


def wrong(cluster: Any, folder: Path) -> str:
    """A file with every mistake of WRONG, each key on a line of its own."""
    data: dict[str, dict[str, Any]] = {
        "clusters": {"lab": {}},
        "storages": {},
        "environments": {},
        "hardware": {},
        "profiles": {},
    }
    for key, (_, given) in WRONG.items():
        section, name = key.split(".")
        if section == "hardware":
            data[section][name] = {"cluster": "lab"} | given
            data["profiles"][name] = {"environment": "gone", "hardware": name, "storages": []}
        elif section == "storages":
            data[section][name] = {"prefix": f"/{name}", "places": [{"cluster": "lab"} | given]}
        else:
            own = {key: word.format(folder=folder) for key, word in given.items()}
            data[section][name] = own | {
                "apptainer": str(cluster.apptainer),
                "mounts": [{"source": "/usr"}],
            }
            data["profiles"][f"with-{name}"] = {
                "environment": name,
                "hardware": "no-qos",
                "storages": [],
            }
    return json.dumps(data, indent=1)


@pytest.fixture
def half_reserved(cluster: Any) -> Iterator[None]:
    """The GPU node's reservation for alice holds only half of its cores."""
    argv = ["scontrol", "create", "reservation", "reservationname=pytest-half", "starttime=now"]
    argv += ["duration=180", "users=alice", "partitionname=gpu-sim", "corecnt=32", "nodes=gpu1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    yield
    argv = ["scontrol", "delete", "reservation", "pytest-half"]
    subprocess.run(argv, timeout=30, check=True)


@pytest.mark.usefixtures("half_reserved")
def test_every_kind_of_mistake_is_found(cluster: Any, folder: Path) -> None:
    file = write(folder, wrong(cluster, folder))
    code, report = check(cluster, file, "--user", "alice")
    assert code == 1
    lines = file.read_text().splitlines()
    for key, (words, _) in WRONG.items():
        own = [f for f in report["findings"] if f["key"].startswith(key)]
        assert any(words in f["what"] for f in own), (key, own)
        for finding in own:
            assert finding["fix"]
            # The line of the key or, of a default that is not written, of what it belongs to.
            shown = lines[finding["line"] - 1]
            parts = finding["key"].split(".")
            assert any(f'"{part}"' in shown or part.isdigit() for part in parts), shown
    told = {f["key"] for f in report["findings"]}
    assert all(any(key.startswith(known) for known in WRONG) for key in told), told


def test_without_slurm_it_says_so(cluster: Any, folder: Path) -> None:
    conf = folder / "slurm.conf"
    # A controller that nobody is.
    text = cluster.slurm_conf("lab").read_text()
    conf.write_text(text.replace("SlurmctldPort=16817", "SlurmctldPort=16811"))
    conf.chmod(0o644)
    file = write(
        folder,
        right(cluster).replace("scheduler: slurm", f"conf: {conf}"),
    )
    code, report = check(cluster, file, user="alice")
    assert (code, report["silent"]) == (3, ["lab"])
    (finding,) = report["findings"]
    assert finding["key"] == "clusters.lab" and "does not answer" in finding["what"]
    assert os.environ.get("SLURM_CONF") is None
