"""Log-ins, instruments and published data of a SciCat backend, for :mod:`.fake_scicat`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nearfield.testing.fake_scicat import AnswerError, FakeSciCat, FakeUser, Request
from nearfield.testing.fake_scicat_access import filtered, known
from nearfield.testing.fake_scicat_records import Record, stamps

Reply = tuple[int, Any]


def published(fake: FakeSciCat, request: Request) -> Reply:
    return 200, filtered(fake, fake.published, request, cast=False, strict=False)


def published_v3(fake: FakeSciCat, request: Request) -> Reply:
    records = [_obsolete_publication(one) for one in fake.published]
    return 200, filtered(fake, records, request, cast=False, strict=False)


def _obsolete_publication(one: Record) -> Record:
    kept = ("doi", "title", "abstract", "status", "createdAt", "updatedAt")
    return {
        **{key: one[key] for key in kept},
        "_id": one["doi"],
        "creator": ["a facility"],
        "publisher": "a facility",
        "publicationYear": 2024,
        "dataDescription": "data",
        "resourceType": "raw",
        "pidArray": one["datasetPids"],
        "registeredTime": one["createdAt"],
    }


def instruments(fake: FakeSciCat, request: Request) -> Reply:
    return 200, fake.instruments


def add_instrument(fake: FakeSciCat, request: Request) -> Reply:
    if not known(request).admin:
        raise AnswerError(403, "Forbidden resource")
    made = {"customMetadata": {}, **request.body, **stamps("root", datetime.now(UTC))}
    fake.instruments.append(made)
    return 201, made


def login(fake: FakeSciCat, request: Request) -> Reply:
    user = fake.accounts.get(request.body["username"])
    if user is None or user.password != request.body["password"]:
        raise AnswerError(401, "Unauthorized")
    return 201, _logged_in(fake, user)


def oidc(fake: FakeSciCat, request: Request) -> Reply:
    name = str(request.body["idToken"]).removeprefix("id-token-of-")
    if not fake.exchanges:
        raise AnswerError(404, "Cannot POST /api/v3/auth/oidc/token")
    if name not in fake.accounts:
        raise AnswerError(401, "Unauthorized")
    return 200, _logged_in(fake, fake.accounts[name])


def _logged_in(fake: FakeSciCat, user: FakeUser) -> Record:
    token = fake.log_in(user)
    account = {
        "id": f"id-of-{user.name}",
        "username": user.name,
        "email": user.email,
        "authStrategy": "local",
    }
    return {
        "access_token": token,
        "id": token,
        "expires_in": fake.seconds,
        "ttl": fake.seconds,
        "created": datetime.now(UTC).isoformat(),
        "userId": f"id-of-{user.name}",
        "user": account,
    }


def whoami(fake: FakeSciCat, request: Request) -> Reply:
    user = request.user
    if user is None:
        return 200, None
    return 200, {
        "_id": f"id-of-{user.name}",
        "username": user.name,
        "email": user.email,
        "currentGroups": [*user.groups],
        "authStrategy": "local",
    }
