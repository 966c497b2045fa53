"""Runs in a real kernel, from the request to the published dataset."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.catalogue import CatalogueStore, scan
from nearfield.config import parse_config
from nearfield.errors import DatasetNotFoundError, RunError
from nearfield.provenance.record import read_record

Make = Callable[..., str]
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEARFIELD_RUN", raising=False)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    monkeypatch.setenv("MY_SECRET", TOKEN[::-1])
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("NEARFIELD_IMAGE_DIGEST", "sha256:ab")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def everything(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return "\n".join(path.read_text(errors="replace") for path in files)


def test_a_run_and_its_publication(
    make_template: Make, catalogue: Path, tmp_path: Path, stack_file: Path
) -> None:
    template = make_template(
        "import os, json, nearfield\nprint(os.environ.get('JUPYTERHUB_API_TOKEN', 'no token'))",
        "print(os.environ['MY_SECRET'])",
        "d = nearfield.dataset(dataset_pids[0])\nassert d.arrays[0].shape == (4, 6, 8)\n"
        "try:\n    nearfield.dataset('other')\n"
        "except Exception as error:\n    print(type(error).__name__)",
        'assert os.getcwd() == output_dir\nassert factor == 2.5 and text == "it\'s\\n{x}"',
        "os.makedirs('sub')\nopen('sub/a.txt', 'w').write(data_files[0])\n"
        "os.symlink(data_files[0], 'link.h5')\nimport subprocess\n"
        "_ = subprocess.run(['echo', 'past ipykernel'])",
        "json.dump({'total': 7, 'none': float('nan')}, open('s.json', 'w'))",
        properties={
            "factor": {"type": "number", "default": 1.0},
            "text": {"type": "string", "default": ""},
            "left": {"type": "boolean", "default": True},
        },
        outputs=[{"path": "sub/a.txt", "title": "A text"}, {"path": "s.json"}],
        summary="s.json",
    )
    folder = tmp_path / "out {braces}"
    cells: list[tuple[int, int, str]] = []
    record = nearfield.run(
        template, "raw-1", out=folder, catalogue=catalogue,
        parameters={"factor": 2.5, "text": "it's\n{x}"}, on_cell=lambda *at: cells.append(at),
    )  # fmt: skip
    assert record == read_record(folder)
    assert (record.status, record.failure) == ("completed", None)
    assert record.parameters == {"factor": 2.5, "text": "it's\n{x}", "left": True}
    assert record.summary == {"total": 7, "none": None}
    outputs = {output.path: output for output in record.outputs}
    assert set(outputs) == {"small.ipynb", "sub/a.txt", "s.json"}
    assert outputs["sub/a.txt"].title == "A text"
    assert [(entry.path) for entry in record.not_recorded] == ["link.h5"]
    (given,) = record.inputs
    assert (given.pid, given.title, given.techniques) == ("raw-1", "A stack", ("NXsas",))
    assert given.files[0].sha256 == "a" * 64
    assert given.files[0].path == str(stack_file)
    assert record.job == {"SLURM_JOB_ID": "17"}
    assert record.environment["NEARFIELD_IMAGE_DIGEST"] == "sha256:ab"
    assert record.kernel is not None
    assert Path(record.kernel.executable or "").samefile(sys.executable)
    assert record.kernel.packages["ipykernel"]
    assert record.started < (record.ended or record.started)
    assert {what for _, _, what in cells} == {""}, "no Markdown, no heading; never the code itself"
    assert cells[-1][:2] == (7 + 1, 7 + 1), "7 cells of the template and the injected one"

    told = everything(folder)
    assert TOKEN not in told and TOKEN[::-1] not in told
    for words in ("no token", "[redacted: MY_SECRET]", "DatasetNotFoundError"):
        assert words in (folder / "small.ipynb").read_text()
    notebook = json.loads((folder / "small.ipynb").read_text())
    assert notebook["metadata"]["papermill"]["environment_variables"] == {}

    pid = nearfield.publish(folder, catalogue=catalogue)
    assert nearfield.publish(folder, catalogue=catalogue) == pid
    derived = nearfield.dataset(pid, catalogue=catalogue)
    assert derived.input_datasets == ("raw-1",)
    assert len(derived.files) == 4
    assert nearfield.search(type="derived", catalogue=catalogue).total == 1


def test_a_cell_that_fails(make_template: Make, catalogue: Path, tmp_path: Path) -> None:
    template = make_template(
        "print('before')\nopen('partial.txt', 'w').write('x')",
        "import os\nraise ValueError('wrong: ' + os.environ['MY_SECRET'])",
        "print('never')",
    )
    with pytest.raises(RunError) as caught:
        nearfield.run(template, "raw-1", out=tmp_path / "out", catalogue=catalogue)
    assert "ValueError: wrong: [redacted: MY_SECRET]" in str(caught.value)
    record = read_record(tmp_path / "out")
    assert record.status == "failed" and record.failure is not None
    assert record.failure.error == "ValueError"
    notebook = json.loads((tmp_path / "out/small.ipynb").read_text())
    failed = notebook["cells"][(record.failure.cell or 0) - 1]
    assert "raise ValueError" in "".join(failed["source"])
    assert "before" in json.dumps(notebook)
    assert {output.path for output in record.outputs} == {"small.ipynb", "partial.txt"}
    assert TOKEN[::-1] not in everything(tmp_path / "out")


def test_a_kernel_that_dies_and_an_output_that_is_not_made(
    make_template: Make, catalogue: Path, tmp_path: Path
) -> None:
    template = make_template(
        "import os\nif die: os._exit(1)",
        properties={"die": {"type": "boolean", "default": False}},
        outputs=[{"path": "result.h5"}, {"path": "extra.h5", "required": False}],
    )
    with pytest.raises(RunError, match=r"did not make result\.h5, as"):
        nearfield.run(template, "raw-1", out=tmp_path / "a", catalogue=catalogue)
    with pytest.raises(RunError, match="the kernel died"):
        nearfield.run(
            template, "raw-1", out=tmp_path / "b", catalogue=catalogue, parameters={"die": True}
        )
    assert {read_record(tmp_path / name).status for name in "ab"} == {"failed"}


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("stubborn", [False, True], ids=["interrupted", "killed"])
def test_term_stops_the_kernel_and_what_it_started(
    make_template: Make, catalogue: Path, tmp_path: Path, stubborn: bool
) -> None:
    ignore = (
        "import signal\n"
        "signal.signal(signal.SIGINT, lambda *_: open('interrupted', 'w').close())\n"
    ) if stubborn else ""  # fmt: skip
    template = make_template(
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        "open('pids.tmp', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename('pids.tmp', 'pids')\n" + ignore + "while True:\n"
        "    try: time.sleep(300)\n" + ("    except KeyboardInterrupt: pass" if stubborn else
                                        "    finally: open('closed', 'w').close()"),
    )  # fmt: skip
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "nearfield", "run", template, "--dataset", "raw-1",
        "--out", str(out), "--catalogue", str(catalogue),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 30
        while not (out / "pids").exists():
            assert run.poll() is None, run.stderr and run.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pids = [int(pid) for pid in (out / "pids").read_text().split()]
        assert read_record(out).status == "running"
        run.send_signal(signal.SIGTERM)
        if stubborn:
            deadline = time.monotonic() + 30
            while not (out / "interrupted").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert alive(pids[0])
            run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "was stopped" in told and "Traceback" not in told
    record = read_record(out)
    assert record.status == "aborted" and record.ended is not None
    assert (out / "closed").exists() == (not stubborn)
    assert (out / "small.ipynb").exists()
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def test_two_runs_into_one_folder(
    make_template: Make, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nearfield.api import plan_run
    from nearfield.errors import UsageError
    from nearfield.templates.runner import carry_out

    template = make_template("x = 1")
    plans = [
        plan_run(template, "raw-1", out=tmp_path / "out", catalogue=catalogue) for _ in range(2)
    ]
    carry_out(plans[0], lambda *at: None)
    with pytest.raises(UsageError, match="holds run"):
        carry_out(plans[1], lambda *at: None)


async def test_the_real_stack_from_inside_a_running_loop(real_data: Path, tmp_path: Path) -> None:
    """As in a notebook cell: scan, find, run, publish, look."""
    config = parse_config(f"storages: {{raw: {{prefix: {real_data}}}}}")
    catalogue = tmp_path / "catalogue.sqlite"
    store = CatalogueStore(catalogue, config.catalogue.name)
    scan(store, real_data, config)
    store.close()
    (found,) = nearfield.search("NXsas example", catalogue=catalogue).datasets
    record = nearfield.run(
        "frames-projection", found.pid, out=tmp_path / "out", catalogue=catalogue,
        parameters={"roi": [60, 140, 180, 320]},
    )  # fmt: skip
    with h5py.File(real_data / "nexus-example.hdf5") as h5:
        frames = h5["entry/data/frames"][...]
    with h5py.File(tmp_path / "out/projection.h5") as h5:
        np.testing.assert_array_equal(h5["entry/sum/sum"][...], frames.sum(axis=0))
        np.testing.assert_array_equal(h5["entry/maximum/maximum"][...], frames.max(axis=0))
        series = h5["entry/roi_series"]
        np.testing.assert_array_equal(
            series["roi_sum"][...], frames[:, 60:140, 180:320].sum(axis=(1, 2))
        )
        assert series["sample_times"].attrs["units"] == "minutes"
    assert record.summary["total"] == frames.sum()
    assert {output.path for output in record.outputs} == {
        "frames-projection.ipynb", "projection.h5", "projection.png", "roi-series.png",
        "summary.json",
    }  # fmt: skip
    pid = nearfield.publish(tmp_path / "out", catalogue=catalogue)
    derived = nearfield.dataset(pid, catalogue=catalogue)
    assert derived.input_datasets == (found.pid,)
    with pytest.raises(DatasetNotFoundError):
        nearfield.dataset("nope", catalogue=catalogue)
