"""The PaNOSC search API over a store of public and other records."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.datasets import Access, DataFile
from nearfield.testing.catalogue_contract import ALICES, BOBS, CHEMISTS, GUESTS, PUBLIC
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

SAXS = "http://purl.org/pan-science/PaNET/PaNET01188"
Get = Callable[..., Awaitable[Any]]

COPPER = synthetic_dataset(
    10,
    pid="20.500/copper",
    title="Copper foil, edge scan",
    techniques=("small angle x-ray scattering",),
    technique_ids=(SAXS,),
    instrument="ID10",
    facility="Example Source",
    sample="Copper foil",
    proposal="P-77",
    scientific={
        "entry/instrument/monochromator/energy": {"value": 8.98, "unit": "keV"},
        "sample_state": "solid",
        "temperature": {"value": 293.15, "unit": "K"},
        "wavelength": 1.38,
    },
    files=(
        DataFile(path="/data/cu/scan.h5", size=10, mtime=DAY_ONE),
        DataFile(path="/data/cu/frames_1.h5", size=1000, mtime=DAY_ONE, role="linked"),
    ),
)
COLD = synthetic_dataset(
    11,
    pid="cold",
    title="Ice at 80 K",
    techniques=("NXtomo",),
    instrument="ID19",
    sample="ice",
    scientific={"temperature": {"value": 80, "unit": "K"}, "energy": {"value": 20, "unit": "keV"}},
)
EMBARGOED = synthetic_dataset(
    12,
    pid="embargoed",
    instrument="SECRET-2",
    proposal="P-SECRET",
    access=Access(
        owner="alice", public=True, embargo_until=datetime.now(UTC) + timedelta(days=400)
    ),
)


@pytest.fixture
async def api(store: CatalogueStore) -> AsyncIterator[httpx.AsyncClient]:
    store.register([PUBLIC, ALICES, CHEMISTS, GUESTS, BOBS, COPPER, COLD])
    app = make_app(store, None, "/s", serve=ServeConfig(public=("panosc",)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://c.test/s/panosc/api"
    ) as made:
        yield made


@pytest.fixture
def get(api: httpx.AsyncClient) -> Get:
    """The answer to a path and a filter; ``status`` other than 200 gives the error."""

    async def ask(path: str, status: int = 200, **said: Any) -> Any:
        name = "where" if path.endswith("count") else "filter"
        value = said.get("where", {}) if name == "where" else said
        answer = await api.get(f"/{path}", params={name: json.dumps(value)} if said else {})
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask
