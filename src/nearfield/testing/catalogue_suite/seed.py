"""The datasets that the suite asks for, the people who ask, and a result to register."""

from __future__ import annotations

from datetime import UTC, datetime

from nearfield.datasets import Access, DataFile, Dataset, DerivedDataset, Principal
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

ALICE = Principal(name="alice", groups=frozenset({"chemists"}))
BOB = Principal(name="bob", groups=frozenset({"physicists", "guests"}))
ADMIN = Principal(name="root", admin=True)
STRANGER = Principal(name="eve", groups=frozenset({"visitors"}))
ANONYMOUS = Principal(name="")

# An identifier that no vocabulary has: found as it is written.
TECHNIQUE_ID = "http://purl.org/pan-science/PaNET/PaNET99999"

PUBLIC = synthetic_dataset(
    1,
    pid="public-1",
    title="Silver behenate, calibration",
    techniques=("NXsas",),
    instrument="SAXS-1",
    facility="Müller-Straße Source",
    proposal="P-0001",
    storage="gpfs",
    availability="online",
    creators=("Carol Example",),
    scientific={
        "energy": {"value": 8.0, "unit": "keV"},
        "entry/sample/temperature": {"value": 300.0, "unit": "K"},
    },
    access=Access(owner="carol", public=True),
)
ALICES = synthetic_dataset(
    2,
    pid="alice-2",
    title="X-ray reflectivity of a thin film",
    techniques=("X-ray reflectivity", "NXrefscan"),
    technique_ids=(TECHNIQUE_ID,),
    instrument="P08",
    sample="pentacene",
    proposal="P-1234",
    storage="archive",
    availability="tape",
    scientific={"energy": {"value": 12400, "unit": "eV"}, "state": "Annealed"},
    access=Access(owner="alice"),
)
CHEMISTS = synthetic_dataset(
    3,
    pid="20.500/chem/3",
    title='odd "words": AND OR NOT near(*) -x',
    techniques=("NXsas",),
    instrument="SAXS-1",
    keywords=("Calibration",),
    scientific={"energy": {"value": 9.5, "unit": "keV"}, "exposure": 0.5},
    access=Access(owner="dora", owner_group="chemists"),
)
GUESTS = synthetic_dataset(
    4,
    pid="guests-4",
    title=None,
    description="a field of a dipole",
    format="openPMD",
    instrument=None,
    keywords=("magnet",),
    start_time=None,
    # The same name, another dimension.
    scientific={"energy": {"value": 9000.0, "unit": "mm"}},
    access=Access(owner="dora", owner_group="dorasgroup", access_groups=("guests", "chemists")),
)
BOBS = synthetic_dataset(
    5,
    pid="bob-5/files",
    title="vanadium at 300 K",
    proposal="P-1234",
    # A time without a zone, as old files have it.
    start_time=datetime(2024, 1, 6, 12),  # noqa: DTZ001
    access=Access(owner="bob", owner_group="physicists"),
)
# A source without embargoes holds this one as not public, and the next as public.
EMBARGOED = synthetic_dataset(
    9,
    pid="embargoed-9",
    title="tungsten, not for everybody yet",
    access=Access(
        owner="carol",
        owner_group="physicists",
        public=True,
        embargo_until=datetime(2999, 1, 1, tzinfo=UTC),
    ),
)
LAPSED = synthetic_dataset(
    -30,
    pid="lapsed-30",
    title="iridium, for everybody by now",
    access=Access(
        owner="carol",
        owner_group="physicists",
        public=True,
        embargo_until=datetime(2024, 6, 1),  # noqa: DTZ001
    ),
)
SEED: tuple[Dataset, ...] = (PUBLIC, ALICES, CHEMISTS, GUESTS, BOBS, EMBARGOED, LAPSED)

SEEN_BY: dict[str, tuple[Dataset, ...]] = {
    "alice": (PUBLIC, ALICES, CHEMISTS, GUESTS, LAPSED),
    "bob": (PUBLIC, GUESTS, BOBS, EMBARGOED, LAPSED),
    "admin": SEED,
    "stranger": (PUBLIC, LAPSED),
    "anonymous": (PUBLIC, LAPSED),
}
"""Who sees what: owner, owner group, access group, public, embargoed, no longer embargoed."""
PEOPLE = {
    "alice": ALICE,
    "bob": BOB,
    "admin": ADMIN,
    "stranger": STRANGER,
    "anonymous": ANONYMOUS,
}

WRONG_PATHS = ("", "r/x", "./x", "../x", "/r/../x", "/r/./x", "/r//x", "//r/x", "/r/", "/r/x\0y")


def result_file(path: str) -> DataFile:
    return DataFile(path=path, size=1, mtime=DAY_ONE, role="result")


def a_result(run_id: str = "run-00000001", **fields: object) -> DerivedDataset:
    """A result of alice's dataset."""
    values: dict[str, object] = {
        "run_id": run_id,
        "title": "layer thickness",
        "input_datasets": (ALICES.pid,),
        "source_folder": "/home/alice/results",
        "files": (
            DataFile(
                path="/home/alice/results/out.h5",
                size=12,
                mtime=DAY_ONE,
                sha256="0" * 64,
                role="result",
            ),
        ),
        "used_software": ("nearfield",),
        "job_parameters": {"q_max": 0.15, "nested": {"list": [1, "é", None]}},
    }
    return DerivedDataset.model_validate({**values, **fields})
