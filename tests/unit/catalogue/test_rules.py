"""Facility rules: fields of files and of the lab book's records become catalogue fields."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.catalogue import ScanReport
from nearfield.catalogue._rules import pointed
from nearfield.config import CatalogueConfig, Config, load_rules, parse_yaml
from nearfield.config.rules import Rules
from nearfield.datasets import Dataset
from nearfield.errors import ConfigError

RULES = """\
rules:
- name: P08
  match: {path: "*/p08/*.h5", format: hdf5}
  file:
    title: [/nowhere, /info/name]
    sample: /info@sample
    start_time: /info/begun
    scientific.temperature: /info/T
    keywords: /info/tags
  record:
    file: "{stem}.eln.json"
    fields:
      proposal: /proposal/number
      sample: /samples/0/name
      creators: /people
      scientific.thickness: /samples/0/thickness
  set:
    facility: DESY
    techniques: [XRR]
"""
Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]


Ruled = Callable[..., tuple[ScanReport, Dataset]]


@pytest.fixture
def ruled(tmp_path: Path, rescan: Rescan, datasets: Datasets) -> Ruled:
    """Scans with these rules: the report and the one dataset."""

    def make(text: str | None, **options: Any) -> tuple[ScanReport, Dataset]:
        path = tmp_path / "rules.yaml"
        if text is not None:
            path.write_text(text)
        config = Config(catalogue=CatalogueConfig(rules=path if text is not None else None))
        report = rescan(config=config, **options)
        (found,) = datasets()
        return report, found

    return make


@pytest.fixture
def data(folder: Path) -> Path:
    (folder / "p08").mkdir()
    path = folder / "p08/scan.h5"
    with h5py.File(path, "w") as file:
        file["info/name"] = "a film"
        file["info"].attrs["sample"] = np.bytes_(b"S-1")
        file["info/begun"] = "2024-05-06T07:08:09"
        file["info/T"] = 300.0
        file["info/T"].attrs["units"] = "K"
        file["info/tags"] = ["a", "b"]
    return path


def test_all_of_it(ruled: Ruled, data: Path) -> None:
    (data.parent / "scan.eln.json").write_text(
        json.dumps(
            {
                "proposal": {"number": 20240001},
                "samples": [{"name": "S-2", "thickness": {"value": 20, "unit": "nm"}}],
                "people": ["A. Person", "B. Person"],
            }
        )
    )
    _, found = ruled(RULES)
    assert (found.title, found.sample, found.proposal) == ("a film", "S-2", "20240001")
    assert (found.facility, found.techniques) == ("DESY", ("XRR",))
    assert found.technique_ids == ("http://purl.org/pan-science/PaNET/PaNET01149",)
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001
    assert found.keywords == ("a", "b")
    assert found.creators == ("A. Person", "B. Person")
    assert found.scientific == {
        "temperature": {"value": 300.0, "unit": "K"},
        "thickness": {"value": 20, "unit": "nm"},
    }


@pytest.mark.parametrize("workers", [0, 1])
def test_without_a_record_and_again(
    ruled: Ruled, data: Path, opens: list[str], workers: int
) -> None:
    _, found = ruled(RULES, workers=workers)
    assert (found.sample, found.proposal) == ("S-1", None)
    opens.clear()
    assert ruled(RULES, workers=workers)[0].unchanged == 1
    assert opens == []
    # A record that comes later is taken, without opening the data again.
    (data.parent / "scan.eln.json").write_text('{"samples": [{"name": "S-3"}]}')
    report, found = ruled(RULES, workers=workers)
    assert (report.updated, opens, found.sample) == (1, [], "S-3")
    # Other rules: what they ask for is read, what no rule says any more is gone.
    other = RULES.replace("[/nowhere, /info/name]", "/info/begun").replace("XRR", "NR")
    report, found = ruled(other, workers=workers)
    assert (report.updated, found.title) == (1, "2024-05-06T07:08:09")
    assert found.techniques == ("NR",)
    report, found = ruled(None, workers=workers)
    assert (report.updated, found.title, found.techniques) == (1, None, ())


def test_nothing_comes_from_other_files(ruled: Ruled, data: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = "secret"
    with h5py.File(data, "r+") as file:
        file["out"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
    _, found = ruled("rules: [{name: r, file: {sample: /out, title: /out@x}}]")
    assert (found.sample, found.title) == (None, None)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("{path: '*/p09/*'}", False),
        ("{path: ['*/p09/*', '*/p08/*']}", True),
        ("{format: NeXus}", False),
        ("{format: [NeXus, HDF5]}", True),
        ("{instrument: P0*}", False),
        ("{}", True),
    ],
)
def test_what_a_rule_is_for(ruled: Ruled, data: Path, match: str, fits: bool) -> None:
    _, found = ruled(f"rules: [{{name: r, match: {match}, set: {{facility: DESY}}}}]")
    assert found.facility == ("DESY" if fits else None)


def test_a_rule_fills_in_and_does_not_overrule(ruled: Ruled, data: Path) -> None:
    with h5py.File(data, "r+") as file:
        file.attrs["title"] = "its own"
    _, found = ruled("rules: [{name: r, set: {title: other, sample: s}}]")
    assert (found.title, found.sample) == ("its own", "s")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1: not valid JSON"),
        ('{"sample": {"deep": 1}}', "sample: \"{'deep': 1}\" is not what it takes"),
        ('{"sample": [1, {}]}', "is not what it takes"),
        ('{"when": "yesterday"}', "start_time: 'yesterday' is not what it takes"),
        ('{"T": {"value": "hot"}}', "scientific.T"),
        ("[" * 100_000, "cannot be read"),
        (" " * 1_000_001, "not a small file"),
    ],
)
def test_a_record_that_does_not_fit(ruled: Ruled, data: Path, content: str, said: str) -> None:
    (data.parent / "eln.json").write_text(content)
    rules: dict[str, Any] = {
        "name": "r",
        "record": {
            "file": "eln.json",
            "fields": {"sample": "/sample", "start_time": "/when", "scientific.T": "/T"},
        },
    }
    report, found = ruled(json.dumps({"rules": [rules]}))
    assert report.failed == ()
    (warning,) = found.warnings
    assert warning.startswith("rule 'r'")
    assert said in warning


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_record_is_a_file_of_its_own(ruled: Ruled, data: Path, tmp_path: Path, kind: str) -> None:
    """The scan may read more than who puts a link beside the data."""
    record = data.parent / "eln.json"
    if kind == "link":
        (tmp_path / "private.json").write_text('{"a": "a secret"}')
        record.symlink_to(tmp_path / "private.json")
    else:
        os.mkfifo(record)
    _, found = ruled("rules: [{name: r, record: {file: eln.json, fields: {sample: /a}}}]")
    assert "a secret" not in found.model_dump_json()
    assert found.warnings == ("rule 'r': eln.json: not a small file on disk",)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(
            ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
        ),
        "a39: &a39 [*a39]",
        "a39: &a [1, {<<: *a}]",
    ],
)
def test_a_yaml_record_stands_for_no_more_than_it_is(ruled: Ruled, data: Path, text: str) -> None:
    (data.parent / "eln.yaml").write_text(text)
    _, found = ruled("rules: [{name: r, record: {file: eln.yaml, fields: {sample: /a39}}}]")
    assert any("not valid YAML" in warning for warning in found.warnings)


def test_a_yaml_record_runs_nothing(ruled: Ruled, data: Path) -> None:
    (data.parent / "eln.yaml").write_text("a: !!python/object/apply:os.getcwd []")
    _, found = ruled("rules: [{name: r, record: {file: eln.yaml, fields: {sample: /a}}}]")
    assert any("not valid YAML" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n- name: r\n  set: {colour: red}", "line 2, rules.0: set: no catalogue field"),
        ("rules:\n- name: r\n  file:\n    sample: entry/x", "line 4, rules.0.file.sample"),
        (
            "rules:\n- name: r\n  mach: {}",
            "rules.0.mach: unknown key; did you mean 'match'",
        ),
        ("rules:\n- nam: r", "line 2"),
        (
            "rules:\n- name: r\n  record: {file: ../x.json, fields: {}}",
            "line 3, rules.0.record",
        ),
        ("rules:\n- name: r\n  record: {file: x.py, fields: {}}", "rules.0.record.file"),
        ("rules:\n- name: r\n  set: {start_time: 2024}", "rules.0.set.start_time"),
        ("rules: [", "not valid YAML"),
        ("- a", "must be a mapping"),
        ("rules:\n- name: a\n  name: b", "line 3: key 'name' is there twice"),
    ],
)
def test_errors_name_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_yaml(Rules, text, "rules.yaml")
    assert str(error.value).startswith("rules.yaml")
    assert said in str(error.value)


def test_a_file_of_rules_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_rules(tmp_path / "none.yaml")
    assert load_rules(None).rules == ()


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a/0/b~1c", 1), ("/a/1", None), ("/a/x", None), ("/d~0", 2), ("/a/0/b~1c/e", None)],
)
def test_json_pointers(pointer: str, value: Any) -> None:
    assert pointed({"a": [{"b/c": 1}], "d~": 2}, pointer) == value
