"""What the readers make of real files, and of odd ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.catalogue import CatalogueStore, SqliteCatalogue, scan
from nearfield.catalogue.metadata import read_file, targets
from nearfield.catalogue.metadata import walk as walk_module
from nearfield.catalogue.metadata.values import number_of, text_of, time_of
from nearfield.config import Config
from nearfield.datasets import Dataset, Principal
from nearfield.querying import Query
from nearfield.querying.times import instant

ROOT = Principal(name="root", admin=True)


async def search(catalogue: SqliteCatalogue, text: str) -> dict[str, Dataset]:
    page = await catalogue.search(Query(text=text))
    return {d.files[0].path.rpartition("/")[2]: d for d in page.datasets}


class TestRealFiles:
    @pytest.fixture
    def catalogue(self, real_data: Path, store: CatalogueStore) -> SqliteCatalogue:
        report = scan(store, real_data, Config())
        assert (report.registered, report.failed, report.ignored) == (6, (), 1)
        return SqliteCatalogue(store, ROOT)

    async def test_reflectivity(self, catalogue: SqliteCatalogue) -> None:
        found = await search(catalogue, "reflectivity")
        assert list(found) == ["xrr_dataset.h5"]
        (d,) = found.values()
        assert d.title == "X-ray reflectivity"
        assert d.techniques == ("X-ray reflectivity",)
        assert (d.start_time, d.facility, d.sample) == (None, None, None)
        assert d.instrument == "ESRF, ID10b; SLS, MXX04; DESY, P08; lab source"
        assert d.size == 260_000
        assert d.arrays[0].signal
        assert (d.arrays[0].path, d.arrays[0].shape) == ("/DIP_1/experiment/data", (79, 52))
        assert d.scientific["DIP_1/metadata/Substrate_temperature"] == {"value": 303, "unit": "K"}
        assert d.scientific["PEN_2/metadata/Substrate_temperature"] == "LT"

    async def test_nxsas(self, catalogue: SqliteCatalogue) -> None:
        found = await search(catalogue, "NXsas")
        assert set(found) == {"nexus-example.hdf5", "AgBehenate_228.hdf5"}
        series, behenate = found["nexus-example.hdf5"], found["AgBehenate_228.hdf5"]
        assert series.title == "NeXus NXsas example"
        assert series.start_time == datetime(
            2016, 6, 23, 12, 2, 31, tzinfo=timezone(timedelta(hours=-6))
        )
        assert series.arrays[0].path == "/entry/data/frames"
        assert series.arrays[0].shape == (10, 195, 487)
        assert series.arrays[0].units == "counts"
        assert (behenate.title, behenate.techniques) == ("Glassy carbon C6 fixed", ("NXsas",))
        # Its times are there and empty: they say nothing.
        assert (behenate.start_time, behenate.end_time) == (None, None)
        assert (behenate.proposal, behenate.instrument) == ("GUP26110", "USAXS")
        assert (series.size, behenate.size) == (1_944_569, 436_820)

    async def test_vanadium(self, catalogue: SqliteCatalogue) -> None:
        found = await search(catalogue, "vanadium")
        assert list(found) == ["focus2007n001335.hdf"]
        (d,) = found.values()
        assert d.title == "vanadium at 6AA and 300K"
        assert d.techniques == ()
        # No zone in the file: none is invented.
        assert d.start_time == datetime(2007, 9, 3, 16, 16, 36)  # noqa: DTZ001
        assert (d.facility, d.instrument, d.sample) == ("SINQ", "FOCUS at SINQ", "vandi")
        assert (d.arrays[0].path, d.arrays[0].shape) == ("/entry1/bank1/counts", (150, 713))
        assert d.size == 1_025_567

    async def test_openpmd(self, catalogue: SqliteCatalogue) -> None:
        found = await search(catalogue, "openPMD")
        assert list(found) == ["example-femm-3d.h5"]
        (d,) = found.values()
        assert (d.title, d.techniques, d.format) == (None, ("openPMD",), "openPMD")
        assert d.start_time == datetime(
            2023, 5, 23, 15, 47, 17, tzinfo=timezone(timedelta(hours=-7))
        )
        assert (d.arrays[0].path, d.arrays[0].shape) == ("/data/1/meshes/B/x", (47, 47, 47))
        assert d.size == 3_561_320

    async def test_stxm(self, catalogue: SqliteCatalogue) -> None:
        found = await search(catalogue, "NXstxm")
        (d,) = found.values()
        assert (d.title, d.instrument) == ("Sample", "SLS PolLux X07DA")
        assert d.arrays[0].path == "/entry1/counter0/data"
        # A unit in Latin-1 under a UTF-8 tag, and one in UTF-8.
        assert d.sample is None


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Callable[[Any], None]], Any]:
    """Writes a file with the given function and reads it."""

    def make(write: Callable[[Any], None]) -> Any:
        with h5py.File(tmp_path / "made.h5", "w") as file:
            write(file)
        return read_file(str(tmp_path / "made.h5"))

    return make


Made = Callable[[Callable[[Any], None]], Any]


def entry_of(file: Any, name: str = "entry", **fields: Any) -> Any:
    entry = file.create_group(name)
    entry.attrs["NX_class"] = "NXentry"
    for key, value in fields.items():
        entry[key] = value
    return entry


def test_strings_of_every_kind(made: Made) -> None:
    def write(file: Any) -> None:
        entry = entry_of(
            file,
            title=np.array([b"in an array"]),
            start_time=np.bytes_(b"2020-01-02T03:04:05Z\0\0"),
            experiment_identifier=np.array(["variable"], dtype=h5py.string_dtype()),
            end_time="",
        )
        sample = entry.create_group("sample")
        sample.attrs["NX_class"] = np.bytes_(b"NXsample")
        latin = h5py.string_dtype("utf-8", 8)
        sample.create_dataset("name", data=np.array(b"caf\xe9", dtype=latin))
        entry.create_dataset("definition", data=h5py.Empty("S8"))

    found = made(write)
    assert (found.title, found.proposal, found.sample) == ("in an array", "variable", "café")
    assert found.start_time == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (found.end_time, found.techniques) == (None, ())
    assert found.warnings == ("end_time is there and says nothing",)


def test_an_entry_that_does_not_say_what_it_is(made: Made) -> None:
    def write(file: Any) -> None:
        scan = file.create_group("scan_1")
        scan["title"] = "Silver"
        scan["other/data"] = np.zeros(3)
        data = scan.create_group("measured")
        data.attrs["NX_class"] = "NXdata"
        data.attrs["signal"] = "counts"
        data["counts"] = np.zeros((4, 5))

    found = made(write)
    assert (found.format, found.title) == ("NeXus", "Silver")
    assert [one.path for one in found.arrays if one.signal] == ["/scan_1/measured/counts"]


def test_odd_attributes_and_types_are_passed_over(made: Made) -> None:
    def write(file: Any) -> None:
        entry = entry_of(file, title=5, start_time="yesterday")
        entry.attrs["default"] = np.array([[1.5, 2.5]])
        data = entry.create_group("data")
        data.attrs["NX_class"] = np.array(["NXdata"], dtype=object)
        data.attrs["signal"] = np.longdouble(1)
        data["data"] = np.zeros((2, 3), dtype="f2")
        data["data"].attrs["units"] = np.longdouble(2)
        data["compound"] = np.zeros(3, dtype=[("a", "f4"), ("b", "S3")])
        data["bools"] = np.array([True, False])
        data["complex"] = np.zeros(4, dtype="c16")
        data["refs"] = np.array([entry.ref, entry.ref], dtype=h5py.ref_dtype)
        data["text"] = np.array([b"a", b"b"])
        collection = entry.create_group("c")
        collection.attrs["NX_class"] = "NXcollection"
        collection["nan"] = np.nan
        collection["inf"] = np.inf
        collection["big"] = np.uint64(2**64 - 1)
        collection["long"] = np.longdouble(1.5)
        collection["complex"] = 1j
        file["named"] = np.dtype("f8")

    found = made(write)
    assert found.title is None
    assert found.warnings == ("start_time 'yesterday' is not a time that can be understood",)
    assert found.problems == ()
    assert found.arrays[0].path == "/entry/data/data"
    assert found.arrays[0].signal
    assert {a.path.rpartition("/")[2] for a in found.arrays} >= {"data", "bools", "complex"}
    assert found.scientific == {"entry/c/big": float(2**64 - 1), "entry/c/long": 1.5}
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_several_entries(made: Made) -> None:
    def write(file: Any) -> None:
        file.attrs["default"] = "second"
        entry_of(file, "first", title="A", definition="NXsas", start_time="2020-01-02T00:00:00")
        entry_of(file, "second", title="B", definition="NXsas", start_time="2020-01-01T00:00:00Z")
        entry_of(file, "third", title="A", definition="NXxas")

    found = made(write)
    assert found.title == "B; A"
    assert found.techniques == ("NXsas", "NXxas")
    assert found.start_time == datetime(2020, 1, 1, tzinfo=UTC)


def test_titles_of_plots_are_techniques_only_if_they_name_one(made: Made) -> None:
    def write(file: Any) -> None:
        for name, title in (("a", "Powder diffraction"), ("b", "Run 17 of the night")):
            data = entry_of(file, name).create_group("data")
            data.attrs["NX_class"] = "NXdata"
            data.attrs["title"] = title

    found = made(write)
    assert found.techniques == ("Powder diffraction",)
    assert found.title == "Powder diffraction; Run 17 of the night"


def test_each_object_once_and_cycles_end(made: Made) -> None:
    def write(file: Any) -> None:
        entry = entry_of(file)
        entry["x"] = np.zeros(4)
        entry["again"] = entry["x"]
        entry["self"] = entry
        entry["up"] = file["/"]
        entry["soft"] = h5py.SoftLink("/entry")
        entry["nowhere"] = h5py.SoftLink("/nope")

    assert [array.path for array in made(write).arrays] in (["/entry/x"], ["/entry/again"])


def test_huge_files_are_cut_and_say_so(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "MAX_OBJECTS", 60)
    monkeypatch.setattr(walk_module, "MAX_ARRAYS", 10)

    def write(file: Any) -> None:
        for number in range(5):
            entry = entry_of(file, f"e{number}", title=f"t{number}")
            for i in range(30):
                entry[f"d{i:02d}"] = np.zeros(2)

    found = made(write)
    assert len(found.arrays) == 10
    assert any("60 objects" in problem for problem in found.problems)
    # Breadth first: the cut costs detail, not entries.
    assert found.title == "t0; t1; t2; t3; t4"


def test_very_many_links_are_cut_and_say_so(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "MAX_LINKS", 5)

    def write(file: Any) -> None:
        for number in range(9):
            file[f"l{number}"] = h5py.ExternalLink(f"f{number}.h5", "/")

    found = made(write)
    assert len(found.links) == 5
    assert len(found.problems) == 1


def test_plain_hdf5(made: Made) -> None:
    def write(file: Any) -> None:
        file.attrs["title"] = "plain"
        file["a/b"] = np.zeros((3, 4))
        file.create_dataset("growing", (0, 5), "f4", maxshape=(None, 5))

    found = made(write)
    assert (found.format, found.title) == ("HDF5", "plain")
    assert {a.path: a.shape for a in found.arrays} == {"/a/b": (3, 4), "/growing": (0, 5)}


def test_an_openpmd_extension_and_a_bad_date(made: Made) -> None:
    def write(file: Any) -> None:
        file.attrs["openPMD"] = "1.1.0"
        file.attrs["openPMDextension"] = np.uint32(1)
        file.attrs["date"] = "some day"

    found = made(write)
    assert found.techniques == ("openPMD", "ED-PIC")
    assert found.arrays == ()
    assert "some day" in found.warnings[0]


def test_what_links_lead_to(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/b"] = 1
        file["a/d"] = np.zeros((2, 3))
        file["soft"] = h5py.SoftLink("/a")
        file["loop"] = h5py.SoftLink("/loop/x")
        file["out"] = h5py.ExternalLink("gone.h5", "/x")
    names = ["/a/b", "a/./b", "/a/c", "soft/d", "/out/deep", "/", "/a/b/c", "loop"]
    found = targets(str(path), names)
    assert {name: target and target.path for name, target in found.items()} == {
        "/a/b": "/a/b",
        "a/./b": "/a/b",
        "/a/c": None,
        "soft/d": "/a/d",
        "/out/deep": "/out/deep",
        "/": "/",
        "/a/b/c": None,
        "loop": None,
    }
    assert (array := found["soft/d"]) is not None
    assert array.array is not None
    assert array.array.shape == (2, 3)


@given(st.one_of(st.binary(max_size=50), st.text(max_size=50), st.none(), st.integers()))
def test_any_value_is_a_text_or_none(value: Any) -> None:
    found = text_of(value)
    assert found is None or (found and found.encode("utf-8"))


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = time_of(text)
    assert found is None or isinstance(found, datetime)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2007-09-03 16:16:36", None),
        ("2023-05-23 15:47:17 -0700", -7 * 3600),
        ("2021-03-16T15:06:05+01:00", 3600),
        ("2020-01-02T03:04:05.123456789Z", 0),
    ],
)
def test_times_keep_what_they_say(text: str, zone: int | None) -> None:
    found = time_of(text)
    assert found is not None
    offset = found.utcoffset()
    assert (None if offset is None else offset.total_seconds()) == zone


def test_extreme_times_can_be_ordered() -> None:
    assert instant(datetime.min) < 0 < instant(datetime.max)  # noqa: DTZ901
    zone = timezone(timedelta(hours=14))
    assert instant(datetime.min.replace(tzinfo=zone)) < instant(datetime.min.replace(tzinfo=UTC))


def test_numbers() -> None:
    assert number_of(np.float32(2)) == 2.0
    assert number_of(np.array([3])) == 3
    assert number_of(np.array([1, 2])) is None
    assert number_of(b"x") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T03:04:05GMT", "2024-01-02T03:04:05+00:00"),
        ("2024/01/02 03:04:05.5", "2024-01-02T03:04:05.500000"),
        ("2024/01/02", "2024-01-02T00:00:00"),
        ("Tue Jan  2 03:04:05 2024", "2024-01-02T03:04:05"),
        # What could be read in two ways, or names a zone that means two, is no time.
        ("02/01/2024 03:04:05", None),
        ("Tue Foo  2 03:04:05 2024", None),
        ("Tue Jan 32 03:04:05 2024", None),
        ("2024-01-02 03:04:05 CST", None),
        ("UTC", None),
    ],
)
def test_times_as_control_systems_write_them(text: str, said: str | None) -> None:
    found = time_of(text)
    assert (None if found is None else found.isoformat()) == said
