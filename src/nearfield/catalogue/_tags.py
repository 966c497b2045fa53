"""Fields, rights and measured values as words of the full-text index.

Each becomes one word that nobody types: a character of Unicode's private use area, a letter for
its kind, and a digest. A search then is one expression over one index, whatever it asks for.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import PurePosixPath

from nearfield.catalogue._combinations import Values
from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying.pids import doi_of
from nearfield.querying.times import instant
from nearfield.querying.values import value_tokens

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
    "word": "w",
    "doi": "y",
}


@functools.lru_cache(maxsize=50_000)
def tag(kind: str, value: str) -> str:
    """The word that stands for ``value``; 80 bits of digest, so that no two meet."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=10)
    return f"{MARK}{KINDS[kind]}{base64.b32encode(digest.digest()).decode().lower()}"


Quantities = tuple[tuple[str, float | str, str | None], ...]


def tags_of(
    dataset: Dataset, values: Values, audience: tuple[str, ...], measured: Quantities
) -> str:
    """All that a search may ask for besides words."""
    access = dataset.access
    found = [_of_values(values), _of_audience(audience)]
    for kind, value in (
        ("sample", dataset.sample),
        ("proposal", dataset.proposal),
        ("owner", access.owner),
        ("owner", access.owner_group),
    ):
        if value:
            found.append(_of_worded(kind, value))
    found += [_of_worded("keyword", keyword) for keyword in dataset.keywords]
    found += [tag("input", pid) for pid in dataset.input_datasets]
    dois = (doi_of(name) for name in (dataset.pid, dataset.doi) if name)
    found += [tag("doi", doi) for doi in dict.fromkeys(dois) if doi is not None]
    for name, said, _ in measured:
        if isinstance(said, str):
            found += [
                tag("text", said_text(name, said)),
                tag("text", said_text(last_part(name), said)),
            ]
        else:
            found.append(_of_number(name))
    return " ".join(found)


@functools.lru_cache(maxsize=50_000)
def _of_worded(kind: str, value: str) -> str:
    """Of a value, and of its words in their order behind it: a run of them is asked for as one.

    A value that is one plain word is the word already.
    """
    plain = value.casefold()
    words = value_tokens(value)
    own = [] if words == (plain,) else [word_tag(kind, word) for word in words]
    return " ".join([tag(kind, plain), *own])


def word_tag(kind: str, word: str) -> str:
    """The word that stands for one word of a value of a field of many values."""
    return tag("word", f"{kind}={word}")


@functools.lru_cache(maxsize=10_000)
def _of_values(values: Values) -> str:
    """Of all fields of few values; they repeat from record to record."""
    kinds = ("type", "instrument", "facility", "format", "storage", "availability")
    single = zip(kinds, values.single, strict=True)
    names = (*values.techniques, *values.technique_ids)
    found = [tag(kind, value.casefold()) for kind, value in single if value]
    found += [tag("technique", name.casefold()) for name in names]
    return " ".join(found)


@functools.lru_cache(maxsize=10_000)
def _of_audience(audience: tuple[str, ...]) -> str:
    return " ".join(tag("access", key) for key in audience)


@functools.lru_cache(maxsize=10_000)
def _of_number(name: str) -> str:
    return f"{tag('number', name)} {tag('number', last_part(name))}"


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
        keys.add(embargo_key(instant(access.embargo_until)))
    return tuple(sorted(keys))


def embargo_key(opens: float) -> str:
    """The key that everybody holds from this moment on."""
    return f"e{float(opens)!r}"


def opens_at(access: Access) -> float | None:
    """When an embargo ends; ``None`` where there is none."""
    if not access.public or access.embargo_until is None:
        return None
    return instant(access.embargo_until)


def keys_of(user: Principal) -> list[str]:
    """The keys that ``user`` holds."""
    own = [f"u{user.name}"] if user.name else []
    return [PUBLIC, *own, *(f"g{name}" for name in sorted(user.groups))]
