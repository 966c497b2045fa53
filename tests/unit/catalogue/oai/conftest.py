"""An OAI-PMH provider over a store, and its answers as elements."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.serving.announced import Announcements
from nearfield.catalogue.serving.oai import OaiProvider

Ask = Callable[[str], Element]


@pytest.fixture
def announcements(store: CatalogueStore) -> Announcements:
    return Announcements(store)


@pytest.fixture
def ask(announcements: Announcements) -> Ask:
    provider = OaiProvider(
        announcements,
        base_url="https://data.test/services/catalogue/oai",
        name="Müller & Sons' <data>",
        admin_email="data@data.test",
    )

    def answer(query: str) -> Element:
        return fromstring(
            provider.answer(parse_qsl(query, keep_blank_values=True)), forbid_dtd=True
        )

    return answer
