"""What a measurement lacks for its technique: one line for each field."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nearfield.catalogue.metadata import FileMetadata, read_file
from nearfield.catalogue.metadata.checking import check, document_of, schemas
from nearfield.datasets import ArrayInfo, Axis
from nearfield.techniques import label_of

NOW = datetime(2024, 5, 6, tzinfo=UTC)
SIGNAL = ArrayInfo(
    path="/d", shape=(2, 3), dtype="f8", signal=True, axes=(Axis(name="y"), Axis(name="x"))
)
GOOD: dict[str, Any] = {
    "format": "NeXus",
    "title": "t",
    "instrument": "i",
    "facility": "f",
    "sample": "s",
    "start_time": NOW,
    "arrays": (SIGNAL,),
    "scientific": {
        "e/mono/energy": {"value": 8.0, "unit": "keV"},
        "e/det/distance": {"value": 500, "unit": "mm"},
    },
}


def findings(**changes: Any) -> dict[str, str]:
    return {one.field: one.words for one in check(FileMetadata(**{**GOOD, **changes}))}


def quantities(**changes: Any) -> dict[str, Any]:
    return {**GOOD["scientific"], **changes}


@pytest.mark.parametrize(
    "technique",
    ["NXsas", "NXrefscan", "XRD", "EXAFS", "NXstxm", "NXtomo", "NXtofraw", "GISAXS", "nobody's"],
)
def test_a_whole_record_lacks_nothing(technique: str) -> None:
    assert findings(techniques=(technique,)) == {}


def test_what_every_measurement_says() -> None:
    assert findings(title=None, start_time=None, arrays=()) == {
        "title": "is missing: what people are shown",
        "start_time": "is missing: when the measurement began",
        "signal": "is missing: the array to look at first (NXdata signal)",
    }
    naive = datetime(2024, 5, 6)  # noqa: DTZ001
    assert findings(start_time=naive) == {"start_time": "'2024-05-06T00:00:00' has no time zone"}


@pytest.mark.parametrize(
    ("technique", "changes", "want"),
    [
        ("NXsas", {"scientific": {}}, {"quantities.distance", "quantities"}),
        ("NXsas", {"sample": None}, {"sample"}),
        (
            "NXsas",
            {"scientific": quantities(**{"e/det/distance": 5})},
            {"quantities.distance.unit"},
        ),
        (
            "saxs",
            {"scientific": quantities(**{"e/det/distance": {"value": 1, "unit": "kg"}})},
            {"quantities.distance.unit"},
        ),
        (
            "saxs",
            {"scientific": quantities(**{"e/det/distance": {"value": -1, "unit": "m"}})},
            {"quantities.distance.value"},
        ),
        (
            "saxs",
            {"scientific": quantities(**{"e/mono/energy": {"value": 1, "unit": "wobbles"}})},
            {"quantities.energy.unit"},
        ),
        ("EXAFS", {"arrays": (SIGNAL.model_copy(update={"axes": ()}),)}, {"signal.axes"}),
        (
            "NXstxm",
            {"arrays": (SIGNAL.model_copy(update={"axes": SIGNAL.axes[:1]}),)},
            {"signal.axes"},
        ),
        ("NXtofraw", {"facility": None}, {"facility"}),
        ("XRR", {"sample": None, "scientific": {}}, {"sample"}),
        ("nobody's", {"sample": None, "scientific": {}}, set()),
    ],
)
def test_what_a_technique_needs(technique: str, changes: dict[str, Any], want: set[str]) -> None:
    assert set(findings(techniques=(technique,), **changes)) == want


def test_the_words_are_for_people() -> None:
    said = findings(techniques=("NXsas",), scientific={})
    assert said["quantities"] == "is missing: energy or wavelength of the beam"
    assert said["quantities.distance"] == "is missing: distance from sample to detector"
    wrong = quantities(**{"e/det/distance": {"value": 1, "unit": "kg"}})
    said = findings(techniques=("saxs",), scientific=wrong)
    assert said["quantities.distance.unit"] == "'kg' is no unit of length"


def test_the_schemas_are_schemas_and_name_known_techniques() -> None:
    titles = [schema["title"] for schema in schemas()]
    assert len(titles) == len(set(titles)) == 8
    assert schemas()[0]["x-techniques"] == []
    for schema in schemas():
        Draft202012Validator.check_schema(schema)
        for label in schema["x-techniques"]:
            assert label_of(label) == label


def test_real_files(real_data: Path) -> None:
    """What a curator would have to ask the facilities."""
    lacks = {
        path.name: {one.field for one in check(read_file(str(path)))}
        for path in real_data.iterdir()
        if path.suffix in (".h5", ".hdf5", ".hdf")
    }
    assert lacks == {
        "nexus-example.hdf5": set(),
        "AgBehenate_228.hdf5": {"start_time", "quantities.distance.unit"},
        "Sample_Image_2021-03-16_095.hdf5": {"quantities"},
        "focus2007n001335.hdf": {"start_time"},
        "xrr_dataset.h5": {"start_time", "sample"},
        "example-femm-3d.h5": {"title", "instrument"},
    }


def test_other_names_of_quantities() -> None:
    said = {"e/d/detector_distance": {"value": 1, "unit": "m"}, "lambda": 5.0, "note": "text"}
    document = document_of(FileMetadata(format="x", scientific=said))
    assert document["quantities"] == {
        "distance": {"value": 1, "unit": "m"},
        "wavelength": {"value": 5.0},
    }


def test_the_command(
    real_data: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    file = real_data / "AgBehenate_228.hdf5"
    done = run("catalogue", "check", file)
    assert done.returncode == 1
    assert "quantities.distance.unit: is missing: the unit" in done.stdout
    assert "as read: start_time is there and says nothing" in done.stdout
    done = run("catalogue", "check", "--json", real_data / "nexus-example.hdf5")
    assert (done.returncode, json.loads(done.stdout)["findings"]) == (0, [])
    catalogue = tmp_path / "c.sqlite"
    run("catalogue", "scan", real_data, "--catalogue", catalogue)
    found = run("catalogue", "search", "AgBehenate", "--json", "--catalogue", catalogue)
    pid = json.loads(found.stdout)["datasets"][0]["pid"]
    done = run("catalogue", "check", "--json", pid, "--catalogue", catalogue)
    assert done.returncode == 1
    assert {one["field"] for one in json.loads(done.stdout)["findings"]} == {
        "start_time",
        "quantities.distance.unit",
    }
    done = run("catalogue", "check", tmp_path / "none.h5", "--catalogue", catalogue)
    assert (done.returncode, "no dataset" in done.stderr) == (1, True)
