"""A fake that is a transport for drivers, as a server on a real socket."""

from __future__ import annotations

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

# What the server makes anew for the connection that it has.
OF_THE_CONNECTION = frozenset({"content-length", "transfer-encoding", "connection"})


def over(transport: httpx.AsyncBaseTransport) -> ASGIApp:
    """An application that answers every request as ``transport`` does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = Request(scope, receive)
        address = httpx.URL(str(asked.url)).copy_with(
            raw_path=scope["raw_path"] + (b"?" if scope["query_string"] else b"")
            + scope["query_string"]
        )  # fmt: skip
        answer = await transport.handle_async_request(
            httpx.Request(
                asked.method, address, headers=asked.headers.raw, content=await asked.body()
            )
        )
        content = await answer.aread()
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in OF_THE_CONNECTION
        }
        await Response(content, answer.status_code, headers)(scope, receive, send)

    return app
