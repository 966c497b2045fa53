"""Who may see what in a SciCat backend, and its filters, for :mod:`.fake_scicat`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nearfield.testing.fake_scicat import AnswerError, FakeSciCat, FakeUser, Request
from nearfield.testing.fake_scicat_filters import BadFilterError, checked, computes, fits
from nearfield.testing.fake_scicat_records import Record, projected

FIELDS = frozenset(
    {
        *("pid", "type", "datasetName", "description", "techniques", "dataFormat"),
        *("instrumentIds", "creationLocation", "sampleIds", "proposalIds"),
        *("principalInvestigators", "license", "startTime", "endTime", "creationTime"),
        *("keywords", "size", "owner", "datasetlifecycle", "sourceFolder", "ownerGroup"),
        *("accessGroups", "isPublished", "inputDatasets", "runNumber", "usedSoftware"),
        *("scientificMetadata", "jobParameters", "createdAt", "updatedAt", "datasetId"),
        *("dataFileList", "path", "chk", "caption", "aid", "thumbnail"),
    }
)


def visible(record: Record, user: FakeUser | None) -> bool:
    """Published, or of one of the user's groups, or all for an administrator."""
    if record.get("isPublished") or (user is not None and user.admin):
        return True
    groups = {record.get("ownerGroup"), *(record.get("accessGroups") or ())}
    return user is not None and not groups.isdisjoint(user.groups)


def known(request: Request) -> FakeUser:
    if request.user is None:
        raise AnswerError(403, "Forbidden resource")
    return request.user


def filtered(
    fake: FakeSciCat, records: Iterable[Record], request: Request, *, cast: bool, strict: bool
) -> list[Record]:
    said = request.json("filter")
    try:
        if strict:
            checked(said, FIELDS)
        if not fake.computes and computes(said):
            raise BadFilterError("Property $expr should not exist in the filter object")
        found = [one for one in records if fits(one, said.get("where") or {}, cast=cast)]
    except BadFilterError as error:
        raise AnswerError(400, str(error)) from error
    limits = said.get("limits") or {}
    sort = dict(limits.get("sort") or {})
    if "order" in limits:
        name, _, direction = limits["order"].partition(":")
        sort = {name: direction or "asc"}
    for name, direction in reversed(sort.items() or [("createdAt", "desc")]):
        found.sort(key=lambda one: _order(one.get(name)), reverse=direction == "desc")
    skip, limit = limits.get("skip", 0), limits.get("limit", 10 if strict else 100)
    return found[skip : skip + limit]


def _order(value: Any) -> tuple[int, Any]:
    """What is missing sorts below everything."""
    if isinstance(value, datetime):
        return 2, value
    return (1, str(value)) if value is not None else (0, "")


def only_fields(found: list[Record], request: Request) -> list[Record]:
    fields = request.json("filter").get("fields") or []
    return [projected(one, fields) for one in found]
