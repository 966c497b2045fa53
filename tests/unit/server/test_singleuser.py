"""``nearfield-singleuser`` starts what ``jupyterhub-singleuser`` starts, with fewer imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = """
import json, sys
from nearfield_server import singleuser
singleuser.grammar_on_first_use()
from jsonschema import Draft202012Validator as V
def errors(format, text):
    return len(list(V({"format": format}, format_checker=V.FORMAT_CHECKER).iter_errors(text)))
before = "lark" in sys.modules
print(json.dumps({
    "before": before,
    "uri": [errors("uri", "http://a.example/b"), errors("uri", "::")],
    "still": "lark" in sys.modules,
    "iri": [errors("iri", "http://\\u00e9.example/"), errors("iri", "no iri"), errors("iri", "::")],
    "after": "lark" in sys.modules,
}))
"""
STARTS = """
import gc, json, os, sys
import jupyterhub.singleuser
from nearfield_server import singleuser
jupyterhub.singleuser.main = lambda: print(json.dumps({
    "collects": gc.isenabled(), "frozen": gc.get_freeze_count() > 1000,
    "lab": "jupyterlab.labapp" in sys.modules, "argv": sys.argv[1:],
    "patched": "jupyterlab.labhubapp" in sys.modules}))
singleuser.main()
"""


def python(code: str, *argv: str, **env: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | env,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_iris_are_checked_as_ever_with_the_parser_made_for_the_first() -> None:
    pytest.importorskip("rfc3987_syntax")
    told = python(CHECKS)
    assert told == {
        "before": False,
        "uri": [0, 1],
        "still": False,
        "iri": [0, 1, 1],
        "after": True,
    }


def test_the_server_starts_with_everything_imported_and_a_collector_that_collects() -> None:
    told = python(STARTS, "--port=1", JUPYTERHUB_SINGLEUSER_APP="")
    assert told == {
        "collects": True,
        "frozen": True,
        "lab": True,
        "argv": ["--port=1"],
        "patched": False,
    }


def test_an_extension_that_breaks_is_left_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab/__init__.py").write_text("raise ValueError('a package of the user')")
    told = python(STARTS, JUPYTERHUB_SINGLEUSER_APP="", PYTHONPATH=str(tmp_path))
    assert (told["lab"], told["collects"]) == (False, True)


def test_another_app_than_lab_is_not_burdened_with_lab() -> None:
    told = python(STARTS, JUPYTERHUB_SINGLEUSER_APP="jupyter_server.serverapp.ServerApp")
    assert told["lab"] is False


def test_the_program_is_installed() -> None:
    program = Path(sys.executable).with_name("nearfield-singleuser")
    done = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    plain = subprocess.run(
        [str(program.with_name("jupyterhub-singleuser")), "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, plain.stdout), done.stderr
