"""Whatever strangers send, and whatever repositories answer: an answer or an error in words."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.oai.records import NotADatasetError, dataset_of
from nearfield.catalogue.panosc.mapping import datasets_of
from nearfield.catalogue.serving.announced import Announcements
from nearfield.catalogue.serving.loopback import FilterError, read_filter
from nearfield.catalogue.serving.oai import OaiProvider
from nearfield.catalogue.serving.oai_records import datacite, dublin_core
from nearfield.catalogue.serving.panosc_api import PanoscApi
from nearfield.datasets import Access, Dataset
from nearfield.errors import UsageError
from nearfield.testing.catalogue_contract import SEED
from nearfield.testing.synthetic import synthetic_dataset

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
NAMES = st.sampled_from(
    [
        "and",
        "or",
        "nor",
        "text",
        "pid",
        "title",
        "size",
        "creationDate",
        "isPublic",
        "name",
        "value",
        "unit",
        "eq",
        "neq",
        "lt",
        "gte",
        "between",
        "inq",
        "nin",
        "like",
        "ilike",
        "where",
        "include",
        "relation",
        "scope",
        "limit",
        "skip",
        "fields",
        "query",
        "order",
    ]
)
JSON = st.recursive(
    PLAIN | NAMES | st.sampled_from(["techniques", "parameters", "instrument", "files"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
TAGS = st.sampled_from(
    [
        "{http://purl.org/dc/elements/1.1/}dc",
        "resource",
        "title",
        "titles",
        "creator",
        "creators",
        "creatorName",
        "date",
        "dates",
        "identifier",
        "subject",
        "subjects",
        "sizes",
        "size",
        "relatedIdentifiers",
        "relatedIdentifier",
    ]
)
ELEMENTS = st.recursive(
    st.tuples(TAGS, st.text(max_size=30), st.just([])),
    lambda inner: st.tuples(TAGS, st.text(max_size=30), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def store() -> Iterator[CatalogueStore]:
    with tempfile.TemporaryDirectory() as folder:
        made = CatalogueStore(Path(folder) / "c.sqlite")
        made.register(SEED)
        yield made
        made.close()


@given(said=st.dictionaries(NAMES, JSON, max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_filter_is_answered_or_refused(store: CatalogueStore, said: dict[str, Any]) -> None:
    api, text = PanoscApi(store), json.dumps(said).replace("Infinity", "1e400")
    for ask in (api.datasets, api.documents, api.instruments):
        try:
            found = asyncio.run(ask(read_filter(text)))
        except (FilterError, UsageError):
            continue
        assert isinstance(found, list)


@given(
    params=st.lists(
        st.tuples(
            st.sampled_from(
                ["verb", "metadataPrefix", "from", "until", "set", "resumptionToken", "identifier"]
            )
            | st.text(max_size=5),
            st.sampled_from(
                ["ListRecords", "GetRecord", "ListSets", "oai_dc", "2024-01-01", "type"]
            )
            | st.text(max_size=20),
        ),
        max_size=5,
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_gets_xml(store: CatalogueStore, params: list[tuple[str, str]]) -> None:
    provider = OaiProvider(
        Announcements(store), base_url="https://x.test/oai", name="x", admin_email="a@x.test"
    )
    root = fromstring(provider.answer(params), forbid_dtd=True)
    assert root.tag == "{http://www.openarchives.org/OAI/2.0/}OAI-PMH"


TEXT = st.text(max_size=40)


@given(
    title=st.none() | TEXT,
    words=st.lists(TEXT, max_size=3),
    name=st.none() | TEXT,
    doi=st.none() | TEXT,
)
def test_what_is_told_is_understood(
    title: str | None, words: list[str], name: str | None, doi: str | None
) -> None:
    """Any record of ours as XML is read back as a dataset."""
    fields: dict[str, Any] = {
        "title": title,
        "description": name,
        "instrument": name,
        "facility": name,
        "license": name,
        "doi": doi,
        "keywords": tuple(words),
        "creators": tuple(words),
        "techniques": tuple(words),
    }
    record = synthetic_dataset(1, **fields)
    for made in (dublin_core(record), datacite(record, 0, "x")):
        found = dataset_of("oai:x:1", made)
        assert found.access == Access(public=True)


def _element(said: tuple[str, str, list[Any]]) -> Element:
    tag, text, children = said
    made = Element(tag, {"relationType": "IsDerivedFrom", "dateType": "Collected"})
    made.text = text
    for child in children:
        made.append(_element(child))
    SubElement(made, "resource" if text else "title").text = text
    return made


@given(said=ELEMENTS)
def test_any_xml_is_a_dataset_or_a_reason(said: tuple[str, str, list[Any]]) -> None:
    try:
        found = dataset_of("oai:x:1", _element(said))
    except (ValueError, NotADatasetError):
        return
    assert isinstance(found, Dataset)


FIELDS = st.sampled_from(
    [
        "pid",
        "title",
        "size",
        "creationDate",
        "techniques",
        "instrument",
        "samples",
        "document",
        "parameters",
        "files",
        "name",
        "value",
        "unit",
        "path",
        "url",
        "facility",
    ]
)
ANSWERS = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=15,
)


@given(said=st.lists(ANSWERS, max_size=4))
def test_any_json_is_datasets_and_a_count(said: list[object]) -> None:
    found, bad = datasets_of(said, "x")
    assert len(found) + bad == len(said)
