"""The provenance record."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from nearfield.cli import run_command
from nearfield.datasets import RunId
from nearfield.errors import RunError
from nearfield.provenance.record import (
    Record,
    new_run_id,
    read_record,
    record_path,
    record_schema,
    write_record,
)

REPO = Path(__file__).resolve().parents[3]


def example(**changes: Any) -> Record:
    data: dict[str, Any] = {
        "run_id": new_run_id(),
        "status": "completed",
        "template": {
            "name": "t", "version": "1.0", "title": "T",
            "notebook_sha256": "0" * 64, "card_sha256": "1" * 64,
        },
        "inputs": [
            {
                "pid": "p-1", "title": "Ä", "techniques": ["NXsas"],
                "files": [
                    {"path": "/d/a.h5", "role": "root", "size": 3, "mtime": datetime.now(UTC)}
                ],
            }
        ],
        "parameters": {"roi": [1, 2], "text": "x", "none": None},
        "outputs": [
            {"path": "a.png", "size": 1, "sha256": "2" * 64, "media_type": "image/png"}
        ],
        "folder": "/run", "notebook": "t.ipynb", "started": datetime.now(UTC),
        "agent": "ada", "host": "node1", "nearfield": "0.1",
        "capture_layers": ["declared-inputs"], "completeness": "all of it",
    }  # fmt: skip
    return Record.model_validate(data | changes)


def write(folder: Path, record: Record) -> None:
    (folder / ".nearfield").mkdir()
    write_record(folder, record)


def test_round_trip(tmp_path: Path) -> None:
    record = example()
    write(tmp_path, record)
    assert read_record(tmp_path) == record


def test_record_is_valid_by_its_published_schema() -> None:
    Draft202012Validator(record_schema()).validate(json.loads(example().model_dump_json()))


def test_published_schema_is_in_sync() -> None:
    published = REPO / "docs/reference/provenance-record.schema.json"
    assert json.loads(published.read_text()) == record_schema(), (
        f"run: python -m nearfield.provenance.record > {published}"
    )


def test_every_field_is_described_in_the_reference() -> None:
    text = (REPO / "docs/reference/provenance-record.md").read_text()
    missing = [name for name in Record.model_fields if f"`{name}`" not in text]
    assert not missing


def test_run_ids_are_ids_sort_by_time_and_differ() -> None:
    times = [datetime(2026, 1, 2, 3, 4, 5, us, UTC) for us in (0, 1, 999_999)]
    made = [new_run_id(at) for at in times]
    assert made == sorted(made)
    assert len({new_run_id(times[0]) for _ in range(200)}) == 200
    for run_id in made:
        TypeAdapter(RunId).validate_python(run_id)
    assert re.fullmatch(r"20260102T030405000000Z-[0-9a-f]{10}", made[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not a run folder"),
        ("{", "not JSON"),
        ("[]", "its format is None"),
        ('{"format": "nearfield-record/2"}', "nearfield-record/2"),
        ('{"format": "nearfield-record/1"}', "run_id"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        record_path(tmp_path).parent.mkdir()
        record_path(tmp_path).write_text(content)
    with pytest.raises(RunError, match=words):
        read_record(tmp_path)


def test_what_the_template_took_where_it_was_left_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"array": "", "roi": None, "mask": "m"}
    taken = {"array": "/entry/data", "mask": "other"}
    write(tmp_path, example(parameters=asked, summary=taken))
    assert run_command(["provenance", "show", str(tmp_path)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "parameter" in line]
    assert [line.split(maxsplit=1)[1] for line in told] == [
        "array = '', taken: /entry/data", "roi = None", "mask = 'm'",
    ]  # fmt: skip
