"""From any name of a technique to its identifier, and to all that a search for it means."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from nearfield.techniques.terms import BY_PROBE, PROBABLY, TERMS, Term

BASE = "http://purl.org/pan-science/PaNET/"
_COMPOUND = re.compile(r"\b(small|wide|grazing) (angle|incidence)\b")
_IDENTIFIER = re.compile(r"(?:https?://purl\.org/pan-science/PaNET/|PaNET:)?(PaNET\d{5,7})", re.I)


def identifier(term: Term) -> str | None:
    """The PaNET identifier as PaNOSC's search API has it; ``None`` where PaNET has no such term."""
    return None if term.number is None else f"{BASE}PaNET{term.number:05d}"


def technique_ids(names: Iterable[str], *, probe: str | None = None) -> tuple[str, ...]:
    """The PaNET identifiers that these names stand for, in order; unknown names give none.

    Names are labels, abbreviations, NeXus application definitions and identifiers themselves.
    ``probe`` is what a file says of its source (``x-ray``, ``neutron``): with it NXsas is SAXS
    or SANS, without it small angle scattering.
    """
    found: dict[str, None] = {}
    for name in names:
        term = _index().get(_folded(name))
        if term is None:
            continue
        if probe is not None and (label := BY_PROBE.get((term.label, _probe(probe)))):
            term = _index()[_folded(label)]
        if (known := identifier(term)) is not None:
            found[known] = None
    return tuple(found)


@functools.lru_cache(maxsize=2000)
def names_of(term: str) -> frozenset[str]:
    """Every name and identifier (casefolded) that a search for ``term`` finds.

    Narrower techniques included: ``saxs`` stands for GISAXS too. An application definition
    (``NXsas``) stands for itself alone, and so does a name that nobody knows.
    """
    # As it was written it stays one of the names: sources have spellings of their own.
    names = {term.casefold(), " ".join(term.split()).casefold()}
    known = _index().get(_folded(term))
    if known is not None and not _is_definition(term, known):
        for one in _with_narrower(known):
            names.update(_names(one))
    return frozenset(names)


def label_of(name: str) -> str | None:
    """PaNET's label for a name or identifier; ``None`` where it is not known."""
    term = _index().get(_folded(name))
    return None if term is None else term.label


def also_called(names: Iterable[str]) -> tuple[str, ...]:
    """What else people call these techniques: PaNET's labels and the abbreviations, in order.

    Of a technique itself, not of wider or narrower ones; unknown names give none.
    """
    return tuple(dict.fromkeys(name for one in names for name in _called(one)))


@functools.lru_cache(maxsize=4096)
def _called(name: str) -> tuple[str, ...]:
    """An import asks for the same few names a million times."""
    term = _index().get(_folded(name))
    return () if term is None else (term.label, *term.also)


def known_names() -> tuple[tuple[str, str], ...]:
    """Names that people may type, each with its label: for completion. Sorted."""
    return tuple(
        sorted({(name, term.label) for term in TERMS for name in (term.label, *term.also)})
    )


def _is_definition(name: str, term: Term) -> bool:
    return _folded(name) in map(_folded, term.definitions)


def _probe(said: str) -> str:
    """``X-ray``, ``xray``, ``x-rays``, ``neutrons`` as the table has them."""
    word = re.sub(r"[^a-z]", "", said.casefold()).removesuffix("s")
    return {"xray": "x-ray", "photon": "x-ray"}.get(word, word)


def _folded(name: str) -> str:
    """Case, accents and hyphens do not count: ``Small-Angle X-ray`` is ``small angle x ray``."""
    match = _IDENTIFIER.fullmatch(name.strip())
    if match is not None:
        return match[1].casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[-_\s]+", " ", plain).split()).casefold()


def _names(term: Term) -> set[str]:
    """All spellings of one term that a source may hold, casefolded."""
    names = {term.label, *term.also, *term.definitions}
    names.update(name for name, label in PROBABLY.items() if label == term.label)
    for name in tuple(names):
        names |= {name.replace("-", " "), name.replace(" ", "-")}
        # As most papers write them: small-angle, wide-angle, grazing-incidence.
        names.add(_COMPOUND.sub(r"\1-\2", name))
    if (known := identifier(term)) is not None:
        short = known.removeprefix(BASE)
        names |= {known, known.replace("http:", "https:"), short, f"PaNET:{short}"}
    return {name.casefold() for name in names}


@functools.cache
def _index() -> dict[str, Term]:
    """By folded name; a label wins over an abbreviation of another term."""
    found: dict[str, Term] = {}
    for term in TERMS:
        found[_folded(term.label)] = term
        if term.number is not None:
            found[f"panet{term.number:05d}"] = term
    for term in TERMS:
        for name in (*term.also, *term.definitions):
            found.setdefault(_folded(name), term)
    return found


@functools.cache
def _narrower() -> dict[str, tuple[Term, ...]]:
    found: dict[str, tuple[Term, ...]] = {}
    for term in TERMS:
        for wider in term.wider:
            found[wider] = (*found.get(wider, ()), term)
    return found


def _with_narrower(term: Term) -> list[Term]:
    seen = {term.label: term}
    queue = [term]
    while queue:
        for one in _narrower().get(queue.pop().label, ()):
            if one.label not in seen:
                seen[one.label] = one
                queue.append(one)
    return list(seen.values())
