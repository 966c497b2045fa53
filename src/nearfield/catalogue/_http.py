"""How drivers ask their sources over HTTP: bounded, patient where that helps, clear in errors.

Every error names the source. A token goes to the source's own origin and into no message.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from nearfield.catalogue import _http_errors as say
from nearfield.catalogue._http_answers import Answer, mended, parsed, read_bounded
from nearfield.catalogue._tls import tls_context
from nearfield.catalogue._tokens import TokenSource
from nearfield.errors import CatalogueError, DatasetNotFoundError, SourceLoginError

MAX_BODY = 8_000_000
MAX_REDIRECTS = 3
ATTEMPTS = 3
BACK_OFF = 0.2
"""Seconds before the second attempt; four times as long before the third."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 502, 503, 504})
Body = bytes | Callable[[], AsyncIterator[bytes]]
"""Bytes, or what makes the stream anew for each attempt."""


class Credentials(NamedTuple):
    """Where a token goes in a request."""

    headers: Mapping[str, str] = {}
    params: Mapping[str, str] = {}
    form: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    content: Body | None = None
    max_body: int = MAX_BODY


def bearer(token: str) -> Credentials:
    """RFC 6750: the token in the ``Authorization`` header."""
    return Credentials(headers={"Authorization": f"Bearer {token}"})


def segment(name: str) -> str:
    """A PID or name as one segment of a path, slashes included.

    Raises:
        DatasetNotFoundError: ``.`` or ``..``, which every HTTP client takes for a step in the path.
    """
    if name in ("", ".", ".."):
        raise DatasetNotFoundError(
            f"no dataset {name!r} that you may see",
            hint="search with: nearfield catalogue search TEXT",
        )
    return quote(name, safe="")


class SourceClient:
    """One source's HTTP interface, with one user's token.

    ``timeout`` is for a whole call, attempts and waits included (``seconds`` for one call).
    ``expired`` says which answers mean that the token is no longer good, ``answered`` which are
    answers and no refusals; ``authorize`` says where a token goes.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        token: TokenSource | None = None,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        authorize: Callable[[str], Credentials] = bearer,
        expired: Callable[[int, Any], bool] = lambda status, said: status == 401,
        answered: Callable[[Answer], bool] = lambda answer: 200 <= answer.status < 300,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name, self.url, self.timeout = name, url.rstrip("/"), timeout
        self._token, self._authorize, self._expired = token, authorize, expired
        self._answered, self._sleep = answered, sleep
        try:
            self._base = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise CatalogueError(f"{name}: not a URL: {error}", hint="check its url") from error
        if self._base.scheme not in ("http", "https") or not self._base.host:
            raise CatalogueError(f"{name}: not a URL of http or https", hint="check its url")
        # trust_env=False: no proxy or netrc of the environment sees or replaces a token.
        self._client = httpx.AsyncClient(
            # What httpx unpacks chunk by chunk; other encodings are refused.
            headers={"Accept-Encoding": "gzip, deflate", "User-Agent": "nearfield"},
            verify=tls_context(),
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            # Never reached: the whole call has its own, shorter time.
            timeout=httpx.Timeout(3600.0),
        )

    def __repr__(self) -> str:
        return f"SourceClient({self.name!r}, {self.url!r})"

    async def json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | list[tuple[str, str]] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        content: Body | None = None,
        headers: Mapping[str, str] | None = None,
        adapter: TypeAdapter[Any] | None = None,
        idempotent: bool | None = None,
        anonymous: bool = False,
        max_body: int = MAX_BODY,
        seconds: float | None = None,
    ) -> Any:
        """The JSON that the source answers; ``None`` for an empty body.

        ``path`` is relative to the source's URL; names in it went through :func:`segment`.
        ``body`` is sent as JSON, ``form`` as a form, ``content`` as it is. ``idempotent`` says
        whether the request may be sent again after an answer got lost; by itself GET, HEAD, PUT
        and DELETE are. ``anonymous``: without the token.

        Raises:
            SourceLoginError: no token, or one that is refused, a fresh one too.
            SourceStatusError: any other refusal (4xx), with its status and what was said.
            CatalogueUnavailableError: no answer in time, 5xx, a broken connection.
            CatalogueError: an answer that is none (a web page, half a document, too long, a
                redirect elsewhere or in circles, a certificate that does not hold).
        """
        answer = await self.ask(
            method,
            path,
            params=params,
            body=body,
            form=form,
            content=content,
            headers={"Accept": "application/json", **(headers or {})},
            idempotent=idempotent,
            anonymous=anonymous,
            max_body=max_body,
            seconds=seconds,
        )
        return parsed(self.name, answer, adapter)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | list[tuple[str, str]] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        content: Body | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        anonymous: bool = False,
        max_body: int = MAX_BODY,
        seconds: float | None = None,
    ) -> Answer:
        """As :meth:`json`; the answer as bytes, whatever they are."""
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params or ())
        request = _Request(method, path, pairs, dict(headers or {}), body, form, content, max_body)
        again = method in ("GET", "HEAD", "PUT", "DELETE") if idempotent is None else idempotent
        seconds = self.timeout if seconds is None else seconds
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        try:
            async with asyncio.timeout_at(until):
                return await self._logged_in(request, again, until, anonymous)
        except TimeoutError as error:
            raise say.too_slow(self.name, seconds) from error

    async def aclose(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def _logged_in(
        self, request: _Request, again: bool, until: float, anonymous: bool
    ) -> Answer:
        source = None if anonymous else self._token
        token = await source.token() if source is not None else None
        answer = await self._patiently(request, token, again, until)
        if anonymous or not self._expired(answer.status, answer.said):
            return self._checked(answer, token)
        if source is None or token is None:
            raise SourceLoginError(
                f"{self.name}: asks for a log-in",
                hint="give it a token: see 'token' in its settings",
                again=False,
            )
        # A refused request was not carried out: to repeat it is safe, whatever it does.
        fresh = await source.token(fresh=True)
        if fresh is not None and fresh != token:
            answer = await self._patiently(request, fresh, again, until)
        if self._expired(answer.status, answer.said):
            raise SourceLoginError(
                f"{self.name}: the log-in has expired or is not accepted", hint="log in again"
            )
        return self._checked(answer, fresh)

    def _checked(self, answer: Answer, token: str | None) -> Answer:
        if self._answered(answer):
            return answer
        raise say.refused(self.name, answer.status, answer.reason, answer.said, secret=token)

    async def _patiently(
        self, request: _Request, token: str | None, again: bool, until: float
    ) -> Answer:
        """Once more, and again, where a second attempt can help and there is time for it."""
        loop = asyncio.get_running_loop()
        for attempt in range(1, ATTEMPTS + 1):
            pause = BACK_OFF * 4 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311
            last = attempt == ATTEMPTS
            try:
                answer = await self._follow(request, token)
            except httpx.HTTPError as error:
                # Of a connection that was never made nothing has arrived: that is safe to repeat.
                helps = mended(error) and (again or isinstance(error, httpx.ConnectError))
                if last or not helps or loop.time() + pause >= until:
                    raise say.broken(self.name, error, secret=token) from error
            else:
                if answer.retry_after is not None:
                    pause = max(pause, answer.retry_after)
                if answer.status not in _BUSY or last or not again or loop.time() + pause >= until:
                    return answer
            await self._sleep(pause)
        raise AssertionError("unreachable")

    async def _follow(self, request: _Request, token: str | None) -> Answer:
        url = self._url_of(request.path)
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = await self._once(request, url, token)
            if answer.status not in _REDIRECTS or location is None:
                return answer
            if request.method not in ("GET", "HEAD"):
                raise say.sent_elsewhere(self.name, location, secret=token)
            try:
                target = url.join(location)
            except (httpx.InvalidURL, ValueError) as error:
                raise say.sent_elsewhere(self.name, location, secret=token) from error
            if _origin(target) != _origin(self._base):
                raise say.sent_elsewhere(self.name, str(target), secret=token)
            # The location says it all, parameters included.
            url, request = target, _without_params(request)
        raise CatalogueError(
            f"{self.name}: redirects in a circle (more than {MAX_REDIRECTS} times)",
            hint="check its url; if it is right, tell the source's administrators",
        )

    def _url_of(self, path: str) -> httpx.URL:
        if not path.startswith("/") and "://" in path:
            url = httpx.URL(path)
            if _origin(url) != _origin(self._base):
                raise say.sent_elsewhere(self.name, path, secret=None)
            return url
        return httpx.URL(f"{self.url}/{path.lstrip('/')}")

    async def _once(
        self, request: _Request, url: httpx.URL, token: str | None
    ) -> tuple[Answer, str | None]:
        said = Credentials() if token is None else self._authorize(sendable(self.name, token))
        content = request.content() if callable(request.content) else request.content
        params = httpx.QueryParams([*request.params, *said.params.items()])
        form = {**(request.form or {}), **said.form}
        made = self._client.build_request(
            request.method,
            url.copy_merge_params(params) if params else url,
            headers={**request.headers, **said.headers},
            json=request.body,
            data=form or None,
            content=content,
        )
        async with contextlib.AsyncExitStack() as stack:
            response = await self._client.send(made, stream=True)
            stack.push_async_callback(response.aclose)
            answer = await read_bounded(self.name, response, request.max_body)
            return answer, response.headers.get("location")


def _without_params(request: _Request) -> _Request:
    return _Request(request.method, request.path, [], request.headers, max_body=request.max_body)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def sendable(name: str, token: str) -> str:
    """A token goes into a header: nothing but visible ASCII.

    Raises:
        SourceLoginError: it is no such text.
    """
    if not token or any(not "!" <= character <= "~" for character in token):
        raise SourceLoginError(
            f"{name}: its token holds blanks or other signs that no token has", hint="log in again"
        )
    return token
