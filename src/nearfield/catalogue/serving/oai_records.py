"""A dataset as Dublin Core and as DataCite 4, for those who harvest."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, register_namespace

from nearfield.datasets import MAX_DESCRIPTION, MAX_TITLE, Dataset
from nearfield.querying.times import instant

XSI = "http://www.w3.org/2001/XMLSchema-instance"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"
OAI_DATACITE = "http://schema.datacite.org/oai/oai-1.1/"
DATACITE = "http://datacite.org/schema/kernel-4"
SCHEMAS = {
    "oai_dc": (OAI_DC, "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"),
    "oai_datacite": (OAI_DATACITE, "http://schema.datacite.org/oai/oai-1.1/oai.xsd"),
}
MAX_VALUES = 200
# DataCite's own words for what a source does not say.
_UNKNOWN = ":unav"
# All that XML 1.0 cannot hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

for _prefix, _uri in (
    ("xsi", XSI),
    ("oai_dc", OAI_DC),
    ("dc", DC),
    ("oai_datacite", OAI_DATACITE),
    ("datacite", DATACITE),
):
    register_namespace(_prefix, _uri)


def xml_text(text: str) -> str:
    """``text`` with a replacement for each character that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    """A child with a text."""
    made = SubElement(parent, tag, {name: xml_text(value) for name, value in attributes.items()})
    if text is not None:
        made.text = xml_text(text)
    return made


def dublin_core(dataset: Dataset) -> Element:
    """``oai_dc``: what is known, each element once per value; nothing is made up."""
    root = Element(f"{{{OAI_DC}}}dc")
    namespace, place = SCHEMAS["oai_dc"]
    root.set(f"{{{XSI}}}schemaLocation", f"{namespace} {place}")

    def put(name: str, *values: str | None) -> None:
        for value in values[:MAX_VALUES]:
            if value:
                add(root, f"{{{DC}}}{name}", value)

    put("title", dataset.name[:MAX_TITLE])
    put("creator", *dataset.creators)
    put("subject", *dataset.techniques, *dataset.technique_ids, *dataset.keywords)
    put("description", (dataset.description or "")[:MAX_DESCRIPTION])
    put("publisher", dataset.facility)
    put("contributor", dataset.instrument)
    time = dataset.start_time or dataset.created
    put("date", None if time is None else time.isoformat())
    put("type", "Dataset")
    put("format", dataset.format)
    put(
        "identifier",
        None if dataset.doi is None else f"https://doi.org/{quote(dataset.doi, safe='/:;().-_')}",
        dataset.landing_page,
        dataset.pid,
    )
    put("source", *dataset.input_datasets)
    put("rights", dataset.license)
    return root


def datacite(dataset: Dataset, stamp: int, publisher: str) -> Element:
    """``oai_datacite``: a DataCite 4 record in its envelope.

    What DataCite wants and the record does not say is written as DataCite writes the unknown.
    """
    root = Element(f"{{{OAI_DATACITE}}}oai_datacite")
    namespace, place = SCHEMAS["oai_datacite"]
    root.set(f"{{{XSI}}}schemaLocation", f"{namespace} {place}")
    add(root, f"{{{OAI_DATACITE}}}schemaVersion", "4.5")
    payload = add(root, f"{{{OAI_DATACITE}}}payload")
    resource = add(payload, _d("resource"))
    resource.set(
        f"{{{XSI}}}schemaLocation",
        f"{DATACITE} https://schema.datacite.org/meta/kernel-4.5/metadata.xsd",
    )
    if dataset.doi:
        add(resource, _d("identifier"), dataset.doi, identifierType="DOI")
    else:
        add(resource, _d("identifier"), dataset.pid, identifierType="Other")
    creators = add(resource, _d("creators"))
    for name in dataset.creators[:MAX_VALUES] or (_UNKNOWN,):
        add(add(creators, _d("creator")), _d("creatorName"), name)
    add(add(resource, _d("titles")), _d("title"), dataset.name[:MAX_TITLE])
    add(resource, _d("publisher"), dataset.facility or publisher)
    time = dataset.start_time or dataset.created
    add(resource, _d("publicationYear"), f"{_year(time, stamp):04d}")
    kind = "Dataset" if dataset.type == "raw" else "Derived dataset"
    add(resource, _d("resourceType"), kind, resourceTypeGeneral="Dataset")
    _subjects(resource, dataset)
    if dataset.instrument:
        people = add(resource, _d("contributors"))
        made = add(people, _d("contributor"), contributorType="DataCollector")
        add(made, _d("contributorName"), dataset.instrument, nameType="Organizational")
    _dates(resource, dataset, stamp)
    if dataset.doi or dataset.landing_page:
        others = add(resource, _d("alternateIdentifiers"))
        add(others, _d("alternateIdentifier"), dataset.pid, alternateIdentifierType="PID")
    if dataset.input_datasets:
        related = add(resource, _d("relatedIdentifiers"))
        for pid in dataset.input_datasets[:MAX_VALUES]:
            kind_of = "DOI" if re.match(r"10\.\d{4,9}/", pid) else "Handle"
            add(
                related,
                _d("relatedIdentifier"),
                pid,
                relatedIdentifierType=kind_of,
                relationType="IsDerivedFrom",
            )
    add(add(resource, _d("sizes")), _d("size"), f"{dataset.size} bytes")
    if dataset.format:
        add(add(resource, _d("formats")), _d("format"), dataset.format)
    if dataset.license:
        add(add(resource, _d("rightsList")), _d("rights"), dataset.license)
    if dataset.description:
        texts = add(resource, _d("descriptions"))
        add(
            texts,
            _d("description"),
            dataset.description[:MAX_DESCRIPTION],
            descriptionType="Abstract",
        )
    return root


def _year(time: datetime | None, stamp: int) -> int:
    if time is None:
        return datetime.fromtimestamp(stamp, UTC).year
    try:
        return datetime.fromtimestamp(instant(time), UTC).year
    except (ValueError, OverflowError, OSError):
        # What some programs write for "no time": in UTC it is before the first year.
        return time.year


def _d(name: str) -> str:
    return f"{{{DATACITE}}}{name}"


def _subjects(resource: Element, dataset: Dataset) -> None:
    words = (*dataset.techniques, *dataset.keywords)[:MAX_VALUES]
    if not words and not dataset.technique_ids:
        return
    subjects = add(resource, _d("subjects"))
    for word in words:
        add(subjects, _d("subject"), word)
    for identifier in dataset.technique_ids[:MAX_VALUES]:
        add(subjects, _d("subject"), identifier, subjectScheme="PaNET", valueURI=identifier)


def _dates(resource: Element, dataset: Dataset, stamp: int) -> None:
    dates = add(resource, _d("dates"))
    start, end = dataset.start_time, dataset.end_time
    if start is not None:
        span = start.isoformat() + (f"/{end.isoformat()}" if end is not None else "")
        add(dates, _d("date"), span, dateType="Collected")
    if dataset.created is not None:
        add(dates, _d("date"), dataset.created.isoformat(), dateType="Created")
    changed = datetime.fromtimestamp(stamp, UTC).isoformat()
    add(dates, _d("date"), changed, dateType="Updated")
