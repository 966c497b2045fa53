"""``PUT`` and ``DELETE datasets/PID``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.serving.replies import SEE, refused
from nearfield.catalogue.serving.writing import RawRecord, Writing
from nearfield.catalogue.sqlite import SqliteCatalogue
from nearfield.config.serving import ServeConfig

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_PID = re.compile(r"[\x21-\x7e]{1,400}")
Handler = Callable[["Request", SqliteCatalogue], Awaitable["Response"]]


def write_handlers(
    store: CatalogueStore,
    serve: ServeConfig,
    pid_of: Callable[[Request], tuple[str, str | None]],
    body_of: Callable[[Request], Awaitable[bytes]],
) -> tuple[Handler, Handler]:
    """The two handlers; ``pid_of`` gives PID and part of a request's address."""
    from starlette.responses import JSONResponse
    from starlette.responses import Response as Plain

    def no_method() -> Response:
        return refused(405, "this route takes no such method", SEE)

    async def register(request: Request, catalogue: SqliteCatalogue) -> Response:
        pid, part = pid_of(request)
        if part is not None:
            return no_method()
        record = await asyncio.to_thread(RawRecord.model_validate_json, await body_of(request))
        if record.pid not in (None, pid) or not _PID.fullmatch(pid):
            return refused(400, "pid: not one, or not the one of the address", SEE)
        condition = request.headers.get("if-none-match")
        if condition not in (None, "*"):
            return refused(400, "if-none-match: only '*' is understood", SEE)
        writing = Writing(store, catalogue.principal, serve.writers)
        new = await asyncio.to_thread(writing.register, pid, record, only_new=condition == "*")
        if new is None:
            return refused(412, f"there is a dataset {pid!r} already", "leave out If-None-Match")
        return JSONResponse({"pid": pid}, 201 if new else 200)

    async def delete(request: Request, catalogue: SqliteCatalogue) -> Response:
        pid, part = pid_of(request)
        if part is not None:
            return no_method()
        writing = Writing(store, catalogue.principal, serve.writers)
        await asyncio.to_thread(writing.delete, pid)
        return Plain(status_code=204)

    return register, delete
