"""The routes of a SciCat backend that the driver and its tests use, for :mod:`.fake_scicat`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from nearfield.testing import fake_scicat_others as others
from nearfield.testing.fake_scicat import AnswerError, FakeSciCat, FakeUser, Request
from nearfield.testing.fake_scicat_access import FIELDS, filtered, known, only_fields, visible
from nearfield.testing.fake_scicat_facets import facets
from nearfield.testing.fake_scicat_filters import BadFilterError, checked, computes, fits
from nearfield.testing.fake_scicat_records import (
    Record,
    metadata_keys,
    obsolete,
    stored,
)

Reply = tuple[int, Any]
Handler = Callable[..., Reply]


def handler_of(fake: FakeSciCat, request: Request) -> tuple[Handler, list[str]]:
    """What answers, and the values of the path."""
    for method, pattern, handler in _ROUTES:
        parts = pattern.strip("/").split("/")
        if method != request.method or len(parts) != len(request.segments):
            continue
        if parts[1] == "v4" and not fake.v4:
            continue
        pairs = list(zip(parts, request.segments, strict=True))
        if all(part == said or part.startswith("{") for part, said in pairs):
            return handler, [said for part, said in pairs if part.startswith("{")]
    path = "/" + "/".join(request.segments)
    raise AnswerError(404, f"Cannot {request.method} {path}")


def _seen(fake: FakeSciCat, user: FakeUser | None) -> Iterator[Record]:
    return (one for one in fake.datasets.values() if visible(one, user))


def _list_v4(fake: FakeSciCat, request: Request) -> Reply:
    user = known(request)
    return 200, only_fields(
        filtered(fake, _seen(fake, user), request, cast=False, strict=True), request
    )


def _list_public(fake: FakeSciCat, request: Request) -> Reply:
    found = filtered(fake, _seen(fake, None), request, cast=False, strict=True)
    return 200, only_fields(found, request)


def _counted(fake: FakeSciCat, request: Request, user: FakeUser | None, strict: bool) -> Reply:
    where = {"where": request.json("filter").get("where") or {}}
    try:
        if strict:
            checked(where, FIELDS)
        if not fake.computes and computes(where):
            raise BadFilterError("Property $expr should not exist in the filter object")
        # Mongoose's own count turns texts into times.
        shape = _same if strict else obsolete
        found = [o for o in _seen(fake, user) if fits(shape(o), where["where"], cast=True)]
    except BadFilterError as error:
        raise AnswerError(400, str(error)) from error
    return 200, {"count": len(found)}


def _same(record: Record) -> Record:
    return record


def _count_v4(fake: FakeSciCat, request: Request) -> Reply:
    return _counted(fake, request, known(request), True)


def _count_public(fake: FakeSciCat, request: Request) -> Reply:
    return _counted(fake, request, None, True)


def _count_v3(fake: FakeSciCat, request: Request) -> Reply:
    return _counted(fake, request, request.user, False)


def _list_v3(fake: FakeSciCat, request: Request) -> Reply:
    records = map(obsolete, _seen(fake, request.user))
    return 200, filtered(fake, records, request, cast=True, strict=False)


def _one_v4(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    user = known(request)
    record = fake.datasets.get(pid)
    if record is None:
        raise AnswerError(404, "dataset: null not found")
    if not visible(record, user):
        raise AnswerError(403, "Unauthorized access")
    wanted = [value for name, value in request.params if name == "include"]
    if "origdatablocks" in wanted:
        blocks = [block for block in fake.blocks if block["datasetId"] == pid]
        return 200, {**record, "origdatablocks": blocks}
    return 200, record


def _one_public(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    record = fake.datasets.get(pid)
    # What is not there is answered 200 with nothing.
    return 200, record if record is not None and visible(record, None) else None


def _one_v3(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    record = fake.datasets.get(pid)
    if record is None or not visible(record, request.user):
        return 200, None
    return 200, obsolete(record)


def _facets_v4(fake: FakeSciCat, request: Request) -> Reply:
    return _faceted(fake, request, known(request))


def _facets_public(fake: FakeSciCat, request: Request) -> Reply:
    return _faceted(fake, request, None)


def _facets_v3(fake: FakeSciCat, request: Request) -> Reply:
    return _faceted(fake, request, request.user)


def _faceted(fake: FakeSciCat, request: Request, user: FakeUser | None) -> Reply:
    fields, names = request.json("fields"), request.json("facets") or []
    public = user is None or fields.get("isPublished")
    records = [o for o in fake.datasets.values() if not public or o.get("isPublished")]
    groups = (
        None if public or (user is not None and user.admin) else tuple(user.groups if user else ())
    )
    old = "v3" in request.segments
    try:
        if not fake.computes and computes(fields):
            raise BadFilterError("$expr is not allowed")
        shaped = map(_both_names, records) if old else records
        return 200, facets(shaped, fields, names, groups)
    except BadFilterError as error:
        raise AnswerError(400, str(error)) from error


def _both_names(record: Record) -> Record:
    return {**record, **obsolete(record)}


def _metadata_keys(fake: FakeSciCat, request: Request) -> Reply:
    user = None if "public" in request.segments else request.user
    part = str(request.json("fields").get("metadataKey", "")).lower()
    found: dict[str, None] = {}
    for record in _seen(fake, user):
        found |= dict.fromkeys(metadata_keys(record.get("scientificMetadata") or {}))
    return 200, [key for key in found if part in key.lower()][:100]


def _create_v4(fake: FakeSciCat, request: Request) -> Reply:
    return 201, _created(fake, request, "v4")


def _create_v3(fake: FakeSciCat, request: Request) -> Reply:
    return 201, obsolete(_created(fake, request, "v3"))


def _created(fake: FakeSciCat, request: Request, version: str) -> Record:
    user, body = known(request), request.body
    pid = body.get("pid") or ""
    if not user.admin:
        allowed = user.creates and body["ownerGroup"] in user.groups
        if not allowed or (pid and not user.names_pids):
            raise AnswerError(403, "Unauthorized access")
    if pid in fake.datasets:
        raise AnswerError(409, f"A dataset with pid {pid} already exists!")
    # Whether the inputs exist, or may be seen, is not looked at.
    now = datetime.now(UTC)
    record = stored(body, user=user.name, version=version, pid_prefix=fake.pid_prefix, now=now)
    fake.datasets[record["pid"]] = record
    return record


def _delete(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    user = known(request)
    if not (user.admin or user.deletes):
        raise AnswerError(403, "Unauthorized access")
    record = fake.datasets.pop(pid, None)
    if record is None:
        raise AnswerError(404, f"Dataset #{pid} not found")
    fake.blocks[:] = [block for block in fake.blocks if block["datasetId"] != pid]
    return 200, record


def _blocks_v4(fake: FakeSciCat, request: Request) -> Reply:
    user = None if "public" in request.segments else known(request)
    records = (block for block in fake.blocks if visible(block, user))
    return 200, [
        {key: value for key, value in one.items() if key != "_id"}
        for one in filtered(fake, records, request, cast=False, strict=True)
    ]


def _blocks_v3(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    if (record := fake.datasets.get(pid)) is None or not visible(record, request.user):
        raise AnswerError(403, "Unauthorized access")
    found = [block for block in fake.blocks if block["datasetId"] == pid]
    return 200, [{k: v for k, v in one.items() if k != "version"} for one in found]


def _add_block_v4(fake: FakeSciCat, request: Request) -> Reply:
    block = _added(fake, request, request.body["datasetId"])
    return 201, {key: value for key, value in block.items() if key != "_id"}


def _add_block_v3(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    block = _added(fake, request, pid)
    return 201, {key: value for key, value in block.items() if key != "version"}


def _added(fake: FakeSciCat, request: Request, pid: str) -> Record:
    user = known(request)
    record = fake.datasets.get(pid)
    if record is None:
        raise AnswerError(404, f"Dataset: {pid} not found for attaching an origdatablock")
    if not user.admin and record["ownerGroup"] not in user.groups:
        raise AnswerError(403, "Unauthorized access")
    fake.add_files(pid, request.body, by=user.name)
    return fake.blocks[-1]


def _delete_blocks(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    if not known(request).admin:
        raise AnswerError(403, "Unauthorized access")
    before = len(fake.blocks)
    fake.blocks[:] = [block for block in fake.blocks if block["datasetId"] != pid]
    return 200, {"count": before - len(fake.blocks)}


def _pictures_v4(fake: FakeSciCat, request: Request) -> Reply:
    user = None if "public" in request.segments else known(request)
    records = [_attachment_v4(one) for one in fake.pictures if visible(one, user)]
    return 200, only_fields(filtered(fake, records, request, cast=False, strict=True), request)


def _attachment_v4(one: Record) -> Record:
    return {key: value for key, value in one.items() if key not in ("createdBy", "updatedBy")}


def _pictures_v3(fake: FakeSciCat, request: Request, pid: str) -> Reply:
    if (record := fake.datasets.get(pid)) is None or not visible(record, request.user):
        raise AnswerError(403, "Unauthorized access")
    return 200, [o for o in fake.pictures if o["relationships"][0]["targetId"] == pid]


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/api/v3/auth/login", others.login),
    ("POST", "/api/v3/auth/oidc/token", others.oidc),
    ("GET", "/api/v3/auth/whoami", others.whoami),
    ("GET", "/api/v3/instruments", others.instruments),
    ("POST", "/api/v3/instruments", others.add_instrument),
    ("GET", "/api/v4/datasets", _list_v4),
    ("POST", "/api/v4/datasets", _create_v4),
    ("GET", "/api/v4/datasets/count", _count_v4),
    ("GET", "/api/v4/datasets/fullfacet", _facets_v4),
    ("GET", "/api/v4/datasets/metadataKeys", _metadata_keys),
    ("GET", "/api/v4/datasets/public", _list_public),
    ("GET", "/api/v4/datasets/public/count", _count_public),
    ("GET", "/api/v4/datasets/public/fullfacet", _facets_public),
    ("GET", "/api/v4/datasets/public/metadataKeys", _metadata_keys),
    ("GET", "/api/v4/datasets/public/{pid}", _one_public),
    ("GET", "/api/v4/datasets/{pid}", _one_v4),
    ("DELETE", "/api/v4/datasets/{pid}", _delete),
    ("GET", "/api/v4/origdatablocks", _blocks_v4),
    ("POST", "/api/v4/origdatablocks", _add_block_v4),
    ("GET", "/api/v4/origdatablocks/public", _blocks_v4),
    ("GET", "/api/v4/attachments", _pictures_v4),
    ("GET", "/api/v4/attachments/public", _pictures_v4),
    ("GET", "/api/v4/publisheddata", others.published),
    ("GET", "/api/v3/datasets", _list_v3),
    ("POST", "/api/v3/datasets", _create_v3),
    ("GET", "/api/v3/datasets/count", _count_v3),
    ("GET", "/api/v3/datasets/fullfacet", _facets_v3),
    ("GET", "/api/v3/datasets/metadataKeys", _metadata_keys),
    ("GET", "/api/v3/datasets/{pid}", _one_v3),
    ("DELETE", "/api/v3/datasets/{pid}", _delete),
    ("GET", "/api/v3/datasets/{pid}/origdatablocks", _blocks_v3),
    ("POST", "/api/v3/datasets/{pid}/origdatablocks", _add_block_v3),
    ("DELETE", "/api/v3/datasets/{pid}/origdatablocks", _delete_blocks),
    ("GET", "/api/v3/datasets/{pid}/attachments", _pictures_v3),
    ("GET", "/api/v3/publisheddata", others.published_v3),
)
