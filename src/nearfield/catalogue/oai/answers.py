"""The XML of OAI-PMH, read without trust: no document type, no entities, nothing fetched."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from nearfield.catalogue.oai.legible import made_legible
from nearfield.errors import CatalogueError

OAI = "{http://www.openarchives.org/OAI/2.0/}"
# Errors of the protocol that mean "nothing", not "wrong".
NOTHING = "noRecordsMatch"
LOST = "badResumptionToken"


class ProtocolError(CatalogueError):
    """An error that the repository answers with; ``code`` is the protocol's."""

    def __init__(self, name: str, code: str, message: str) -> None:
        hints = {
            "cannotDisseminateFormat": "name another format with --format",
            "noSetHierarchy": "leave out --set: the repository has no sets",
            LOST: "harvest again: it begins where the last whole harvest ended",
        }
        super().__init__(
            f"{name}: {code}: {message}" if message else f"{name}: {code}",
            hint=hints.get(code, "check the address, --set and --format"),
        )
        self.code = code


@dataclass(frozen=True, slots=True)
class Harvested:
    """One record of a page."""

    identifier: str
    datestamp: str
    deleted: bool
    metadata: Element | None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One answer to ListRecords."""

    records: tuple[Harvested, ...]
    bad: int
    """Records without an identifier."""
    token: str | None
    total: int | None
    date: str | None
    """The repository's clock."""
    mended: bool = False
    """Were there signs in it that XML does not have?"""


def parse(name: str, content: bytes) -> tuple[Element, bool]:
    """The root of an answer, and whether it had to be made legible first.

    Raises:
        CatalogueError: not XML, XML with a document type, or not an answer of OAI-PMH.
        ProtocolError: the repository answers with an error.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    mended = False
    try:
        try:
            root: Element = fromstring(content, forbid_dtd=True)
        except ParseError:
            # One control sign in one title must not end every harvest at that page.
            legible = made_legible(content)
            if legible == content:
                raise
            root, mended = fromstring(legible, forbid_dtd=True), True
    except DefusedXmlException as error:
        raise _strange(name, "XML with a document type or entities, which is not read") from error
    except (ParseError, ValueError, LookupError) as error:
        # Also what is said to be in an encoding that there is not.
        raise _strange(name, "not XML, or a part of it alone") from error
    if root.tag != f"{OAI}OAI-PMH":
        raise _strange(name, "XML that is not OAI-PMH 2.0")
    found = root.find(f"{OAI}error")
    if found is not None:
        raise ProtocolError(name, _clean(found.get("code")) or "error", _clean(found.text))
    return root, mended


def _strange(name: str, what: str) -> CatalogueError:
    return CatalogueError(
        f"{name}: answered {what}", hint="check the address: it is the repository's base URL"
    )


def page_of(name: str, root: Element, *, mended: bool = False) -> RecordPage:
    """Raises CatalogueError: not an answer to ListRecords."""
    listed = root.find(f"{OAI}ListRecords")
    if listed is None:
        raise _strange(name, "something else than records")
    records, bad = [], 0
    for record in listed.iterfind(f"{OAI}record"):
        header = record.find(f"{OAI}header")
        identifier = text_of(header, "identifier")
        if header is None or not identifier:
            bad += 1
            continue
        metadata = record.find(f"{OAI}metadata")
        records.append(
            Harvested(
                identifier,
                text_of(header, "datestamp"),
                header.get("status") == "deleted",
                None if metadata is None else next(iter(metadata), None),
            )
        )
    token = listed.find(f"{OAI}resumptionToken")
    size = None if token is None else token.get("completeListSize")
    return RecordPage(
        tuple(records),
        bad,
        None if token is None else (token.text or "").strip() or None,
        int(size) if size and size.isascii() and size.isdigit() and len(size) < 16 else None,
        text_of(root, "responseDate") or None,
        mended,
    )


def text_of(parent: Element | None, name: str) -> str:
    """The text of a child of the protocol's; empty where there is none."""
    return "" if parent is None else (parent.findtext(f"{OAI}{name}") or "").strip()


def _clean(text: str | None) -> str:
    """Somebody else's words, for a message of one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())[:300]
