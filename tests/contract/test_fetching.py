"""Files over HTTP in pieces: whose token goes where, and what is said when it does not work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from asgi import in_thread, serving
from nearfield.config import Config
from nearfield.config.sources import PanoscSource
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import DataFileError
from nearfield.fetching import open_data
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

SECRET = "a-token-of-mine"


class Door:
    """A server that notes which token came with which path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[tuple[str, str | None, str | None]] = []
        self.good = {SECRET}
        self.elsewhere = ""

    def app(self) -> Starlette:
        async def give(request: Request) -> Response:
            name = request.path_params["name"]
            said = request.headers
            self.seen.append((name, said.get("authorization"), said.get("range")))
            if name.startswith("private"):
                token = (said.get("authorization") or "").removeprefix("Bearer ")
                if token not in self.good:
                    return PlainTextResponse(f"no: {token}", 401)
            if name == "moved.h5":
                return RedirectResponse(f"{self.elsewhere}/data/open.h5")
            if name == "mine/moved.h5":
                return RedirectResponse("/data/other-tenant/open.h5")
            if name == "whole.h5":
                return StreamingResponse(iter([(self.folder / "open.h5").read_bytes()]))
            if name == "broken.h5":
                return PlainTextResponse("oops", 500)
            file = self.folder / "open.h5"
            return FileResponse(file) if name in KNOWN else PlainTextResponse("none", 404)

        return Starlette(routes=[Route("/data/{name:path}", give, methods=["GET", "HEAD"])])


KNOWN = ("open.h5", "private.h5", "other-tenant/open.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("door")
    with h5py.File(path / "open.h5", "w") as file:
        file["signal"] = np.arange(3_000_000, dtype="u4")
        file["small"] = 42
    return path


@pytest.fixture
def door(folder: Path) -> Iterator[tuple[Door, str]]:
    one = Door(folder)
    with in_thread(lambda: serving(one.app())) as url:
        yield one, url


class Tokens:
    def __init__(self, *tokens: str) -> None:
        self.tokens, self.asked = list(tokens), []

    async def token(self, *, fresh: bool = False) -> str:
        self.asked.append(fresh)
        return self.tokens.pop(0)


def site(url: str, **fields: object) -> Config:
    settings = {"driver": "panosc", "url": f"{url}/api", "token": "file", **fields}
    return Config(catalogues={"far": PanoscSource.model_validate(settings)})


def remote(url: str, source: str | None = "far") -> Dataset:
    file = DataFile(path="/nowhere/here/a.h5", size=1, mtime=DAY_ONE, url=url)
    return synthetic_dataset(1, files=(file,), source=source)


def test_pieces_are_fetched_with_the_users_token(door: tuple[Door, str]) -> None:
    server, url = door
    tokens = Tokens(SECRET)
    with (
        open_data(site(url), remote(f"{url}/data/private.h5"), tokens=lambda *_: tokens) as file,
        h5py.File(file) as data,
    ):
        assert data["small"][()] == 42
        assert data["signal"][123] == 123
    assert {token for _, token, _ in server.seen} == {f"Bearer {SECRET}"}
    ranges = [said for _, _, said in server.seen if said]
    assert ranges
    assert len(server.seen) < 10  # in pieces of a megabyte, not of a header


def test_a_refused_token_is_renewed_once(door: tuple[Door, str]) -> None:
    server, url = door
    tokens = Tokens("an-old-one", SECRET)
    open_data(site(url), remote(f"{url}/data/private.h5"), tokens=lambda *_: tokens).close()
    assert tokens.asked == [False, True]
    server.good.clear()
    tokens = Tokens(SECRET, SECRET)
    with pytest.raises(DataFileError, match="cannot be fetched: 401") as refused:
        open_data(site(url), remote(f"{url}/data/private.h5"), tokens=lambda *_: tokens)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("source", [None, "far", "other"])
def test_no_other_address_gets_the_token(door: tuple[Door, str], source: str | None) -> None:
    server, url = door
    # The record names this server; the catalogue and its token are somewhere else.
    config = site("http://catalogue.test")
    tokens = Tokens(SECRET)
    dataset = remote(f"{url}/data/open.h5", source)
    open_data(config, dataset, tokens=lambda *_: tokens).close()
    assert {token for _, token, _ in server.seen} == {None}
    assert tokens.asked == []


@pytest.mark.parametrize(
    ("below", "sent"),
    [("/data", True), ("/data/", True), ("/dat", False), ("/data/private", False)],
)
def test_a_door_that_the_site_names_gets_it(door: tuple[Door, str], below: str, sent: bool) -> None:
    server, url = door
    config = site("http://catalogue.test", doors=(f"{url}{below}",))
    dataset = remote(f"dav://{url.removeprefix('http://')}/data/open.h5")
    open_data(config, dataset, tokens=lambda *_: Tokens(SECRET)).close()
    assert {token for _, token, _ in server.seen} == {f"Bearer {SECRET}" if sent else None}


def test_a_redirect_to_another_server_takes_no_token_along(
    door: tuple[Door, str], folder: Path
) -> None:
    server, url = door
    other = Door(folder)
    with in_thread(lambda: serving(other.app())) as elsewhere:
        server.elsewhere = elsewhere
        dataset = remote(f"{url}/data/moved.h5")
        open_data(site(url), dataset, tokens=lambda *_: Tokens(SECRET)).close()
        assert {token for _, token, _ in other.seen} == {None}
    assert (server.seen[0][0], server.seen[0][1]) == ("moved.h5", f"Bearer {SECRET}")


def test_nor_does_a_redirect_out_of_a_door(door: tuple[Door, str]) -> None:
    server, url = door
    config = site("http://catalogue.test", doors=(f"{url}/data/mine",))
    dataset = remote(f"{url}/data/mine/moved.h5")
    open_data(config, dataset, tokens=lambda *_: Tokens(SECRET)).close()
    sent = {name: token for name, token, _ in server.seen}
    assert sent == {"mine/moved.h5": f"Bearer {SECRET}", "other-tenant/open.h5": None}


def test_a_token_that_ends_while_a_file_is_read_is_renewed(door: tuple[Door, str]) -> None:
    server, url = door
    tokens = Tokens(SECRET, "another", "a third")
    dataset = remote(f"{url}/data/private.h5")
    with open_data(site(url), dataset, tokens=lambda *_: tokens) as file:
        file.read(10)
        server.good = {"another"}
        file.seek(6_000_000)
        assert len(file.read(10)) == 10
        server.good = {"a third"}
        file.seek(-10, 2)
        assert len(file.read(20)) == 10


def test_no_error_while_reading_holds_the_token(door: tuple[Door, str]) -> None:
    server, url = door
    dataset = remote(f"{url}/data/private.h5")
    with open_data(site(url), dataset, tokens=lambda *_: Tokens(SECRET, SECRET)) as file:
        server.good.clear()
        with pytest.raises(DataFileError, match="cannot be fetched: 401") as refused:
            file.read(10)
    assert SECRET not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone.h5", "is not at its address"), ("whole.h5", "knows no ranges"), ("broken.h5", "500")],
)
def test_what_cannot_be_fetched_says_why(door: tuple[Door, str], name: str, words: str) -> None:
    _, url = door
    with pytest.raises(DataFileError, match=words):
        open_data(site(url), remote(f"{url}/data/{name}"), tokens=lambda *_: Tokens(SECRET))


def test_what_is_here_is_opened_here_and_what_is_on_tape_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"here")
    with (tmp_path / "stub").open("wb") as file:
        file.truncate(1_000_000)
    names = ("a", "stub", "gone")
    files = tuple(DataFile(path=str(tmp_path / n), size=1, mtime=DAY_ONE) for n in names)
    dataset = synthetic_dataset(1, files=files)
    with open_data(Config(), dataset) as opened:
        assert opened.read() == b"here"
    with pytest.raises(DataFileError, match="on tape"):
        open_data(Config(), dataset, files[1].path)
    with pytest.raises(DataFileError, match="no address"):
        open_data(Config(), dataset, files[2].path)
    said = dataset.model_copy(update={"files": files[2:], "availability": "tape"})
    with pytest.raises(DataFileError, match="on tape"):
        open_data(Config(), said)


def test_what_only_has_the_name_of_a_file_here_is_fetched(
    door: tuple[Door, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = door
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"something else")
    here = Config.model_validate({"storages": {"raw": {"prefix": str(tmp_path / "raw")}}})
    config = site(url).model_copy(update={"storages": here.storages})
    for path in ("a.h5", str(tmp_path / "a.h5")):
        file = DataFile(path=path, size=1, mtime=DAY_ONE, url=f"{url}/data/open.h5")
        dataset = synthetic_dataset(1, files=(file,), source="far")
        with open_data(config, dataset, tokens=lambda *_: Tokens(SECRET)) as opened:
            assert opened.read(4) == b"\x89HDF"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.h5")
    file = DataFile(path=str(tmp_path / "a.h5"), size=1, mtime=DAY_ONE)
    with pytest.raises(DataFileError, match="no address"):
        open_data(Config(), synthetic_dataset(1, files=(file,)))
