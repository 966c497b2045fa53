"""A file at a web address, read in pieces. The token goes to its own place, and into no error."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from nearfield.errors import BlockedError, NearfieldError
from nearfield.extras import install_extra

if TYPE_CHECKING:
    from nearfield.catalogue._tokens import TokenSource

T = TypeVar("T")
# HDF5 reads headers in small pieces: one request for each would take minutes.
_BLOCK = 1 << 20


class WebFile(io.RawIOBase):
    """What fsspec opened; ``refused`` makes of words the error that is raised.

    The errors of what is below hold the request, and with it the token: none is passed on.
    """

    def __init__(self, opened: Any, refused: Callable[[str], NearfieldError]) -> None:
        super().__init__()
        self._opened, self._refused = opened, refused

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._opened.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._opened.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        """Raises what ``refused`` makes."""
        room = memoryview(buffer).cast("B")
        found = without_request(lambda: self._opened.read(room.nbytes), self._refused)
        room[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()


def without_request(work: Callable[[], T], refused: Callable[[str], NearfieldError]) -> T:
    """What ``work`` gives; its errors in words alone, with no error of HTTP behind them."""
    problem: NearfieldError
    try:
        return work()
    except NearfieldError as error:
        problem = error
    except Exception as error:
        # "Not found" is what fsspec makes of every answer that is no success.
        found = error.__cause__ if isinstance(error, FileNotFoundError) else error
        problem = found if isinstance(found, NearfieldError) else refused(_words(found))
    problem.__context__ = problem.__cause__ = None
    raise problem  # outside of the handler: no context is tied to it


def _words(found: BaseException | None) -> str:
    status = getattr(found, "status", None)
    if status in (404, 410) or found is None:
        return "is not at its address"
    return f"cannot be fetched: {status or type(found).__name__}"


def open_web(
    url: str,
    source: TokenSource | None,
    may_have: Callable[[str], bool],
    refused: Callable[[str], NearfieldError],
) -> BinaryIO:
    """The file at ``url``; ``source``'s token goes to the addresses that ``may_have`` it.

    Raises:
        BlockedError: the package for remote files is not installed, or there is no token.
        NearfieldError: what ``refused`` makes.
    """
    try:
        import aiohttp  # noqa: F401 - what fsspec needs
        from fsspec.implementations.http import HTTPFileSystem
    except ImportError as error:
        raise BlockedError(
            f"{url}: files over the network need the package {error.name}",
            hint=install_extra("remote"),
        ) from error
    sent = () if source is None else (_sending(source, may_have),)
    # No cache of instances: one file's token is no business of another's.
    web = HTTPFileSystem(
        client_kwargs={"middlewares": sent},
        block_size=_BLOCK,
        cache_type="readahead",
        skip_instance_cache=True,
    )
    opened = without_request(lambda: web.open(url, "rb"), refused)
    if opened.size is None:
        opened.close()
        raise refused("is given as a whole only: its server knows no ranges")
    return cast("BinaryIO", WebFile(opened, refused))


def _sending(source: TokenSource, may_have: Callable[[str], bool]) -> Any:
    """Adds the token, to each request of its own: a redirect may lead to another tenant's place.

    A file is read for longer than a token lives: a refused one is renewed.
    """
    held: list[str | None] = []
    refused: set[str] = set()

    async def send(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        if not may_have(str(request.url)):
            return await handler(request)
        if not held:
            held.append(await source.token())
        sent = held[0]
        _put(request, sent)
        answer = await handler(request)
        if answer.status != 401 or sent is None or sent in refused:
            return answer
        refused.add(sent)
        if held[0] == sent:
            held[0] = await source.token(fresh=True)
        if held[0] is None or held[0] in refused:
            return answer
        answer.release()
        _put(request, held[0])
        return await handler(request)

    return send


def _put(request: Any, token: str | None) -> None:
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token}"
