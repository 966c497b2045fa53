"""What every catalogue driver must do. Subclass it, say how to make one, and collect it.

::

    class TestMine(CatalogueContract):
        @pytest.fixture
        async def as_user(self):
            ...  # hold SEED
            yield lambda principal: MyCatalogue(...)

A source that by its nature holds less, or finds words otherwise, says so in ``capabilities`` and in
the members of :class:`~nearfield.testing.catalogue_suite.base.ContractBase`; what it then must find
is worked out from that by :mod:`nearfield.testing.catalogue_expectations`, as strictly as it is
written here for the others.
"""

from __future__ import annotations

from nearfield.testing.catalogue_suite.base import AsUser, ContractBase
from nearfield.testing.catalogue_suite.deriving import DerivingContract
from nearfield.testing.catalogue_suite.filtering import FilteringContract
from nearfield.testing.catalogue_suite.paging import PagingContract
from nearfield.testing.catalogue_suite.records import RecordsContract
from nearfield.testing.catalogue_suite.rights import RightsContract
from nearfield.testing.catalogue_suite.searching import SearchingContract
from nearfield.testing.catalogue_suite.seed import (
    ADMIN,
    ALICE,
    ALICES,
    ANONYMOUS,
    BOB,
    BOBS,
    CHEMISTS,
    EMBARGOED,
    GUESTS,
    LAPSED,
    PEOPLE,
    PUBLIC,
    SEED,
    SEEN_BY,
    STRANGER,
    a_result,
)

__all__ = [
    "ADMIN",
    "ALICE",
    "ALICES",
    "ANONYMOUS",
    "BOB",
    "BOBS",
    "CHEMISTS",
    "EMBARGOED",
    "GUESTS",
    "LAPSED",
    "PEOPLE",
    "PUBLIC",
    "SEED",
    "SEEN_BY",
    "STRANGER",
    "AsUser",
    "CatalogueContract",
    "ContractBase",
    "a_result",
]


class CatalogueContract(
    SearchingContract,
    FilteringContract,
    PagingContract,
    RecordsContract,
    RightsContract,
    DerivingContract,
):
    """The whole suite. ``as_user`` is yours: one catalogue, holding ``SEED``, for each user."""
