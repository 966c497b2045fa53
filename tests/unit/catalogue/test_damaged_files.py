"""Real files with bytes changed at random: what is damaged costs itself, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import ScanReport
from nearfield.datasets import Dataset
from nearfield.testing.synthetic import make_linked

FILES = (
    "xrr_dataset.h5",
    "AgBehenate_228.hdf5",
    "Sample_Image_2021-03-16_095.hdf5",
    "focus2007n001335.hdf",
)
# Where these files keep their groups and attributes: damage in the frames shows nothing.
METADATA_BYTES = 200_000


def damage(whole: bytes, chance: random.Random) -> bytes:
    raw = bytearray(whole)
    for _ in range(chance.choice([1, 5, 50, 500])):
        end = METADATA_BYTES if chance.random() < 0.7 else len(raw)
        raw[chance.randrange(min(end, len(raw)))] = chance.randrange(256)
    return bytes(raw)


@pytest.mark.parametrize("seed", range(4))
def test_the_scan_goes_on(
    real_data: Path,
    folder: Path,
    rescan: Callable[..., ScanReport],
    datasets: Callable[[], list[Dataset]],
    seed: int,
) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same damage in every run
    for number in range(12):
        name = chance.choice(FILES)
        (folder / f"{number:02d}-{name}").write_bytes(
            damage((real_data / name).read_bytes(), chance)
        )
    good = make_linked(folder / "good.h5", title="whole")
    report = rescan(workers=1)
    names = {Path(failure.path).name for failure in report.failed}
    registered = {Path(dataset.files[0].path).name for dataset in datasets()}
    # Each is registered, or said to have failed, or both where only a part could not be read.
    assert names | registered == {path.name for path in folder.iterdir()}
    assert good.name in registered - names
    # HDF5's errors and Python's are told in one line, and none is a fault of the readers.
    for failure in report.failed:
        assert "\n" not in failure.reason
        assert "object has no attribute" not in failure.reason
    again = rescan(workers=1)
    assert (again.unchanged, again.failed) == (len(registered), report.failed)
