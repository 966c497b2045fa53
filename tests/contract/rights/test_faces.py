"""The table of rights for each kind of source, through each face that people have.

Real sockets all the way: the source, a Jupyter server as a process of its own, the catalogue
service as the home. What is hidden is told in the words of what is not there.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

import nearfield
from nearfield.cli import run_command
from nearfield.config import Source as Settings
from nearfield.config import load_config
from nearfield.errors import NearfieldError
from nearfield_spawners.catalogues import all_of, home_of
from nearfield_spawners.hub_api.datasets import DatasetsAsked, find_everywhere
from rightslab.asking import FAR, Held, token_of
from rightslab.sources import Source
from rightslab.table import seen


@pytest.mark.usefixtures("process")
def test_command_line_and_python(
    driver: str, who: str, held: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*argv: str) -> tuple[int, str, str]:
        code = run_command(["catalogue", *argv, "--source", FAR, "--json"])
        said = capsys.readouterr()
        return code, said.out, said.err

    if seen(driver, who):
        found = json.loads(command("search")[1])
        assert {held.back(one["pid"]) for one in found["datasets"]} == seen(driver, who)
        assert found["total"] == len(seen(driver, who))
        assert {held.back(one.pid) for one in nearfield.search(source=FAR)} == seen(driver, who)
    else:
        assert command("search")[0] != 0
    nothing = command("show", held.absent)
    for name, pid in held.names.items():
        code, out, err = command("show", pid)
        if name in seen(driver, who):
            assert (code, json.loads(out)["pid"]) == (0, pid)
            assert nearfield.dataset(pid, source=FAR).pid == pid
            continue
        assert (code, out, err.replace(pid, held.absent)) == nothing
        with pytest.raises(NearfieldError) as refused:
            nearfield.dataset(pid, source=FAR)
        assert str(refused.value).replace(pid, held.absent) in nothing[2]


@pytest.mark.usefixtures("process")
async def test_spawn_page(driver: str, who: str, held: Source, home: str) -> None:
    token = token_of(who)
    if token is None:
        return  # nobody without an account has a spawn page
    config = load_config()

    def tokens(name: str, settings: Settings) -> Held:
        return Held(token)

    at_home = home_of(config, token)
    everywhere = all_of(config, at_home, tokens)
    try:
        found = await find_everywhere(at_home, everywhere, DatasetsAsked(limit=100))
        # One after the other, each with one that is not there: PIDs of some are looked for alone.
        named = DatasetsAsked(pids=(*held.names.values(), held.absent))
        by_name = await find_everywhere(at_home, everywhere, named)
    finally:
        await everywhere.aclose()
    for answer in (found, by_name):
        assert {held.back(one.pid) for one in answer.datasets} == seen(driver, who)
        assert answer.total == len(seen(driver, who))


RECORD = ("", "/files", "/related")
LOOKS = ("/tree", "/slice?path=/number", "/thumbnail")


def test_rest(driver: str, who: str, held: Source, session: httpx.Client) -> None:
    if seen(driver, who):
        found = session.get("datasets", params={"q": f"source:{FAR}"}).json()
        assert {held.back(one["pid"]) for one in found["datasets"]} == seen(driver, who)
        counts = session.get("datasets/facets", params={"q": f"source:{FAR}"}).json()["counts"]
        assert sum(counts["type"].values()) == len(seen(driver, who))
    for part in RECORD:
        answers = asked(session, held, part)
        assert set(answers) == seen(driver, who)
        assert {status for status, _ in answers.values()} <= {200}


def test_preview(driver: str, who: str, held: Source, session: httpx.Client) -> None:
    for part in LOOKS:
        answers = asked(session, held, part)
        assert set(answers) == seen(driver, who)
        if not held.opens_files:
            continue  # theirs are nowhere here: 409, or no picture, and so told to who sees them
        for number, name in enumerate(held.names):
            if name not in seen(driver, who):
                continue
            status, said = answers[name]
            if part.startswith("/slice"):
                assert (status, said["data"]) == (200, number)
            elif part == "/thumbnail" and driver == "service":
                assert (status, said) == (200, "image/png")
            elif part == "/tree":
                assert [one["name"] for one in said["node"]["children"]] == ["curve", "number"]


def asked(session: httpx.Client, held: Source, part: str) -> dict[str, tuple[int, Any]]:
    """What is said of those that are shown; of the others that is said which is said of none."""
    nothing = told(session, held.absent, part)
    assert nothing[0] in {403, 404}
    answers = {name: told(session, pid, part) for name, pid in held.names.items()}
    hidden = (nothing[0], nothing[1]["message"])
    return {
        name: (status, said)
        for name, (status, said) in answers.items()
        if not isinstance(said, dict)
        or (status, said.get("message", "").replace(held.names[name], held.absent)) != hidden
    }


def told(session: httpx.Client, pid: str, part: str) -> tuple[int, Any]:
    path, _, params = part.partition("?")
    answer = session.get(
        f"datasets/{quote(pid, safe='')}{path}?{params}&source={FAR}".replace("?&", "?")
    )
    media = answer.headers["Content-Type"].partition(";")[0]
    return answer.status_code, answer.json() if media == "application/json" else media
