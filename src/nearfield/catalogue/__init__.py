"""Catalogues: where datasets are found, and where results are registered.

Every driver does what :class:`Catalogue` says, with the rights of one user. The embedded one is
an SQLite file; several users share one through ``nearfield catalogue serve`` and
:class:`ServiceCatalogue`.
"""

from nearfield.catalogue._asking import FederatedSource
from nearfield.catalogue._finding import complete_in, find, only, stream_search
from nearfield.catalogue._opening import open_catalogue
from nearfield.catalogue._posix import AccessRule, unix_groups
from nearfield.catalogue._protocol import (
    ALL_FILTERS,
    TEXT_FIELDS,
    Capabilities,
    Catalogue,
    Thumbnail,
    check_supported,
)
from nearfield.catalogue._related import Related, related
from nearfield.catalogue._scan_report import ScanReport
from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue._tree import DATA_SUFFIXES, Failure
from nearfield.catalogue.federated import FederatedCatalogue
from nearfield.catalogue.remote import ServiceCatalogue
from nearfield.catalogue.scanning import scan, scan_into
from nearfield.catalogue.sqlite import SqliteCatalogue

__all__ = [
    "ALL_FILTERS",
    "DATA_SUFFIXES",
    "TEXT_FIELDS",
    "AccessRule",
    "Capabilities",
    "Catalogue",
    "CatalogueStore",
    "Failure",
    "FederatedCatalogue",
    "FederatedSource",
    "Related",
    "ScanReport",
    "ServiceCatalogue",
    "SqliteCatalogue",
    "Thumbnail",
    "check_supported",
    "complete_in",
    "find",
    "only",
    "open_catalogue",
    "related",
    "scan",
    "scan_into",
    "stream_search",
    "unix_groups",
]
