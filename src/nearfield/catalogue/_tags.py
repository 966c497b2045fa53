"""Fields, rights and measured values as words of the full-text index.

Each becomes one word that nobody types: a character of Unicode's private use area, a letter for
its kind, and a digest. A search then is one expression over one index, whatever it asks for.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying.matching import quantities
from nearfield.querying.times import instant

# Three times: then the index of beginnings of words holds one entry for all of them.
MARK = "\ue000" * 3
PUBLIC = "p"
# So many values of a record can be asked for.
MAX_QUANTITIES = 500

KINDS = {
    "type": "t",
    "technique": "m",
    "instrument": "i",
    "facility": "f",
    "sample": "s",
    "proposal": "r",
    "owner": "o",
    "keyword": "k",
    "format": "x",
    "storage": "l",
    "availability": "a",
    "input": "d",
    "text": "c",
    "number": "n",
    "access": "z",
}


@functools.lru_cache(maxsize=50_000)
def tag(kind: str, value: str) -> str:
    """The word that stands for ``value``; 80 bits of digest, so that no two meet."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=10)
    return f"{MARK}{KINDS[kind]}{base64.b32encode(digest.digest()).decode().lower()}"


def tags_of(dataset: Dataset) -> str:
    """All that a search may ask for besides words."""
    found: dict[str, None] = {}
    for kind, values in _fields(dataset):
        for value in values:
            if value:
                found[tag(kind, value.casefold())] = None
    for pid in dataset.input_datasets:
        found[tag("input", pid)] = None
    for key in audience_of(dataset.access):
        found[tag("access", key)] = None
    for number, (name, said, _) in enumerate(quantities(dataset.scientific)):
        if number >= MAX_QUANTITIES:
            break
        for spelled in {name, last_part(name)}:
            if isinstance(said, str):
                found[tag("text", said_text(spelled, said))] = None
            else:
                found[tag("number", spelled)] = None
    return " ".join(found)


def _fields(dataset: Dataset) -> Iterator[tuple[str, Iterable[str | None]]]:
    yield "type", (dataset.type,)
    yield "technique", (*dataset.techniques, *dataset.technique_ids)
    yield "instrument", (dataset.instrument,)
    yield "facility", (dataset.facility,)
    yield "sample", (dataset.sample,)
    yield "proposal", (dataset.proposal,)
    yield "owner", (dataset.access.owner, dataset.access.owner_group)
    yield "keyword", dataset.keywords
    yield "format", (dataset.format,)
    yield "storage", (dataset.storage,)
    yield "availability", (dataset.availability,)


def said_text(name: str, value: str) -> str:
    """A text value and its name; neither is cut, so neither can pass for a part of the other."""
    return f"{len(name)}:{name}={value.casefold()}"


@functools.lru_cache(maxsize=10_000)
def last_part(name: str) -> str:
    """``energy`` of ``entry/instrument/energy``."""
    return PurePosixPath(name).name


def audience_of(access: Access) -> tuple[str, ...]:
    """Keys of which a reader needs one. What is public needs no other."""
    if access.public and access.embargo_until is None:
        return (PUBLIC,)
    keys = {f"g{name}" for name in (access.owner_group, *access.access_groups) if name is not None}
    if access.owner is not None:
        keys.add(f"u{access.owner}")
    if access.public and access.embargo_until is not None:
        keys.add(f"e{instant(access.embargo_until)!r}")
    return tuple(sorted(keys))


def opens_at(access: Access) -> float | None:
    """When an embargo ends; ``None`` where there is none."""
    if not access.public or access.embargo_until is None:
        return None
    return instant(access.embargo_until)


def keys_of(user: Principal) -> list[str]:
    """The keys that ``user`` holds."""
    own = [f"u{user.name}"] if user.name else []
    return [PUBLIC, *own, *(f"g{name}" for name in sorted(user.groups))]
