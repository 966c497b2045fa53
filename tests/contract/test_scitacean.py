"""SciCat's own Python client, over real HTTP: it reads what we derive, and we read what it uploads.

An independent judge of both the driver and the fake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from scitacean import PID, Client, model
from scitacean.util.credentials import SecretStr

from asgi import in_thread, serving
from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.config import SciCatSource
from nearfield.testing.catalogue_contract import ALICE, ALICES, a_result
from nearfield.testing.fake_scicat import FakeSciCat
from sourcelab.scicat import Given, filled, record_of

PREFIX = "20.500.12345"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeSciCat, str]]:
    fake = filled()
    # Its PIDs have a prefix, always.
    fake.add(record_of(ALICES, pid=f"{PREFIX}/raw"))
    with in_thread(lambda: serving(fake)) as url:
        yield fake, url


@pytest.fixture
def theirs(served: tuple[FakeSciCat, str]) -> Client:
    token = SecretStr("token-of-alice")
    return Client.from_token(url=f"{served[1]}/api", token=token, allow_http=True)


def ours(url: str) -> SciCatCatalogue:
    source = SciCatSource.model_validate(
        {"driver": "scicat", "url": url, "pid_prefix": PREFIX, "timeout": 30}
    )
    return SciCatCatalogue.from_settings("beamline", source, token=Given(f"token-of-{ALICE.name}"))


def test_it_reads_what_we_derive(served: tuple[FakeSciCat, str], theirs: Client) -> None:
    wanted = a_result(input_datasets=(f"{PREFIX}/raw",))

    async def derive() -> str:
        catalogue = ours(served[1])
        try:
            return await catalogue.derive(wanted)
        finally:
            await catalogue.aclose()

    pid = asyncio.run(derive())
    found = theirs.get_dataset(pid, strict_validation=True)
    assert str(found.pid) == pid
    assert found.type == "derived"
    assert (found.name, found.owner, found.owner_group) == (wanted.title, "alice", "alice")
    assert found.input_datasets == [PID.parse(f"{PREFIX}/raw")]
    assert found.source_folder is not None
    assert found.source_folder.posix == wanted.source_folder
    assert found.used_software == list(wanted.used_software)
    (file,) = found.files
    assert (file.remote_path.posix, file.size) == ("out.h5", 12)
    assert file.checksum() == wanted.files[0].sha256
    assert file.checksum_algorithm == "sha256"


def test_we_read_what_it_uploads(served: tuple[FakeSciCat, str], theirs: Client) -> None:
    when = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    made = theirs.scicat.create_dataset_model(
        model.UploadDataset(
            contactEmail="a@facility.example",
            creationTime=when,
            startTime=when,
            owner="Alice Example",
            ownerGroup="alice",
            sourceFolder="/data/theirs",
            type="raw",
            datasetName="uploaded by the other client",
            techniques=[model.UploadTechnique(pid="http://x/PaNET01188", name="SAXS")],
            scientificMetadata={"mono": {"energy": {"value": 8.5, "unit": "keV"}}},
        )
    )

    async def read() -> None:
        catalogue = ours(served[1])
        try:
            found = await catalogue.get(str(made.pid))
        finally:
            await catalogue.aclose()
        assert found.title == "uploaded by the other client"
        assert (found.start_time, found.source_folder) == (when, "/data/theirs")
        assert (found.techniques, found.technique_ids) == (("SAXS",), ("http://x/PaNET01188",))
        assert found.scientific == {"mono/energy": {"value": 8.5, "unit": "keV"}}

    asyncio.run(read())
