"""Our OAI-PMH provider, harvested over a real socket by a client that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oaipmh_scythe import Scythe
from oaipmh_scythe.exceptions import IdDoesNotExist, NoRecordsMatch
from oaipmh_scythe.models import Header, Record, Set

from asgi import in_thread, serving
from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._store import remove
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.testing.catalogue_contract import LAPSED, PUBLIC, SEED
from nearfield.testing.synthetic import synthetic_dataset

OPEN = ServeConfig(public=("oai",), url="https://data.test/", admin_email="data@data.test")
COUNT = 250  # more than two pages


@pytest.fixture(scope="module")
def scythe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scythe]:
    file: Path = tmp_path_factory.mktemp("oai") / "c.sqlite"
    store = CatalogueStore(file)
    store.register(SEED)
    store.register(
        synthetic_dataset(number, title=f"<b>{number}</b> \x01 & é", instrument="ID 10/ä")
        for number in range(COUNT)
    )
    app = make_app(store, None, "/", serve=OPEN)
    with store.writing() as connection:
        remove(connection, "synthetic-00007")
    with in_thread(lambda: serving(app)) as url, Scythe(f"{url}/oai") as made:
        yield made
    store.close()


def test_identify(scythe: Scythe) -> None:
    assert scythe.identify().adminEmail == "data@data.test"


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
def test_all_public_records_and_no_other(scythe: Scythe, prefix: str) -> None:
    records = list(scythe.list_records(metadata_prefix=prefix))
    pids = {}
    for record in records:
        assert isinstance(record, Record)
        pids[record.header.identifier.removeprefix("oai:data.test:")] = record.deleted
    assert len(pids) == len(records) == COUNT + 2
    assert [pid for pid, deleted in pids.items() if deleted] == ["synthetic-00007"]
    assert {seed.pid for seed in SEED} & set(pids) == {PUBLIC.pid, LAPSED.pid}


def test_identifiers_sets_and_formats(scythe: Scythe) -> None:
    headers = list(scythe.list_identifiers(set_="type:raw", ignore_deleted=True))
    assert len(headers) == COUNT + 1
    sets = [found for found in scythe.list_sets() if isinstance(found, Set)]
    (spec,) = (found.setSpec for found in sets if found.setName == "ID 10/ä")
    of_one = list(scythe.list_identifiers(set_=spec, ignore_deleted=True))
    assert len(of_one) == COUNT - 1
    assert all(isinstance(header, Header) and spec in header.setSpecs for header in of_one)
    formats = {found.metadataPrefix for found in scythe.list_metadata_formats()}
    assert formats == {"oai_dc", "oai_datacite"}


def test_one_record(scythe: Scythe) -> None:
    record = scythe.get_record("oai:data.test:public-1")
    assert isinstance(record, Record)
    assert record.metadata["title"] == [PUBLIC.title]
    with pytest.raises(IdDoesNotExist):
        scythe.get_record("oai:data.test:alice-2")
    with pytest.raises(NoRecordsMatch):
        list(scythe.list_records(from_="2999-01-01"))
