"""The client of all sources against real sockets: TLS, resets, drips, broken bodies."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nearfield.catalogue._http import ATTEMPTS, SourceClient
from nearfield.catalogue._tls import tls_context
from nearfield.errors import CatalogueError, CatalogueUnavailableError

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'


class Server:
    """Answers every connection with ``talk``, and counts them."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.connections, self.asked = talk, 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.talk(reader, writer)
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def serving(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    finally:
        listening.close()


@contextlib.asynccontextmanager
async def asking(url: str, within: float = 20) -> AsyncIterator[SourceClient]:
    async def at_once(seconds: float) -> None:
        """Back-off is counted in the unit tests."""

    client = SourceClient("beamline", url, timeout=within, sleep=at_once)
    try:
        yield client
    finally:
        await client.aclose()


def certificate(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> Path:
    """A self-signed certificate with its key; ``days`` below 0: one that is over."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=days)
    alternative: x509.GeneralName
    try:
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def context_of(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD)
    await writer.drain()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a certificate an authority of the site, as an administrator does."""

    def trust(path: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        tls_context.cache_clear()

    return trust


@pytest.fixture(autouse=True)
def own_context() -> Iterator[None]:
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


async def test_a_certificate_of_the_site_holds(
    tmp_path: Path, trusted: Callable[[Path], None]
) -> None:
    path = certificate(tmp_path)
    trusted(path)
    async with serving(Server(good), context_of(path)) as url, asking(url) as client:
        assert await client.json("GET", "/x") == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "known", "words"),
    [
        ({}, False, "self-signed certificate"),
        ({"days": -1}, True, "certificate has expired"),
        ({"name": "elsewhere.example"}, True, "127.0.0.1"),
    ],
)
async def test_a_wrong_certificate(
    tmp_path: Path,
    trusted: Callable[[Path], None],
    fields: dict[str, object],
    known: bool,
    words: str,
) -> None:
    path = certificate(tmp_path, **fields)  # type: ignore[arg-type]
    if known:
        trusted(path)
    server = Server(good)
    async with serving(server, context_of(path)) as url, asking(url) as client:
        with pytest.raises(CatalogueError, match="certificate does not hold") as caught:
            await client.json("GET", "/x")
    assert str(caught.value).startswith("beamline: ")
    assert words in str(caught.value)
    assert server.asked == 0


async def test_a_reset_is_tried_again() -> None:
    server = Server(good)

    async def reset_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.asked > 1:
            return await good(reader, writer)
        # Linger 0: close() sends RST.
        plug = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server.talk = reset_once
    async with serving(server) as url, asking(url) as client:
        assert await client.json("GET", "/x") == {"a": 1}
    assert server.asked == 2


async def test_a_post_that_may_have_arrived_is_not_sent_again() -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Closes without an answer."""

    server = Server(gone)
    async with serving(server) as url, asking(url) as client:
        with pytest.raises(CatalogueUnavailableError, match="broke off"):
            await client.json("POST", "/x", body={})
    assert server.asked == 1


async def test_half_a_body() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD[:-4])
        await writer.drain()

    server = Server(half)
    async with serving(server) as url, asking(url) as client:
        with pytest.raises(CatalogueUnavailableError, match=r"^beamline: the connection broke off"):
            await client.json("GET", "/x")
    assert server.asked == ATTEMPTS


async def test_a_drip() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD.replace(b"Content-Length: 8", b"Content-Length: 999999"))
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

    server = Server(drip)
    async with serving(server) as url, asking(url, within=0.3) as client:
        with pytest.raises(CatalogueUnavailableError, match=r"^beamline: no answer in 0.3 s"):
            await client.json("GET", "/x")
    assert server.asked == 1


async def test_what_is_no_http() -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await writer.drain()

    async with serving(Server(other)) as url, asking(url) as client:
        with pytest.raises(CatalogueUnavailableError, match=r"^beamline: "):
            await client.json("GET", "/x")


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        async with asking(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(CatalogueUnavailableError, match=r"^beamline: cannot be reached"):
                await client.json("GET", "/x")
