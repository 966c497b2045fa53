"""``nearfield catalogue import`` and ``export``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.moving import MAX_LINE, export_lines, import_lines
from nearfield.testing.synthetic import synthetic_dataset

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_out_and_in_again_is_the_same(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first.sqlite", tmp_path / "second.sqlite"
    store = CatalogueStore(first)
    store.register([synthetic_dataset(number) for number in range(30)])
    store.close()
    out = run("catalogue", "export", "--catalogue", first)
    assert (out.returncode, out.stderr, len(out.stdout.splitlines())) == (0, "", 30)
    (tmp_path / "all.jsonl").write_text(out.stdout)
    for _ in range(2):  # the second time changes nothing
        done = run("catalogue", "import", tmp_path / "all.jsonl", "--catalogue", second)
        assert (done.returncode, done.stdout) == (0, "30 registered, 0 failed\n")
    again = run("catalogue", "export", "--catalogue", second)
    assert sorted(again.stdout.splitlines()) == sorted(out.stdout.splitlines())


def test_what_show_prints_can_be_imported(run: Run, tmp_path: Path) -> None:
    store = CatalogueStore(tmp_path / "c.sqlite")
    store.register([synthetic_dataset(1)])
    store.close()
    pid = synthetic_dataset(1).pid
    shown = run("catalogue", "show", pid, "--json", "--catalogue", tmp_path / "c.sqlite")
    (tmp_path / "one.jsonl").write_text(json.dumps(json.loads(shown.stdout)))
    done = run("catalogue", "import", tmp_path / "one.jsonl", "--catalogue", tmp_path / "d.sqlite")
    assert done.returncode == 0, done.stderr
    found = run("catalogue", "show", pid, "--catalogue", tmp_path / "d.sqlite")
    assert found.returncode == 0, found.stderr


def test_lines_that_hold_no_record_are_told(run: Run, tmp_path: Path) -> None:
    lines = ['{"pid": "a/1"}', "", "not json", '{"title": "without"}', '{"pid": "b", "colour": 1}']
    (tmp_path / "some.jsonl").write_text("\n".join(lines))
    done = run("catalogue", "import", tmp_path / "some.jsonl", "--catalogue", tmp_path / "c.sqlite")
    assert done.returncode == 1
    assert done.stdout == "1 registered, 3 failed\n"
    told = done.stderr.splitlines()
    assert told[0].startswith("line 3: Invalid JSON")
    assert told[1] == "line 4: pid: Field required"
    assert told[2].startswith("line 5: colour: ")
    done = run("catalogue", "import", tmp_path / "no.jsonl", "--catalogue", tmp_path / "c.sqlite")
    assert done.returncode == 1
    assert "no.jsonl': No such file" in done.stderr


def test_a_line_without_end_is_no_record(tmp_path: Path) -> None:
    store = CatalogueStore(tmp_path / "c.sqlite")
    lines = [f'{{"pid": "a", "title": "{"x" * MAX_LINE}"}}', '{"pid": "b"}']
    done = import_lines(store, lines)
    assert (done.registered, done.failed) == (1, 1)
    assert "longer than" in done.problems[0][1]
    assert len(list(export_lines(store))) == 1
    store.close()
