"""The table of rights: what of the suite's datasets each person sees, by the kind of source.

Every face is held to it (tests/contract/test_rights_of_faces.py), and so is the page for people,
docs/reference/rights.md. Who sees a dataset and has an account may derive from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from nearfield.datasets import Dataset
from nearfield.testing.catalogue_contract import (
    ALICES,
    BOBS,
    CHEMISTS,
    EMBARGOED,
    GUESTS,
    LAPSED,
    PUBLIC,
    SEED,
    SEEN_BY,
)

PEOPLE = ("alice", "bob", "stranger", "anonymous", "admin")

SEES: Mapping[str, Mapping[str, tuple[Dataset, ...]]] = {
    # Nobody is answered without a token of the hub's.
    "service": {**SEEN_BY, "anonymous": ()},
    "scicat": SEEN_BY,
    "icat": SEEN_BY,
    "invenio": SEEN_BY,
    # Whoever asks: what is published is everybody's to find, embargo or not. Only files are kept.
    "legacy": dict.fromkeys(PEOPLE, SEED),
    # Public data alone, whoever asks.
    "panosc": dict.fromkeys(PEOPLE, SEEN_BY["anonymous"]),
}

RECORDS: Mapping[str, Dataset] = {
    "public": PUBLIC,
    "public, its embargo over": LAPSED,
    "under embargo, of the physicists": EMBARGOED,
    "alice's own": ALICES,
    "of the chemists": CHEMISTS,
    "shared with guests and chemists": GUESTS,
    "bob's, of the physicists": BOBS,
}
"""The suite's datasets in words for people."""


def seen(driver: str, who: str) -> set[str]:
    """The suite's names of what ``who`` sees."""
    return {dataset.pid for dataset in SEES[driver][who]}


def may_derive(driver: str, who: str) -> set[str]:
    """The suite's names of what ``who`` may derive from."""
    return set() if who == "anonymous" else seen(driver, who)
