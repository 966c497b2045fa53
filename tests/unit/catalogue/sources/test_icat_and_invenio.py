"""From ``catalogues:`` in nearfield.yaml to the drivers for ICAT and Invenio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._drivers import open_sources
from nearfield.catalogue.icat import IcatCatalogue
from nearfield.catalogue.icat._records import Pids
from nearfield.catalogue.icat._records import dataset_of as icat_dataset
from nearfield.catalogue.invenio import InvenioCatalogue
from nearfield.catalogue.invenio._rdm_records import Pids as RdmPids
from nearfield.catalogue.invenio._rdm_records import RdmRecord
from nearfield.catalogue.invenio._rdm_records import dataset_of as rdm_dataset
from nearfield.config import Source

SOURCE: TypeAdapter[Any] = TypeAdapter(Source)
ICAT = {"driver": "icat", "url": "https://icat.test", "facility": "X"}
INVENIO = {"driver": "invenio", "url": "https://rodare.test"}


async def test_both_open_as_they_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    settings = {
        "icat": SOURCE.validate_python(ICAT),
        "rodare": SOURCE.validate_python({**INVENIO, "api": "legacy", "token": "file"}),
    }
    opened = {one.name: one.catalogue for one in open_sources(settings)}
    assert isinstance(opened["icat"], IcatCatalogue)
    assert isinstance(opened["rodare"], InvenioCatalogue)
    for name, catalogue in opened.items():
        assert catalogue.name == name
        # Nothing is written anywhere unless somebody says so.
        assert not catalogue.capabilities.derive
        assert settings[name].url in repr(catalogue)
        await catalogue.aclose()


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        (ICAT, {"timezone": "Mars/Olympus"}),
        (ICAT, {"timezone": "../../etc/passwd"}),
        (ICAT, {"page": "https://data.test/dataset"}),
        (ICAT, {"page": "https://data.test/{id}/{other}"}),
        (ICAT, {"page": "javascript:alert({id})"}),
        (ICAT, {"password": "x"}),
        (INVENIO, {"publish": True}),
        (INVENIO, {"publish": "yes"}),
        (INVENIO, {"max_file": 0}),
        (INVENIO, {"max_files": 1}),
        (INVENIO, {"api": "zenodo"}),
    ],
)
def test_settings_that_do_not_fit(source: dict[str, Any], wrong: dict[str, Any]) -> None:
    SOURCE.validate_python(source)
    with pytest.raises(ValidationError):
        SOURCE.validate_python({**source, **wrong})


@pytest.mark.parametrize(
    "doi", ["10.5442/1", "doi:10.5442/1", "DOI: 10.5442/1", "https://doi.org/10.5442/1"]
)
def test_a_doi_has_no_resolver(doi: str) -> None:
    found = icat_dataset(
        {"id": 5, "name": "x", "doi": doi},
        source="icat",
        pids=Pids("X"),
        result_type="processed",
        page="https://data.test/browse/{id}",
    )
    assert found is not None
    assert found.doi == "10.5442/1"
    assert found.landing_page == "https://data.test/browse/5"


def test_records_of_older_repositories_and_nulls() -> None:
    record = RdmRecord.model_validate(
        {
            "id": "abcde-12345",
            "created": None,
            "access": {"record": "public", "files": "public", "embargo": None},
            "metadata": {"title": None, "subjects": None, "creators": [{"person_or_org": {}}]},
            "parent": {"access": {"owned_by": [{"user": 7}]}},
            "pids": None,
            "files": None,
            "links": None,
        }
    )
    base = "https://rodare.test"
    found = rdm_dataset(record, source="rodare", base=base, pids=RdmPids(base, "records"))
    assert (found.access.owner, found.access.public) == ("7", True)
    assert (found.title, found.doi, found.keywords, found.creators) == (None, None, (), ())
