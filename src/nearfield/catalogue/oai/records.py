"""A harvested record as a dataset. What it does not say stays ``None``; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from nearfield.catalogue._pids import fitted
from nearfield.datasets import MAX_DESCRIPTION, MAX_NAMES, MAX_TITLE, Access, Dataset
from nearfield.techniques import technique_ids

MAX_NAME = 2000
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_BYTES = re.compile(r"(\d{1,18}) ?(?:bytes|B)")
_PANET = re.compile(r"https?://purl\.org/pan-science/PaNET/PaNET\d+", re.IGNORECASE)
_DESCRIPTIONS = (None, "Abstract", "TechnicalInfo")
# DataCite's words for what is not known.
_UNKNOWN = re.compile(r":(?:unac|unal|unap|unas|unav|unkn|none|null|tba|etal)\b.*", re.DOTALL)


class NotADatasetError(Exception):
    """A publication, a piece of software, an image: said to be something else."""


def dataset_of(identifier: str, metadata: Element) -> Dataset:
    """The record, whatever of the known formats it is in.

    Raises:
        NotADatasetError: it says that it is something else.
        ValueError: a format that is not known, or values that no dataset can have.
    """
    resource = next((found for found in metadata.iter() if _local(found) == "resource"), None)
    if _local(metadata) == "dc":
        said = _dublin_core(metadata)
    elif resource is not None:
        said = _datacite(resource)
    else:
        raise ValueError(f"a record in a format that is not known: {_local(metadata)[:60]}")
    kinds = [kind.rpartition("/")[2].casefold() for kind in said.pop("kinds")]
    if kinds and not any("dataset" in kind or kind == "collection" for kind in kinds):
        raise NotADatasetError
    warnings = []
    title = said.pop("title")
    if title is not None and len(title) > MAX_TITLE:
        title = title[:MAX_TITLE]
        warnings.append(f"the title is longer than {MAX_TITLE} characters: cut")
    description = said.pop("description")
    return Dataset(
        pid=fitted(identifier),
        title=title,
        description=None if description is None else description[:MAX_DESCRIPTION],
        access=Access(public=True),
        warnings=tuple(warnings),
        **said,
    )


def _local(element: Element) -> str:
    """A name without its namespace: kernels 3 and 4, OAI 1.0 and 1.1 differ in that alone."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _text(element: Element | None) -> str | None:
    if element is None:
        return None
    text = " ".join("".join(element.itertext()).split())
    return None if not text or _UNKNOWN.fullmatch(text) else text


def _each(parent: Element, *names: str) -> Iterator[Element]:
    """Descendants along a path of names."""
    found: Iterable[Element] = (parent,)
    for name in names:
        found = [child for one in found for child in one if _local(child) == name]
    yield from found


def _texts(parent: Element, *names: str) -> list[str]:
    return [text for one in _each(parent, *names) if (text := _text(one))]


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value[:MAX_NAME] for value in values))[:MAX_NAMES]


def _dublin_core(record: Element) -> dict[str, Any]:
    identifiers = _texts(record, "identifier")
    dates = [time for text in _texts(record, "date") if (time := _time(text))]
    return {
        "title": next(iter(_texts(record, "title")), None),
        "description": next(iter(_texts(record, "description")), None),
        "creators": _names(_texts(record, "creator")),
        **_subjects(_texts(record, "subject")),
        "facility": _first_name(_texts(record, "publisher")),
        "license": _first_name(_texts(record, "rights")),
        "format": _first_name(_texts(record, "format")),
        "doi": next((doi for text in identifiers if (doi := _doi(text))), None),
        "landing_page": _page(identifiers),
        "created": min(dates, key=lambda time: time.isoformat(), default=None),
        "kinds": _texts(record, "type"),
    }


def _datacite(resource: Element) -> dict[str, Any]:
    named = list(_each(resource, "identifier"))
    doi = next((_doi(_text(one) or "") for one in named), None)
    dates = {one.get("dateType"): _text(one) or "" for one in _each(resource, "dates", "date")}
    start, _, end = dates.get("Collected", "").partition("/")
    inputs = [
        text
        for one in _each(resource, "relatedIdentifiers", "relatedIdentifier")
        if (one.get("relationType") or "").casefold() == "isderivedfrom" and (text := _text(one))
    ]
    sizes = [
        int(found[1])
        for text in _texts(resource, "sizes", "size")
        if (found := _BYTES.fullmatch(text))
    ]
    types = list(_each(resource, "resourceType"))
    abstracts = [
        text
        for one in _each(resource, "descriptions", "description")
        if one.get("descriptionType") in (None, "Abstract", "TechnicalInfo")
        and (text := _text(one))
    ]
    pids = [pid for pid in map(fitted, inputs) if len(pid) <= 400]
    return {
        "type": "derived" if inputs else "raw",
        "input_datasets": _names(pids),
        "title": next(iter(_texts(resource, "titles", "title")), None),
        "description": next(iter(abstracts), None),
        "creators": _names(_texts(resource, "creators", "creator", "creatorName")),
        **_subjects(_texts(resource, "subjects", "subject")),
        "facility": _first_name(_texts(resource, "publisher")),
        "license": _first_name(_texts(resource, "rightsList", "rights")),
        "format": _first_name(_texts(resource, "formats", "format")),
        "doi": doi,
        "landing_page": _page(_texts(resource, "alternateIdentifiers", "alternateIdentifier")),
        "start_time": _time(start),
        "end_time": _time(end),
        "created": _time(dates.get("Created", "")) or _time(dates.get("Issued", "")),
        "size": sizes[0] if sizes else 0,
        "kinds": [kind for one in types if (kind := one.get("resourceTypeGeneral"))],
    }


def _subjects(words: list[str]) -> dict[str, Any]:
    """Techniques are what the vocabulary knows; the rest are keywords."""
    ids = [word for word in words if _PANET.fullmatch(word)]
    named = [word for word in words if word not in ids]
    techniques = [word for word in named if technique_ids((word,))]
    return {
        "techniques": _names(techniques),
        "technique_ids": _names(technique_ids((*ids, *techniques))),
        "keywords": _names(word for word in named if word not in techniques),
    }


def _first_name(values: list[str]) -> str | None:
    return values[0][:MAX_NAME] if values else None


def _doi(text: str) -> str | None:
    found = _DOI.fullmatch(text.strip())
    return None if found is None else found[1][:400]


def _page(texts: list[str]) -> str | None:
    return next(
        (
            text
            for text in texts
            if re.fullmatch(r"https?://\S{1,1990}", text) and _doi(text) is None
        ),
        None,
    )


def _time(text: str) -> datetime | None:
    """A day or a moment; a year alone is none."""
    try:
        return datetime.fromisoformat(text.strip()) if len(text.strip()) >= 10 else None
    except ValueError:
        return None
