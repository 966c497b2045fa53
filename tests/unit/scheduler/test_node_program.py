"""The host side of a job: what can be told without a cluster."""

from __future__ import annotations

import ast
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from nearfield.scheduler import node_program
from nearfield.scheduler.node import checks, environment, hub, image, ports, processes
from nearfield.scheduler.node.session import NotStarted

SERVER = """
import os, socket, sys, time, urllib.parse
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
s = socket.socket(); s.bind((url.hostname, url.port)); s.listen()
print("serving", flush=True)
time.sleep(60)
"""


def stage(folder: Path, task: dict[str, Any], environment: dict[str, str] | None = None) -> Path:
    (folder / "data").mkdir(parents=True)
    base = {
        "kind": "session",
        "image": None,
        "apptainer": None,
        "command": ["/bin/true"],
        "mounts": [],
        "datasets": [],
        "callback_url": None,
        "bind_address": "127.0.0.1",
        "server": "image",
        "kernel": ["python3", "-m", "ipykernel_launcher"],
        "runtime": {"venv": None, "modules": [], "modules_init": "/nosuch"},
        "environment_name": "e",
        "title": "E",
        "default_url": "",
        "layer": False,
        "signature": None,
        "warn_minutes": [],
        "grace_seconds": 0,
    }
    session = {"version": 1, "name": "nf-1", "cluster": "x", "user": "me", "profile": "p",
               "gpus": 0, "task": base | task}  # fmt: skip
    (folder / "session.json").write_text(json.dumps(session))
    (folder / "environment.json").write_text(json.dumps(environment or {}))
    return folder


def start(folder: Path, python: str = sys.executable, **popen: Any) -> subprocess.Popen[str]:
    job = subprocess.Popen(
        [python, "-I", "-", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "PYTHONPATH": "/nosuch",
             "LD_LIBRARY_PATH": "/nosuch", "SLURM_JOB_ID": "7"},
        **popen,
    )  # fmt: skip
    assert job.stdin is not None
    job.stdin.write(node_program.text())
    job.stdin.close()
    return job


def run(folder: Path) -> tuple[int, str]:
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        out = job.stdout.read()
    return job.wait(30), out


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
        seen = ""
        while "listens" not in seen:
            line = job.stdout.readline()
            assert line, seen
            seen += line
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
    counting = SERVER.replace(
        "time.sleep(60)",
        "import signal\nn = 0\ndef note(*_):\n    global n\n    n += 1\n"
        "signal.signal(signal.SIGTERM, note)\nprint('ready', flush=True)\n"
        "end = time.monotonic() + 0.7\nwhile n == 0: time.sleep(0.01)\n"
        "end = time.monotonic() + 0.7\nwhile time.monotonic() < end: time.sleep(0.05)\n"
        "print('terms', n, flush=True)\nsys.exit(4)",
    )
    folder = stage(tmp_path / "nf-1", {"command": [sys.executable, "-I", "-c", counting]})
    job = start(folder, start_new_session=True)
    assert job.stdout is not None
    with job.stdout:
        seen = ""
        while "ready" not in seen or "listens" not in seen:
            line = job.stdout.readline()
            assert line, seen
            seen += line
        (os.killpg if everybody else os.kill)(job.pid, signal.SIGTERM)
        seen += job.stdout.read()
    assert "terms 1" in seen
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
    time.sleep(0.05)
    for pid in left[1:]:
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    assert not list(folder.glob("nearfield-*"))


# ---------------------------------------------------------------------- checks and links


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    link = {"pid": "p/1", "slug": "s", "folder": str(tmp_path), "files": [str(tmp_path / "x.h5")]}
    with pytest.raises(
        NotStarted, match=r"dataset p/1: .*x\.h5 cannot be read.*No such file"
    ) as caught:
        checks.check_datasets([link])
    assert caught.value.record["reason"] == "dataset-not-readable"


def test_a_dead_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(checks, "first_unreadable", lambda _: time.sleep(1))
    link = {"pid": "p/1", "slug": "s", "folder": "/x", "files": ["/x/y"]}
    with pytest.raises(NotStarted, match="no answer from the file system"):
        checks.check_datasets([link])


def test_a_dataset_whose_storage_is_not_on_this_node(capsys: pytest.CaptureFixture[str]) -> None:
    """Chosen with another that is here, it does not keep the session from starting."""
    a, b, inner = ({"source": source} for source in ("/data/a", "/data/b", "/data/b/inner"))

    def link(folder: str) -> dict[str, object]:
        return {"pid": f"p:{folder}", "folder": folder, "files": [f"{folder}/x.h5"]}

    links = [link("/data/a/1"), link("/data/b/2"), link("/data/b/inner/3"), link("/data/bb")]
    task = {"mounts": [a, b, inner], "datasets": links}
    here = checks.on_this_node(task, [a, inner])
    assert [one["folder"] for one in here] == ["/data/a/1", "/data/b/inner/3", "/data/bb"]
    assert (
        "dataset p:/data/b/2 is in /data/b/2, which is not on this node" in capsys.readouterr().out
    )
    assert checks.on_this_node({"mounts": [a], "datasets": []}, []) == []
    with pytest.raises(NotStarted, match="dataset p:/data/b/2: /data/b/2 is not on ") as caught:
        checks.on_this_node(task | {"datasets": [link("/data/b/2")]}, [a, inner])
    assert caught.value.record["path"] == "/data/b/2/x.h5"


def test_a_mount_that_is_missing(tmp_path: Path) -> None:
    there = {"source": str(tmp_path), "target": "/a", "required": True}
    missing = {"source": str(tmp_path / "no"), "target": "/b", "required": False}
    task = {"image": None, "runtime": {"venv": None}, "mounts": [there, missing]}
    assert checks.check_parts(task) == [there]
    with pytest.raises(NotStarted, match="is needed"):
        checks.check_parts(task | {"mounts": [missing | {"required": True}]})


def test_links_keep_the_structure_and_stay_inside(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "sub").mkdir(parents=True)
    (raw / "a.h5").write_text("a")
    (raw / "sub/b c.h5").write_text("b")
    session = tmp_path / "nf-1"
    (session / "data").mkdir(parents=True)
    files = [str(raw / "a.h5"), str(raw / "sub/b c.h5"), "/etc/passwd", str(raw)]
    link = {"pid": "p", "slug": "s", "folder": str(raw), "files": files}
    checks.make_links(str(session), [link])
    checks.make_links(str(session), [link])
    made = sorted(p.relative_to(session).as_posix() for p in session.rglob("*") if p.is_symlink())
    assert made == ["data/s/a.h5", "data/s/sub/b c.h5"]
    assert (session / "data/s/sub/b c.h5").read_text() == "b"
    assert (session / "data/s/a.h5").readlink() == raw / "a.h5"


def test_no_link_is_made_through_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record of a user names his link to a colleague's home, and a file "below" it."""
    home, raw, session = tmp_path / "victim", tmp_path / "raw", tmp_path / "nf-1"
    for folder in (home, raw, session / "data"):
        folder.mkdir(parents=True)
    (raw / "root.h5").write_text("")
    (raw / "evil").symlink_to(home)
    (raw / ".bash_profile").write_text("id")
    bad = ["evil/.bash_profile", "evil/new/folder/x", "root.h5/x", "./y", "a/../../../z", "x" * 300]
    files = [f"{raw}/{name}" for name in ("root.h5", "evil", *bad, "last.h5")]
    link = {"pid": "p/1", "slug": "s", "folder": str(raw), "files": files}
    checks.make_links(str(session), [link])
    assert list(home.iterdir()) == []
    assert sorted(p.name for p in (session / "data/s").iterdir()) == ["evil", "last.h5", "root.h5"]
    assert sorted(p.name for p in session.iterdir()) == ["data"]
    said = capsys.readouterr().out
    assert "evil/.bash_profile' of dataset p/1 is not linked: Not a directory" in said
    assert said.count("is not linked") == 4


@pytest.mark.parametrize("at", ["data", "data/s"])
def test_the_folders_of_the_links_are_no_links(tmp_path: Path, at: str) -> None:
    session, home = tmp_path / "nf-1", tmp_path / "victim"
    home.mkdir()
    (session / at).parent.mkdir(parents=True)
    (session / at).symlink_to(home)
    with suppress(OSError):
        checks.make_links(
            str(session), [{"pid": "p", "slug": "s", "folder": "/raw", "files": ["/raw/a.h5"]}]
        )
    assert list(home.iterdir()) == []


def test_what_is_there_already_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/s").mkdir(parents=True)
    (tmp_path / "data/s/a.h5").write_text("mine")
    link = {"pid": "p", "slug": "s", "folder": "/raw", "files": ["/raw/a.h5"]}
    checks.make_links(str(tmp_path), [link])
    assert (tmp_path / "data/s/a.h5").read_text() == "mine"
    assert "'/raw/a.h5' of dataset p is not linked: File exists" in capsys.readouterr().out


# ---------------------------------------------------------------------- image and environment


def test_a_mount_is_one_quoted_line() -> None:
    flag, line = image.bind('/a:b,c "d"', "/x", True)
    assert flag == "--mount"
    assert next(csv.reader([line])) == ["type=bind", 'source=/a:b,c "d"', "destination=/x", "ro"]


def test_the_command_in_an_image(tmp_path: Path) -> None:
    task = {
        "image": "/i.sif",
        "server": "image",
        "apptainer": "/opt/apptainer",
        "command": ["jupyterhub-singleuser", "x y"],
    }
    mounts = [{"source": "/raw", "target": "/tmp/raw", "read_only": True}]
    options = image.container_options("/s/nf-1", {"task": task}, mounts, str(tmp_path))
    argv = image.server_argv(task, options, "/home/me", "/i.sif")
    assert argv[:4] == ["/opt/apptainer", "exec", "--no-mount", "cwd,tmp"]
    assert argv[-5:] == ["--pwd", "/home/me", "/i.sif", "jupyterhub-singleuser", "x y"]
    assert "type=bind,source=/s/nf-1/data,destination=/data" in argv
    assert "type=bind,source=/raw,destination=/tmp/raw,ro" in argv
    assert (tmp_path / "raw").is_dir()  # a mount point below our own /tmp
    assert not {"--env", "--env-file", "--cleanenv", "--bind"} & set(argv)


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("http://127.0.0.1:0/user/a/", "0.0.0.0", "http://0.0.0.0:99/user/a/"),
        ("https://x:1/user/a%20b/n/", "::", "https://[::]:99/user/a%20b/n/"),
        ("", "0.0.0.0", "http://0.0.0.0:99/"),
    ],
)
def test_the_url_keeps_scheme_and_path(url: str, address: str, expected: str) -> None:
    assert environment.with_port(url, address, 99) == expected


def test_certificates_become_files(tmp_path: Path) -> None:
    env = {"NEARFIELD_TLS_KEY": "k", "NEARFIELD_TLS_CERT": "c", "NEARFIELD_TLS_CA": "a", "X": "y"}
    made = environment.keep_certificates(str(tmp_path), env)
    assert env == {"X": "y"}
    assert made["JUPYTERHUB_SSL_KEYFILE"] == str(tmp_path / "keyfile.pem")
    assert set(made) == {
        "JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA",
    }  # fmt: skip
    assert (tmp_path / "keyfile.pem").stat().st_mode & 0o777 == 0o600


def test_the_hub_is_reached_by_http_alone() -> None:
    import urllib.request

    request = urllib.request.Request("file:///etc/passwd")  # noqa: S310 - that is the point
    assert hub.opener_for({}).open(request) is None


# ---------------------------------------------------------------------- ports


@pytest.mark.enable_socket
def test_a_port_counts_only_if_the_server_itself_listens() -> None:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        port = mine.getsockname()[1]
        assert not ports.is_ours(port, os.getpid())  # bound is not listening
        mine.listen()
        assert ports.is_ours(port, os.getpid())
        assert ports.taken("127.0.0.1", port)
        other = subprocess.Popen(["/bin/sleep", "30"], close_fds=True)
        try:
            assert not ports.is_ours(port, other.pid)  # the same account, another process
        finally:
            other.kill()
            other.wait()
    assert not ports.taken("127.0.0.1", port)


def test_a_socket_of_another_account_never_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(os.getuid(), "1"), (4711, "2")]
    monkeypatch.setattr(ports, "listeners", lambda _port: found)
    assert not ports.is_ours(1, os.getpid())


def test_a_port_that_was_taken_meanwhile_is_changed(tmp_path: Path) -> None:
    """The first start finds its port taken by somebody else, the second does not."""
    thief = (
        "import os, subprocess, sys, urllib.parse\n"
        "mark = sys.argv[1]\n"
        "if not os.path.exists(mark):\n"
        "    open(mark, 'w').close()\n"
        "    port = urllib.parse.urlsplit(os.environ['JUPYTERHUB_SERVICE_URL']).port\n"
        "    code = 'import socket, sys, time; s = socket.socket(); '\\\n"
        "        's.bind((\"127.0.0.1\", int(sys.argv[1]))); s.listen(); '\\\n"
        "        'print(\"stolen\", flush=True); time.sleep(20)'\n"
        "    argv = [sys.executable, '-c', code, str(port)]\n"
        "    p = subprocess.Popen(argv, stdout=subprocess.PIPE)\n"
        "    p.stdout.readline()\n"
        "    os._exit(1)\n"
    )
    folder = stage(
        tmp_path / "nf-1",
        {"command": [sys.executable, "-I", "-c", thief + SERVER, str(tmp_path / "mark")]},
    )
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        seen = ""
        while "listens" not in seen:
            line = job.stdout.readline()
            assert line, seen
            seen += line
        assert "was taken meanwhile" in seen
        os.kill(job.pid, signal.SIGTERM)
        job.stdout.read()
    assert job.wait(10) == 143
