"""What the service's own interface answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearfield.catalogue._wire import error_body

if TYPE_CHECKING:
    from starlette.responses import Response

SEE = "see docs/reference/catalogue.md"


def answer(body: str | bytes, status: int = 200) -> Response:
    """JSON of one user's view: no cache on the way may keep it."""
    from starlette.responses import Response as Plain

    return Plain(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def refused(status: int, message: str, hint: str | None = None) -> Response:
    """An error, in words."""
    from starlette.responses import JSONResponse

    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(
        error_body(message, hint), status, headers={"Cache-Control": "no-store", **extra}
    )
