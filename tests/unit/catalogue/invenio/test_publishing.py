"""A result in a repository: whole and once, however often an attempt is killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.catalogue.invenio import InvenioCatalogue
from nearfield.catalogue.invenio._sending import CHUNK
from nearfield.errors import (
    BlockedError,
    CatalogueError,
    DataFileError,
    DatasetNotFoundError,
    UsageError,
)
from nearfield.querying import Query
from sourcelab.icat import Token
from sourcelab.invenio import settings
from sourcelab.repositories import KINDS, WORDS, Killed, Repository, a_result

KEYS = {"a.txt": WORDS[0], "more__b.bin": WORDS[1], "empty": WORDS[2]}


@pytest.fixture(params=sorted(KINDS))
def repository(request: pytest.FixtureRequest) -> Repository:
    return KINDS[request.param]()


def assert_whole(repository: Repository, pid: str) -> None:
    found = repository.contents(pid)
    manifest = json.loads(found.pop("nearfield.json"))
    assert found == KEYS
    assert manifest["run_id"] == "run-00000001"


@pytest.mark.parametrize("publish", ["draft", "published"])
async def test_killed_at_any_request_the_next_attempt_ends_it(tmp_path: Path, publish: str) -> None:
    for kind in KINDS.values():
        number, done = 0, False
        while not done:
            number += 1
            repository = kind()
            wanted = a_result(tmp_path, repository)
            repository.kill_at(number)
            try:
                await repository.driver(publish=publish).derive(wanted)
                done = True
            except Killed:
                pass
            repository.fake.after = None
            pid = await repository.driver(publish=publish).derive(wanted)
            assert repository.made == [pid]
            assert repository.published == ([pid] if publish == "published" else [])
            assert_whole(repository, pid)
        # Every request that there is was the last one once.
        assert number > 8


async def test_what_has_arrived_is_not_sent_again(repository: Repository, tmp_path: Path) -> None:
    wanted = a_result(tmp_path, repository)
    pid = await repository.driver(publish="draft").derive(wanted)
    repository.fake.requests.clear()
    assert await repository.driver(publish="draft").derive(wanted) == pid
    assert repository.sent("PUT") == []
    assert repository.sent("POST") == []


async def test_two_attempts_at_once_make_one(repository: Repository, tmp_path: Path) -> None:
    wanted = a_result(tmp_path, repository)
    found = await asyncio.gather(
        *(repository.driver().derive(wanted) for _ in range(2)), return_exceptions=True
    )
    # One may be told to repeat; none leaves anything double.
    assert any(isinstance(one, str) for one in found)
    pid = await repository.driver().derive(wanted)
    assert repository.made == repository.published == [pid]
    assert {one for one in found if isinstance(one, str)} == {pid}
    assert_whole(repository, pid)


async def test_a_draft_that_the_index_did_not_know_yet_stays_the_only_one(
    repository: Repository, tmp_path: Path
) -> None:
    repository.fake.late = True
    wanted = a_result(tmp_path, repository)

    def gone(request: httpx.Request, answer: httpx.Response) -> None:
        if request.method == "POST" and answer.status_code == 201:
            raise Killed

    repository.fake.after = gone
    with pytest.raises(Killed):
        await repository.driver().derive(wanted)
    (first,) = repository.made

    def catches_up(request: httpx.Request, answer: httpx.Response) -> None:
        if request.method == "PUT":
            repository.fake.refresh()

    repository.fake.after = catches_up
    assert await repository.driver().derive(wanted) == first
    assert repository.made == repository.published == [first]
    assert_whole(repository, first)


async def test_a_draft_is_its_owners(repository: Repository, tmp_path: Path) -> None:
    alice, bob = repository.driver(publish="draft"), repository.driver("bob")
    pid = await alice.derive(a_result(tmp_path, repository))
    assert repository.published == []
    made = await alice.get(pid)
    assert "draft" in made.warnings[0]
    assert made.doi is not None
    assert not made.access.public
    assert made.input_datasets == (repository.input,)
    assert made.job_parameters == {"q_max": 0.15}
    assert [file.path for file in made.files] == ["/a.txt", "/more__b.bin", "/empty"]
    assert [file.sha256 for file in made.files] != [None, None, None]
    for other in (bob, repository.driver("")):
        with pytest.raises(DatasetNotFoundError):
            await other.get(pid)
    assert (await alice.search(Query(type="derived"))).total == 0


async def test_it_says_what_it_was_derived_from(repository: Repository, tmp_path: Path) -> None:
    alice = repository.driver()
    pid = await alice.derive(a_result(tmp_path, repository))
    given = (await alice.get(repository.input)).doi
    said = [
        one["identifier"]
        for one in repository.metadata(pid)["related_identifiers"]
        if "isderivedfrom"
        in (str(one.get("relation")).lower(), one.get("relation_type", {}).get("id"))
    ]
    assert said == [given]
    page = await alice.search(Query(input_dataset=repository.input))
    assert [one.pid for one in page.datasets] == [pid]
    assert page.datasets[0].input_datasets == (repository.input,)
    assert page.datasets[0].run_id == "run-00000001"


async def test_no_path_of_this_machine_is_published(repository: Repository, tmp_path: Path) -> None:
    pid = await repository.driver().derive(a_result(tmp_path, repository))
    said = (
        json.dumps(repository.metadata(pid)) + repository.contents(pid)["nearfield.json"].decode()
    )
    assert str(tmp_path) not in said


async def test_a_file_that_is_not_the_runs_is_not_sent(
    repository: Repository, tmp_path: Path
) -> None:
    wanted = a_result(tmp_path, repository)
    (tmp_path / "a.txt").write_bytes(b"eno" * 1000)
    with pytest.raises(CatalogueError, match=r"rodare: .*a\.txt"):
        await repository.driver().derive(wanted)
    assert repository.published == []
    assert all("a.txt" not in repository.contents(pid) for pid in repository.made)


async def test_what_did_not_arrive_whole_is_not_published(
    repository: Repository, tmp_path: Path
) -> None:
    wanted = a_result(tmp_path, repository)

    def damage(request: httpx.Request, answer: httpx.Response) -> None:
        if request.method == "PUT" and "a.txt" in str(request.url):
            said = answer.json()
            if "checksum" in said:
                answer._content = json.dumps({**said, "checksum": "md5:0"}).encode()
        if str(request.url).endswith("a.txt/commit"):
            answer._content = json.dumps({**answer.json(), "checksum": "md5:0"}).encode()

    repository.fake.after = damage
    with pytest.raises(CatalogueError, match="did not arrive"):
        await repository.driver().derive(wanted)
    assert repository.published == []
    repository.fake.after = None
    pid = await repository.driver().derive(wanted)
    assert repository.made == repository.published == [pid]
    assert_whole(repository, pid)


@pytest.mark.parametrize(
    "limits", [{"max_file": 1_000_000}, {"max_dataset": 1_050_000}, {"max_files": 3}]
)
async def test_limits_are_looked_at_before_anything_is_made(
    repository: Repository, tmp_path: Path, limits: dict[str, int]
) -> None:
    with pytest.raises(UsageError, match=r"rodare: .*at most"):
        await repository.driver(**limits).derive(a_result(tmp_path, repository))
    assert repository.made == []


async def test_a_file_that_is_not_there(repository: Repository, tmp_path: Path) -> None:
    wanted = a_result(tmp_path, repository)
    (tmp_path / "empty").unlink()
    with pytest.raises(DataFileError, match="nothing was sent"):
        await repository.driver().derive(wanted)
    (tmp_path / "empty").write_bytes(b"x")
    with pytest.raises(DataFileError, match="has 1 bytes, not 0"):
        await repository.driver().derive(wanted)
    assert repository.made == []


async def test_other_content_of_the_same_run(repository: Repository, tmp_path: Path) -> None:
    await repository.driver().derive(a_result(tmp_path, repository))
    with pytest.raises(CatalogueError, match="run id 'run-00000001' is taken"):
        await repository.driver().derive(a_result(tmp_path, repository, title="else"))
    assert len(repository.made) == 1


async def test_what_is_not_wanted_is_not_done(repository: Repository, tmp_path: Path) -> None:
    wanted = a_result(tmp_path, repository)
    for driver in (
        repository.driver(publish="no"),
        repository.driver(""),
        repository.driver(creator=None),
    ):
        with pytest.raises(BlockedError, match="rodare: "):
            await driver.derive(wanted)
    assert not repository.driver(publish="no").capabilities.derive
    assert repository.made == []


async def test_a_repository_that_drops_the_runs_identifier(
    repository: Repository, tmp_path: Path
) -> None:
    def forgets(request: httpx.Request, answer: httpx.Response) -> None:
        if request.method == "POST" and answer.status_code == 201:
            said = answer.json()
            for name in ("identifiers", "related_identifiers"):
                said["metadata"].pop(name, None)
            answer._content = json.dumps(said).encode()

    repository.fake.after = forgets
    with pytest.raises(CatalogueError, match="does not keep the identifier"):
        await repository.driver().derive(a_result(tmp_path, repository))
    assert repository.made == []


async def test_files_go_in_pieces_from_the_disk(repository: Repository, tmp_path: Path) -> None:
    pieces: list[int] = []

    class Counting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "PUT":
                assert isinstance(request.stream, httpx.AsyncByteStream)
                body = b""
                async for piece in request.stream:
                    pieces.append(len(piece))
                    body += piece
                assert request.headers["content-length"] == str(len(body))
                assert "transfer-encoding" not in request.headers
                request = httpx.Request("PUT", request.url, headers=request.headers, content=body)
            return await repository.fake.transport.handle_async_request(request)

    catalogue = InvenioCatalogue.from_settings(
        "rodare",
        settings(api=repository.api),
        token=Token("token-of-alice"),
        transport=Counting(),
    )
    pid = await catalogue.derive(a_result(tmp_path, repository))
    assert_whole(repository, pid)
    assert max(pieces) == CHUNK
    assert len(pieces) > len(KEYS)


async def test_an_index_that_is_behind_misleads_nobody(
    repository: Repository, tmp_path: Path
) -> None:
    wanted = a_result(tmp_path, repository)
    draft = await repository.driver(publish="draft").derive(wanted)
    repository.fake.late = True
    repository.fake.refresh()
    # The index knows a draft, which is published meanwhile …
    assert await repository.driver().derive(wanted) == draft
    assert repository.published == [draft]
    assert await repository.driver().derive(wanted) == draft
    # … and of another run one that its owner has deleted.
    other = a_result(tmp_path, repository, run_id="run-00000002")
    repository.fake.late = False
    gone = await repository.driver(publish="draft").derive(other)
    repository.fake.refresh()
    repository.fake.late = True
    fake: Any = repository.fake
    (fake.records if repository.api == "rdm" else fake.depositions).pop(repository.key(gone))
    made = await repository.driver().derive(other)
    assert sorted(repository.published) == sorted([draft, made])
    assert made != gone
