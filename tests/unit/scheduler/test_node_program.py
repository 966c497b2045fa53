"""The host side of a job, run as one: its start, its end, and what it leaves behind."""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
import time
from pathlib import Path
from shutil import which

import pytest

from nearfield.scheduler import node_program
from nearfield.scheduler.node import processes
from standins.node_job import SERVER, run, stage, start, term_was_dealt_with, until_said


def test_it_is_python_3_6() -> None:
    tree = ast.parse(node_program.text(), feature_version=(3, 6))
    modules = {
        n.name.split(".")[0] for i in ast.walk(tree) if isinstance(i, ast.Import) for n in i.names
    }
    modules |= {
        str(i.module).split(".")[0] for i in ast.walk(tree) if isinstance(i, ast.ImportFrom)
    }
    assert modules <= sys.stdlib_module_names
    # What 3.6 parses and does not have.
    assert "annotations" not in {
        n.name for i in ast.walk(tree) if isinstance(i, ast.ImportFrom) for n in i.names
    }
    for word in ("capture_output", "removeprefix", "removesuffix", "missing_ok", "text=True"):
        assert word not in node_program.text()


def old_pythons() -> list[str]:
    """Interpreters of nodes older than ours, where this machine has any."""
    here = Path.home() / ".pyenv/versions"
    found = [which(f"python3.{n}") for n in range(6, 11)]
    found += [str(p) for n in range(6, 11) for p in here.glob(f"3.{n}.*/bin/python3")]
    return [p for p in found if p and "shims" not in p]


@pytest.mark.parametrize("python", old_pythons() or [sys.executable])
def test_it_runs_under_old_pythons(tmp_path: Path, python: str) -> None:
    folder = stage(tmp_path / "nf-1", {"command": [sys.executable, "-I", "-c", SERVER]})
    job = start(folder, python)
    assert job.stdout is not None
    with job.stdout:
        until_said(job, "listens")
        os.kill(job.pid, signal.SIGTERM)
        job.stdout.read()
    assert job.wait(10) == 143
    assert json.loads((folder / "result.json").read_text())["exit_code"] == 143


def test_every_annotation_is_one_of_3_6() -> None:
    """They are evaluated there: ``list[str]`` would be an error."""
    for node in ast.walk(ast.parse(node_program.text())):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert node.value.id not in {"list", "dict", "tuple", "set", "type"}, ast.unparse(node)
        if isinstance(node, ast.AnnAssign):
            assert not isinstance(node.annotation, ast.BinOp)


def test_no_name_is_defined_twice() -> None:
    names = [
        n.name
        for n in ast.parse(node_program.text()).body
        if isinstance(n, ast.FunctionDef | ast.ClassDef)
    ]
    assert len(names) == len(set(names))


def test_a_command_gets_its_arguments_and_its_environment(tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); sys.exit(5)"
    argv = [sys.executable, "-c", code, "a\nb", "$(id)"]
    folder = stage(tmp_path / "nf-1", {"kind": "command", "argv": argv}, {"TOKEN": "x\n'y"})
    exit_code, out = run(folder)
    assert exit_code == 5
    arguments, env = json.loads(out)
    assert arguments == ["a\nb", "$(id)"]
    assert env["TOKEN"] == "x\n'y"
    assert env["SLURM_JOB_ID"] == "7"
    assert "PYTHONPATH" not in env
    assert "LD_LIBRARY_PATH" not in env
    assert not (folder / "environment.json").exists()


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    exit_code, out = run(stage(tmp_path / "nf-1", {"kind": "command", "argv": ["/nosuch"]}))
    assert exit_code == 127
    assert "'/nosuch' cannot be run" in out


def test_a_job_that_is_started_twice_stops(tmp_path: Path) -> None:
    folder = stage(tmp_path / "nf-1", {})
    (folder / "environment.json").unlink()
    exit_code, _ = run(folder)
    assert exit_code == 77
    assert json.loads((folder / "failure.json").read_text())["reason"] == "started-before"


def test_a_server_that_ends_at_once(tmp_path: Path) -> None:
    folder = stage(tmp_path / "nf-1", {"command": ["/bin/sh", "-c", "echo no licence; exit 9"]})
    exit_code, out = run(folder)
    assert exit_code == 9
    assert "no licence" in out
    failure = json.loads((folder / "failure.json").read_text())
    assert failure == {
        "reason": "server",
        "message": "the server ended with exit code 9 before it listened",
        "exit_code": 9,
    }
    assert json.loads((folder / "result.json").read_text())["exit_code"] == 9


def test_its_key_ends_with_it(tmp_path: Path) -> None:
    task = {"command": ["/bin/sh", "-c", "cat $JUPYTERHUB_SSL_KEYFILE; exit 9"]}
    folder = stage(tmp_path / "nf-1", task, {"NEARFIELD_TLS_KEY": "the key was there"})
    exit_code, out = run(folder)
    assert (exit_code, "the key was there" in out) == (9, True)
    assert not (folder / "keyfile.pem").exists()
    broken = stage(tmp_path / "nf-2", {}, {"JUPYTERHUB_API_TOKEN": "x"})
    (broken / "session.json").write_text("{")
    assert run(broken)[0] == 77
    assert not (broken / "environment.json").exists()


@pytest.mark.parametrize("everybody", [True, False], ids=["whole job", "only us"])
def test_term_reaches_the_server_once(tmp_path: Path, everybody: bool) -> None:
    go = tmp_path / "go"
    counting = SERVER.replace(
        "time.sleep(60)",
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('TERM', flush=True))\n"
        "print('ready', os.getpid(), flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "sys.exit(4)",
    )
    folder = stage(tmp_path / "nf-1", {"command": [sys.executable, "-I", "-c", counting]})
    job = start(folder, start_new_session=True)
    assert job.stdout is not None
    with job.stdout:
        seen = until_said(job, "ready", "listens")
        server = int(seen.partition("ready ")[2].split()[0])
        [canary] = set(processes.family_of([job.pid])) - {job.pid, server}
        (os.killpg if everybody else os.kill)(job.pid, signal.SIGTERM)
        seen = until_said(job, "TERM\n", "asked to end")
        term_was_dealt_with(job, canary if everybody else None)
        go.touch()
        seen += job.stdout.read()
    assert seen.count("TERM\n") == 1
    assert job.wait(10) == 4


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """A grandchild that left the session, as squashfuse does when its parent is killed."""
    orphan = "import os, time\nif not os.fork():\n    os.setsid(); time.sleep(60)\n"
    folder = stage(
        tmp_path / "nf-1",
        {"command": [sys.executable, "-I", "-c", orphan + SERVER + "#" + str(tmp_path)]},
    )
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        while "listens" not in job.stdout.readline():
            pass
        left = processes.family_of([job.pid])
        assert len(left) == 4  # ourselves, the canary, the server, the orphan
        os.kill(job.pid, signal.SIGTERM)
        job.stdout.read()
    assert job.wait(10) == 143
    end = time.monotonic() + 10
    while any(runs(pid) for pid in left[1:]):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not list(folder.glob("nearfield-*"))


@pytest.mark.parametrize("stubborn", [False, True])
def test_nothing_is_left_where_it_is_killed_itself(tmp_path: Path, stubborn: bool) -> None:
    """With -9, by somebody or for want of memory: Slurm may not find the rest."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    child = "import os, time\nif not os.fork():\n    time.sleep(60)\n"
    folder = stage(
        tmp_path / "nf-1", {"command": [sys.executable, "-I", "-c", deaf + child + SERVER]}
    )
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        until_said(job, "listens")
        left = processes.family_of([job.pid])
        assert len(left) == 4
        job.kill()
    job.wait(10)
    end = time.monotonic() + 20
    while any(runs(pid) for pid in left[1:]):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not list(folder.glob("nearfield-*"))


def runs(pid: int) -> bool:
    """Is there more of the process than its exit code?"""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
