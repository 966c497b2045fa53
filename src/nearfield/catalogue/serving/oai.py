"""The OAI-PMH 2.0 provider: public records for everybody who harvests.

https://www.openarchives.org/OAI/openarchivesprotocol.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element, register_namespace, tostring

from nearfield.catalogue.serving.announced import Announcement, Announcements
from nearfield.catalogue.serving.oai_records import (
    SCHEMAS,
    XSI,
    add,
    datacite,
    dublin_core,
    xml_text,
)
from nearfield.catalogue.serving.oai_requests import (
    PREFIXES,
    OaiError,
    Place,
    Prefix,
    arguments_of,
    instrument_set,
    place_of,
    prefix_of,
    stamp_text,
)
from nearfield.datasets import Dataset

OAI = "http://www.openarchives.org/OAI/2.0/"
_PLACE = f"{OAI} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
PAGE = {"ListRecords": 100, "ListIdentifiers": 500}
MAX_SETS = 5000

register_namespace("", OAI)


class OaiProvider:
    """Answers one request after the other; all methods block.

    ``base_url`` is the address as harvesters know it; its host makes the identifiers.
    """

    def __init__(
        self,
        announcements: Announcements,
        *,
        base_url: str,
        name: str,
        admin_email: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._known, self._base_url = announcements, base_url
        self._name, self._admin, self._clock = name, admin_email, clock
        self._host = urlsplit(base_url).hostname or "localhost"

    def answer(self, params: Sequence[tuple[str, str]]) -> bytes:
        """The XML document that answers a request, be it an error of the protocol."""
        root = Element(f"{{{OAI}}}OAI-PMH")
        root.set(f"{{{XSI}}}schemaLocation", _PLACE)
        add(root, _o("responseDate"), stamp_text(int(self._clock())))
        request = add(root, _o("request"), self._base_url)
        try:
            verb, said = arguments_of(params)
            body = self._body(verb, said)
            request.set("verb", verb)
            for name, value in said.items():
                request.set(name, xml_text(value))
            root.append(body)
        except OaiError as error:
            if error.code not in ("badVerb", "badArgument"):
                for name, value in params:
                    request.set(name, xml_text(value))
            add(root, _o("error"), error.message, code=error.code)
        document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
        return document

    def _body(self, verb: str, said: dict[str, str]) -> Element:
        if verb == "Identify":
            return self._identify()
        if verb == "ListMetadataFormats":
            return self._formats(said.get("identifier"))
        if verb == "ListSets":
            return self._sets(said)
        if verb == "GetRecord":
            return self._record(said)
        return self._list(place_of(verb, said, self._known.earliest()))

    def _identify(self) -> Element:
        body = Element(_o("Identify"))
        add(body, _o("repositoryName"), self._name)
        add(body, _o("baseURL"), self._base_url)
        add(body, _o("protocolVersion"), "2.0")
        add(body, _o("adminEmail"), self._admin)
        add(body, _o("earliestDatestamp"), stamp_text(self._known.earliest()))
        add(body, _o("deletedRecord"), "persistent")
        add(body, _o("granularity"), "YYYY-MM-DDThh:mm:ssZ")
        return body

    def _formats(self, identifier: str | None) -> Element:
        if identifier is not None:
            self._announced(identifier)
        body = Element(_o("ListMetadataFormats"))
        for prefix in PREFIXES:
            namespace, schema = SCHEMAS[prefix]
            entry = add(body, _o("metadataFormat"))
            add(entry, _o("metadataPrefix"), prefix)
            add(entry, _o("schema"), schema)
            add(entry, _o("metadataNamespace"), namespace)
        return body

    def _sets(self, said: dict[str, str]) -> Element:
        if "resumptionToken" in said:
            raise OaiError("badResumptionToken", "the sets are given in one answer")
        body = Element(_o("ListSets"))
        sets = [
            ("type", "Datasets by type"),
            ("type:raw", "Raw datasets"),
            ("type:derived", "Results"),
            ("instrument", "Datasets by instrument"),
        ]
        sets += [(instrument_set(name), name) for name in self._known.instruments(MAX_SETS)]
        for spec, name in sets:
            entry = add(body, _o("set"))
            add(entry, _o("setSpec"), spec)
            add(entry, _o("setName"), name)
        return body

    def _record(self, said: dict[str, str]) -> Element:
        found = self._announced(said["identifier"])
        prefix = prefix_of(said["metadataPrefix"])
        body = Element(_o("GetRecord"))
        datasets = {} if found.deleted else self._known.datasets([found.pid])
        if not found.deleted and found.pid not in datasets:
            raise OaiError("idDoesNotExist", "no record of this identifier")
        self._add_record(body, found, datasets.get(found.pid), prefix)
        return body

    def _list(self, place: Place) -> Element:
        chosen = place.selection()
        page, more = self._known.page(chosen, place.after, PAGE[place.verb])
        if not page and place.after is None:
            raise OaiError("noRecordsMatch", "no record has changed in this time")
        body = Element(_o(place.verb))
        if place.verb == "ListIdentifiers":
            for one in page:
                self._add_header(body, one)
        else:
            datasets = self._known.datasets([one.pid for one in page if not one.deleted])
            for one in page:
                self._add_record(body, one, datasets.get(one.pid), place.prefix)
        if not more and place.after is None:
            return body
        total = place.total or self._known.count(chosen)
        given = place.given + len(page)
        token = ""
        if more:
            last = page[-1]
            token = place.model_copy(
                update={"after": (last.stamp, last.pid), "given": given, "total": total}
            ).token()
        add(
            body,
            _o("resumptionToken"),
            token,
            completeListSize=str(max(total, given)),
            cursor=str(place.given),
        )
        return body

    def _add_record(
        self, parent: Element, one: Announcement, dataset: Dataset | None, prefix: Prefix
    ) -> None:
        record = add(parent, _o("record"))
        # Not there although it was announced: taken away between two looks, which is a deletion.
        self._add_header(record, one, deleted=dataset is None)
        if dataset is None:
            return
        metadata = add(record, _o("metadata"))
        if prefix == "oai_dc":
            metadata.append(dublin_core(dataset))
        else:
            metadata.append(datacite(dataset, one.stamp, self._name))

    def _add_header(self, parent: Element, one: Announcement, *, deleted: bool = False) -> None:
        gone = {"status": "deleted"} if one.deleted or deleted else {}
        header = add(parent, _o("header"), **gone)
        add(header, _o("identifier"), self.identifier(one.pid))
        add(header, _o("datestamp"), stamp_text(one.stamp))
        add(header, _o("setSpec"), f"type:{one.type}")
        if one.instrument:
            add(header, _o("setSpec"), instrument_set(one.instrument))

    def identifier(self, pid: str) -> str:
        """``oai:HOST:PID``, the PID percent-encoded where a URI wants it."""
        return f"oai:{self._host}:{quote(pid, safe='/._-~:')}"

    def _announced(self, identifier: str) -> Announcement:
        head = f"oai:{self._host}:"
        found = None
        if identifier.startswith(head):
            found = self._known.get(unquote(identifier[len(head) :]))
        if found is None or self.identifier(found.pid) != identifier:
            raise OaiError("idDoesNotExist", "no record of this identifier")
        return found


def _o(name: str) -> str:
    return f"{{{OAI}}}{name}"
