"""A million records as a large facility's catalogue has them, the same for every run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from nearfield.datasets import Access, DataFile, Dataset, Principal

START = datetime(2012, 1, 1, tzinfo=UTC)
PROPOSALS = 6000
# Common words first: a few are in most titles, most are in few, as in written language.
MATERIALS = [
    "silicon",
    "copper",
    "perovskite",
    "lysozyme",
    "graphene",
    "polystyrene",
    "cellulose",
    "magnetite",
    "zeolite",
    "titania",
    "nickel",
    "pentacene",
    "myoglobin",
    "collagen",
    "vanadium",
    "silver behenate",
    "lanthanum hexaboride",
    "water",
    "hydroxyapatite",
    "glassy carbon",
    "empty capillary",
]
ADJECTIVES = [
    "thin",
    "annealed",
    "frozen",
    "strained",
    "nanoporous",
    "liquid",
    "amorphous",
    "doped",
]
THINGS = ["film", "powder", "crystal", "solution", "fibre", "foil", "membrane", "nanoparticles"]
DOINGS = [
    "tomography",
    "mapping",
    "alignment",
    "temperature series",
    "background",
    "overview scan",
]
_TECHNIQUES: tuple[tuple[str, ...], ...] = (
    ("NXsas",),
    ("X-ray diffraction",),
    ("NXtomo",),
    ("NXxas",),
    ("NXrefscan", "X-ray reflectivity"),
    ("NXmx",),
    ("X-ray fluorescence",),
    ("ptychography",),
    ("SAXS", "WAXS"),
    (),
)


def records(count: int, seed: int = 1) -> Iterator[Dataset]:
    """So many, the oldest first, a hundredth of them results."""
    some = random.Random(seed)  # noqa: S311 - no secret, the same every time
    step = timedelta(days=365 * 14) / count
    known = names()
    for number in range(count):
        yield _record(some, number, START + step * number, known)


def names() -> list[str]:
    """Of samples; the first ones are measured most often."""
    some = random.Random(3)  # noqa: S311 - no secret, the same every time
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in "aeiou"]
    return ["".join(some.choices(syllables, k=3)) for _ in range(20_000)]


def _record(some: random.Random, number: int, time: datetime, names: list[str]) -> Dataset:
    beamline = min(int(some.expovariate(0.08)), 59)
    proposal = some.randrange(PROPOSALS)
    # The square favours the first ones.
    sample = names[int(len(names) * some.random() ** 2)]
    title = (
        f"{some.choice(ADJECTIVES)} {some.choice(MATERIALS)} {some.choice(THINGS)} {sample}"
        f" {some.choice(DOINGS)} at {some.randrange(4, 400)} K"
    )
    folder = f"/data/{time.year}/P-{proposal:05d}/raw"
    path = f"{folder}/{sample}_{number:07d}.nxs"
    derived = number % 100 == 99
    return Dataset(
        pid=f"20.500.12345/{number:08d}-{sample}",
        type="derived" if derived else "raw",
        title=title if number % 10 else f"scan {number}",
        techniques=_TECHNIQUES[beamline % len(_TECHNIQUES)],
        format="NeXus" if beamline % 7 else "HDF5",
        instrument=f"BL-{beamline:02d}",
        facility=f"Source {'ABC'[beamline % 3]}",
        sample=sample,
        proposal=f"P-{proposal:05d}",
        start_time=time,
        created=time if derived else None,
        keywords=("calibration",) if number % 50 == 0 else (),
        storage="gpfs" if time.year > 2020 else "tape",
        availability="online" if time.year > 2020 else "tape",
        source_folder=folder,
        size=some.randrange(10**6, 10**10),
        files=(DataFile(path=path, size=1000, mtime=time),),
        scientific={
            "entry/instrument/energy": {"value": round(some.uniform(5, 30), 3), "unit": "keV"},
            "entry/sample/temperature": {"value": some.randrange(4, 400), "unit": "K"},
        },
        access=_access(some, number, proposal, time),
        run_id=f"run-{number:08d}" if derived else None,
    )


def _access(some: random.Random, number: int, proposal: int, time: datetime) -> Access:
    """Old data is public, the last three years belong to their proposals."""
    owner, group = f"user{proposal % 2500}", f"P-{proposal:05d}"
    if time.year < 2021 or number % 4 == 0:
        return Access(owner=owner, owner_group=group, public=True)
    if time.year < 2023:
        until = datetime(time.year + 10, 1, 1, tzinfo=UTC)
        return Access(owner=owner, owner_group=group, public=True, embargo_until=until)
    return Access(owner=owner, owner_group=group)


ANYBODY = Principal(name="")
MEMBER = Principal(name="user77", groups=frozenset(f"P-{n:05d}" for n in range(77, 6000, 250)))
STAFF = Principal(name="root", admin=True)
