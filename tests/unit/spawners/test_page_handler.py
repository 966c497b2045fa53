"""How the page's routes say no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado import web

from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    SchedulerUnavailableError,
    UsageError,
)
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError


class Bare(PageHandler):
    """Without a hub around it: keeps what it would send."""

    def __init__(self) -> None:
        self.status, self.headers, self.sent = 500, {}, ""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        self.status = status_code

    def set_header(self, name: str, value: Any) -> None:
        self.headers[name] = value

    def finish(self, chunk: Any = None) -> Any:
        self.sent = chunk


def said(error: BaseException, status: int = 500) -> tuple[int, dict[str, Any]]:
    handler = Bare()
    handler.write_error(status, exc_info=(type(error), error, None))
    body = json.loads(handler.sent)
    assert handler.headers["Content-Type"] == "application/json"
    assert set(body) == {"status", "message", "hint"}
    return (handler.status if isinstance(error, NearfieldError) else status), body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("m", hint="h"), 400),
        (DatasetNotPermittedError("m", hint="h"), 403),
        (DatasetNotFoundError("m", hint="h"), 404),
        (CatalogueUnavailableError("m", hint="h"), 503),
        (SchedulerUnavailableError("m", hint="h"), 503),
        (BlockedError("m", hint="h"), 500),
    ],
)
def test_our_own_errors_have_their_status_message_and_hint(
    error: NearfieldError, status: int
) -> None:
    found, body = said(error)
    assert (found, body) == (status, {"status": status, "message": "m", "hint": "h"})


def test_other_errors_tell_no_more_than_they_should() -> None:
    assert said(RefusedError(413, "too long 100 %"), 413)[1]["message"] == "too long 100 %"
    missing = web.HTTPError(403, "'_xsrf' argument missing from POST")
    assert said(missing, 403)[1]["message"] == "'_xsrf' argument missing from POST"
    crash = said(RuntimeError("s3cret at /home/alice"))[1]
    assert crash == {"status": 500, "message": "Internal Server Error", "hint": None}
