"""The user's layer: made once, used by kernels alone, left out where it is broken."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from nearfield.provenance import surroundings
from nearfield.scheduler.node import kernels, layer

DIGEST = "d" * 64
MODULE = "import sys\nprint('kernel of', sys.prefix)\n"


class Site:
    """An "image" with a virtual environment in it, and an "apptainer" that runs things in place."""

    def __init__(self, top: Path) -> None:
        self.venv, self.calls = top / "image-venv", top / "calls"
        venv.create(self.venv, symlinks=True)
        [self.site] = self.venv.glob("lib/python*/site-packages")
        (self.site / "mykernel.py").write_text(MODULE)
        (self.site / "inimage.py").write_text("WHERE = 'image'\n")
        program = top / "apptainer"
        program.write_text(
            f'#!/bin/sh\necho "$*" >> {self.calls}\nshift\n'
            'while [ "$1" = --mount ]; do shift 2; done\nshift\nexec "$@"\n'
        )
        program.chmod(0o755)
        self.options = [str(program), "exec"]
        self.folder = top / "nearfield/sessions/nf-1"
        self.folder.mkdir(parents=True)
        self.task: dict[str, Any] = {
            "environment_name": "e",
            "title": "E",
            "server": "image",
            "image": "/i.sif",
            "signature": None,
            "kernel": [str(self.venv / "bin/python"), "-m", "mykernel"],
        }

    def layer(self, digest: str = DIGEST, **task: Any) -> layer.Layer:
        return layer.user_layer(
            str(self.folder), self.task | task, self.options, "/i.sif", [], digest
        )

    @property
    def asked(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def run(self, made: layer.Layer, code: str, **env: str) -> str:
        [python, *_] = made.kernel(self.task["kernel"])
        done = subprocess.run(
            [python, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def packages_of(made: layer.Layer) -> Path:
    [found] = Path(made.folder).glob("lib/python*/site-packages")
    return found


def test_a_layer_is_made_once_and_lies_in_front_of_the_image(site: Site) -> None:
    made = site.layer()
    assert made.problem == ""
    assert made.folder == str(site.folder.parents[1] / "layers/e" / DIGEST[:16])
    assert Path(made.folder).stat().st_mode & 0o777 == 0o700
    asked = site.asked  # made, and looked at
    assert site.layer().problem == ""
    assert site.asked == asked
    assert site.run(made, "import sys, inimage; print(sys.prefix, inimage.WHERE)") == (
        f"{made.folder} image"
    )
    (packages_of(made) / "inimage.py").write_text("WHERE = 'layer'\n")
    assert site.run(made, "import inimage; print(inimage.WHERE)") == "layer"
    path = site.run(made, "import os; print(os.environ['PATH'])", PATH="/usr/bin")
    assert path == f"{made.folder}/bin:/usr/bin"


def test_another_environment_or_image_sees_nothing_of_it(site: Site) -> None:
    made = site.layer()
    (packages_of(made) / "mine.py").write_text("")
    find = "import importlib.util as u; print(u.find_spec('mine') is not None)"
    assert site.run(made, find) == "True"
    for other in (site.layer(environment_name="f"), site.layer("e" * 64)):
        assert other.folder != made.folder
        assert site.run(other, find) == "False"


def test_a_layer_that_breaks_the_kernel_is_left_out(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    made = site.layer()
    (packages_of(made) / "mykernel.py").write_text("raise RuntimeError('broken')")
    broken = site.layer()
    assert broken.problem == "RuntimeError: broken"
    told = layer.tell_layer(broken)
    assert f"remove {made.folder}" in told
    assert told in capsys.readouterr().out
    (packages_of(made) / "mykernel.py").unlink()
    assert site.layer().problem == ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: (p / "layer.json").unlink(),
        lambda p: (p / "layer.json").write_text("{"),
        lambda p: (p / "layer.json").write_text("[]"),
        lambda p: (p / "layer.json").write_text("{}"),
        lambda p: ((p / "bin/python").unlink(), (p / "layer.json").write_text('{"site": "lib"}')),
    ],
)
def test_a_spoilt_layer_is_told(site: Site, spoil: Any) -> None:
    spoil(Path(site.layer().folder))
    assert site.layer().problem


def test_an_image_without_python_or_digest_has_no_layer(site: Site) -> None:
    assert "/nosuch/python" in site.layer(kernel=["/nosuch/python"]).problem
    assert "no digest" in site.layer("").problem
    assert not list((site.folder.parents[1] / "layers").rglob(".new-*"))


def test_a_full_home_is_told(site: Site) -> None:
    (site.folder.parents[1] / "layers").write_text("a file")
    assert site.layer().problem


def test_kernels_with_and_without_the_layer(site: Site) -> None:
    made = site.layer()
    kernels.write_kernels(str(site.folder), site.task, site.options, [1, 2, 3, 4], made)
    specs = {
        p.parent.name: json.loads(p.read_text())
        for p in site.folder.glob("jupyter/kernels/*/kernel.json")
    }
    assert specs["python3"]["argv"] == [
        f"{made.folder}/bin/python", "-m", "mykernel", "-f", "{connection_file}",
    ]  # fmt: skip
    assert specs["python3-image"]["argv"][0] == str(site.venv / "bin/python")
    assert specs["python3-image"]["display_name"] == "E, without your packages"


def test_a_server_in_the_image_needs_no_kernelspec_of_ours(site: Site) -> None:
    for found in (None, layer.Layer("/x", "broken")):
        kernels.write_kernels(str(site.folder), site.task, site.options, [], found)
    assert not (site.folder / "jupyter").exists()


def test_the_layer_is_in_the_provenance_record(site: Site) -> None:
    made = site.layer()
    info = packages_of(made) / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    answer = site.run(made, f"print(repr({surroundings.KERNEL_QUESTION}))")
    found = surroundings.kernel_used("python3", {"name": "python"}, answer)
    assert found.layer is not None
    assert found.layer.folder == made.folder
    assert found.layer.packages == {"tiny": "1.0"}
    here = repr(eval(surroundings.KERNEL_QUESTION))  # noqa: S307 - as a kernel evaluates it
    assert surroundings.kernel_used("python3", {"name": "python"}, here).layer is None
