"""``nearfield catalogue search`` and ``show`` over several catalogues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import FederatedCatalogue, FederatedSource
from nearfield.cli import run_command
from nearfield.errors import CatalogueUnavailableError

from .conftest import Source, made

Command = Callable[..., tuple[int, str, str]]
DOI = "10.5281/zenodo.7"


@pytest.fixture
def sources() -> dict[str, Source]:
    home = [made("home-1", 1, title="silver\x1b[2J film"), made("same", 2, doi=DOI)]
    return {
        "home": Source("home", home),
        "far": Source("far", [made(DOI, 2), made("far-1", 3, instrument="ID10")]),
        "hung": Source("hung", hangs=True),
    }


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
) -> Command:
    config = tmp_path / "nearfield.yaml"
    config.write_text(
        "catalogue: {name: home}\ncatalogues: {far: {driver: panosc, url: 'https://far.test'}}\n"
    )

    def opened(*_: object, **__: object) -> FederatedCatalogue:
        # Each command has a loop of its own.
        sources["hung"].open = asyncio.Event()
        return FederatedCatalogue(
            [FederatedSource(name, one, 0.05) for name, one in sources.items()]
        )

    monkeypatch.setattr("nearfield.catalogue.open_catalogue", opened)

    def call(*argv: str) -> tuple[int, str, str]:
        code = run_command(["--config", str(config), "catalogue", *argv])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_results_as_lines_and_the_states_at_the_end(
    command: Command, sources: dict[str, Source]
) -> None:
    code, out, err = command("search")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["same", "home"],
        ["home-1", "home"],
        ["far-1", "far"],
    ]
    # Nothing in a title moves the terminal's cursor.
    assert r"silver\x1b[2J film" in lines[1]
    assert err.splitlines() == [
        "same: also in far",
        "home: 2 found in 0.0 s",
        "far: 2 found in 0.0 s",
        "hung: no answer in 0.05 s",
        "3 of 3 or more shown",
    ]
    assert all(one.closed for one in sources.values())


def test_json_names_the_hung_one(command: Command) -> None:
    code, out, _ = command("search", "--json")
    said = json.loads(out)
    assert code == 0
    assert [dataset["pid"] for dataset in said["datasets"]] == ["far-1", "same", "home-1"]
    assert said["datasets"][1]["also_in"] == ["far"]
    assert (said["total"], said["total_exact"], said["next"]) == (3, False, None)
    states = {state["source"]: (state["state"], state["message"]) for state in said["sources"]}
    assert states["hung"] == ("timeout", "no answer in 0.05 s")


def test_pages(command: Command) -> None:
    seen, cursor = [], None
    for _ in range(3):
        more = ("--cursor", cursor) if cursor else ()
        said = json.loads(command("search", "--json", "--limit", "1", *more)[1])
        seen += [dataset["pid"] for dataset in said["datasets"]]
        cursor = said["next"]
    assert seen == ["far-1", "same", "home-1"]
    assert command("search", "--json", "--cursor", "x")[0] == 2


def test_only_the_sources_that_are_named(command: Command, sources: dict[str, Source]) -> None:
    for argv in (("--source", "far"), ("source:far",)):
        code, out, err = command("search", *argv)
        assert (code, len(out.splitlines())) == (0, 2)
        assert "hung" not in err
    code, _, err = command("search", "--source", "fra")
    assert code == 2
    assert "did you mean 'far'" in err
    assert not sources["home"].asked


def test_show_with_its_source(command: Command) -> None:
    code, out, _ = command("show", DOI, "--source", "far")
    assert code == 0
    assert "source      far" in out
    code, _, err = command("show", "nothing", "--source", "far")
    assert code == 1
    assert "no dataset 'nothing'" in err


def test_a_syntax_error_points_at_the_character(command: Command) -> None:
    code, _, err = command("search", "film", "technque:saxs")
    assert code == 2
    assert err.splitlines()[:3] == [
        "nearfield: unknown field 'technque'",
        "  film technque:saxs",
        "       ^",
    ]


def test_where_nobody_answers_it_is_a_failure(command: Command, sources: dict[str, Source]) -> None:
    for name in ("home", "far"):
        sources[name].fault = CatalogueUnavailableError(f"{name}: says 503")
    for argv in ((), ("--json",)):
        code, out, err = command("search", *argv)
        assert (code, out) == (1, "")
        assert "home: says 503; far: says 503; hung: no answer in 0.05 s" in err
