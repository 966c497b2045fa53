"""Every file of ``../shared/data``, scanned: what a person would say of it, to the letter."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue, scan
from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.querying import Query

PANET = "http://purl.org/pan-science/PaNET/PaNET"


class Expected(NamedTuple):
    title: str | None
    start: datetime | None
    end: datetime | None
    techniques: tuple[str, ...]
    ids: tuple[str, ...]
    signal: str
    shape: tuple[int, ...]
    units: str | None
    axes: tuple[tuple[str, str | None, str | None], ...]
    """Name, units and path of each dimension's axis."""
    warnings: tuple[str, ...] = ()


def at(*time: int, hours: int | None = None) -> datetime:
    zone = None if hours is None else timezone(timedelta(hours=hours))
    year, month, day, hour, minute, second = time
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


FILES = {
    "xrr_dataset.h5": Expected(
        title="X-ray reflectivity",
        start=None,
        end=None,
        techniques=("X-ray reflectivity",),
        ids=(f"{PANET}01149",),
        signal="/DIP_1/experiment/data",
        shape=(79, 52),
        units=None,
        axes=(
            ("scan", None, "/DIP_1/experiment/scan"),
            ("q", "1/Ang", "/DIP_1/experiment/q"),
        ),
    ),
    "nexus-example.hdf5": Expected(
        title="NeXus NXsas example",
        start=at(2016, 6, 23, 12, 2, 31, hours=-6),
        end=at(2016, 6, 23, 16, 0, 20, hours=-6),
        techniques=("NXsas",),
        ids=(f"{PANET}01188",),  # small angle X-ray scattering: its source's probe is x-ray
        signal="/entry/data/frames",
        shape=(10, 195, 487),
        units="counts",
        axes=(
            ("sample_times", "minutes", "/entry/data/sample_times"),
            ("vertical", "pixels", "/entry/data/vertical"),
            ("horizontal", "pixels", "/entry/data/horizontal"),
        ),
    ),
    "AgBehenate_228.hdf5": Expected(
        # The file's own word, although its name says silver behenate.
        title="Glassy carbon C6 fixed",
        start=None,
        end=None,
        techniques=("NXsas",),
        ids=(f"{PANET}01188",),
        signal="/entry/data/data",
        shape=(195, 487),
        units=None,
        axes=(),
        warnings=("start_time is there and says nothing", "end_time is there and says nothing"),
    ),
    "Sample_Image_2021-03-16_095.hdf5": Expected(
        title="Sample",
        start=at(2021, 3, 16, 15, 6, 5, hours=1),
        end=at(2021, 3, 16, 15, 6, 48, hours=1),
        techniques=("NXstxm",),
        ids=(f"{PANET}01219",),
        signal="/entry1/counter0/data",
        shape=(50, 50),
        units=None,  # the file says " "
        axes=(
            ("sample_y", "μm", "/entry1/counter0/sample_y"),
            ("sample_x", "μm", "/entry1/counter0/sample_x"),
        ),
    ),
    "focus2007n001335.hdf": Expected(
        title="vanadium at 6AA and 300K",
        start=at(2007, 9, 3, 16, 16, 36),
        end=at(2007, 9, 3, 20, 44, 13),
        techniques=(),  # the file names none
        ids=(),
        signal="/entry1/bank1/counts",
        shape=(150, 713),
        units=None,
        axes=(
            ("theta", "degree", "/entry1/bank1/theta"),
            ("time_binning", "us", "/entry1/bank1/time_binning"),
        ),
    ),
    "example-femm-3d.h5": Expected(
        title=None,
        start=at(2023, 5, 23, 15, 47, 17, hours=-7),
        end=None,
        techniques=("openPMD",),
        ids=(),
        signal="/data/1/meshes/B/x",
        shape=(47, 47, 47),
        units="T",
        axes=(("x", "m", None), ("y", "m", None), ("z", "m", None)),
    ),
}


@pytest.fixture
def catalogue(real_data: Path, store: CatalogueStore) -> SqliteCatalogue:
    report = scan(store, real_data, Config())
    assert (report.registered, report.failed) == (len(FILES), ())
    return SqliteCatalogue(store, Principal(name="root", admin=True))


async def test_there_are_no_others(catalogue: SqliteCatalogue) -> None:
    page = await catalogue.search(Query())
    assert {d.files[0].path.rpartition("/")[2] for d in page.datasets} == set(FILES)


@pytest.mark.parametrize("name", FILES)
async def test_a_file(catalogue: SqliteCatalogue, name: str) -> None:
    page = await catalogue.search(Query())
    (found,) = [d for d in page.datasets if d.files[0].path.endswith(f"/{name}")]
    signal = next(array for array in found.arrays if array.signal)
    have = Expected(
        found.title,
        found.start_time,
        found.end_time,
        found.techniques,
        found.technique_ids,
        signal.path,
        signal.shape,
        signal.units,
        tuple((axis.name, axis.units, axis.path) for axis in signal.axes if axis),
        found.warnings,
    )
    want = FILES[name]
    assert have == want
    # Equal instants may differ in what they say: the zone is the file's.
    for one, other in ((have.start, want.start), (have.end, want.end)):
        assert (one and one.utcoffset()) == (other and other.utcoffset())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nexus-example.hdf5", {"value": 20.9999615757169, "unit": "keV"}),
        ("focus2007n001335.hdf", {"value": 2.2721619606018066, "unit": "meV"}),
    ],
)
async def test_a_quantity_with_its_unit(
    catalogue: SqliteCatalogue, name: str, value: dict[str, Any]
) -> None:
    page = await catalogue.search(Query())
    (found,) = [d for d in page.datasets if d.files[0].path.endswith(f"/{name}")]
    (energy,) = [v for k, v in found.scientific.items() if k.endswith("monochromator/energy")]
    assert energy == value
