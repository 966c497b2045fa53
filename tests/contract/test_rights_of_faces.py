"""Who sees what is the same wherever it is asked: command line, Python, the hub's spawn page.

Two services over real sockets hold the suite's datasets, one as the home and one as a further
source; each person has a token of their own for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nearfield
from asgi import in_thread
from asgi.service import running
from nearfield.catalogue import CatalogueStore
from nearfield.cli import run_command
from nearfield.config import Source, load_config
from nearfield.datasets import Dataset
from nearfield.errors import DatasetNotFoundError, NearfieldError
from nearfield.testing.catalogue_contract import ALICES, BOBS, PEOPLE, SEED, SEEN_BY
from nearfield_spawners.catalogues import all_of, home_of
from nearfield_spawners.hub_api.datasets import DatasetsAsked, find_everywhere
from nearfield_spawners.plan import find_datasets

FAR = (ALICES, BOBS)
WHO = sorted(set(PEOPLE) - {"anonymous"})
CELLS = [pytest.param(who, one, id=f"{who}-{one.pid}") for who in WHO for one in SEED]


class Held:
    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool = False) -> str:
        return self._token


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("rights")
    home, far = (CatalogueStore(folder / f"{n}.sqlite", n) for n in ("home", "far"))
    home.register([dataset for dataset in SEED if dataset not in FAR])
    far.register(FAR)
    with in_thread(lambda: running(home)) as one, in_thread(lambda: running(far)) as other:
        yield one, other
    home.close()
    far.close()


@pytest.fixture
def token(
    request: pytest.FixtureRequest,
    urls: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """What one person's process has: the hub's token, and a file with the one for the source."""
    who = request.node.callspec.params["who"]
    token = f"token-of-{PEOPLE[who].name}"
    file = tmp_path / "nearfield.yaml"
    file.write_text(
        f"catalogue: {{name: home, driver: service, url: '{urls[0]}', timeout: 30}}\n"
        "catalogues:\n"
        f"  far: {{driver: service, url: '{urls[1]}', token: file, timeout: 30}}\n"
    )
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens/far").write_text(token)
    (tmp_path / "tokens/far").chmod(0o600)
    monkeypatch.setenv("NEARFIELD_CONFIG", str(file))
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", token)
    monkeypatch.delenv("NEARFIELD_CATALOGUE_URL", raising=False)
    return token


def seen(who: str) -> set[str]:
    return {dataset.pid for dataset in SEEN_BY[who]}


@pytest.mark.parametrize("who", WHO)
def test_what_is_found(who: str, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["catalogue", "search", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {dataset["pid"] for dataset in said["datasets"]} == seen(who)
    assert said["total"] == len(seen(who))
    assert {dataset.pid for dataset in nearfield.search()} == seen(who)


@pytest.mark.parametrize(("who", "dataset"), CELLS)
def test_what_is_shown(
    who: str, dataset: Dataset, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command(["catalogue", "show", dataset.pid, "--json"])
    said = capsys.readouterr()
    if dataset.pid in seen(who):
        assert json.loads(said.out)["pid"] == dataset.pid
        assert nearfield.dataset(dataset.pid).pid == dataset.pid
        return
    assert (code, said.out) == (1, "")
    assert not dataset.title or dataset.title not in said.err
    with pytest.raises(DatasetNotFoundError):
        nearfield.dataset(dataset.pid)


@pytest.mark.parametrize("who", WHO)
async def test_what_the_spawn_page_finds(who: str, token: str) -> None:
    config = load_config()
    home = home_of(config, token)
    everywhere = all_of(config, home, tokens_with(token))
    try:
        found = await find_everywhere(home, everywhere, DatasetsAsked(limit=100))
        named = DatasetsAsked(pids=tuple(dataset.pid for dataset in SEED))
        by_name = await find_everywhere(home, everywhere, named)
    finally:
        await everywhere.aclose()
    assert {dataset.pid for dataset in found.datasets} == seen(who)
    assert {dataset.pid for dataset in by_name.datasets} == seen(who)


@pytest.mark.parametrize(("who", "dataset"), CELLS)
async def test_what_a_session_may_be_started_with(who: str, dataset: Dataset, token: str) -> None:
    config = load_config()
    asked = find_datasets(config, [dataset.pid], token, tokens=tokens_with(token))
    # The far source's PIDs are names of its own: they are not chosen here, whoever asks.
    if dataset.pid in seen(who) and dataset not in FAR:
        (found,) = await asked
        assert found.pid == dataset.pid
        return
    with pytest.raises(NearfieldError) as refused:
        await asked
    assert not dataset.title or dataset.title not in str(refused.value)


def tokens_with(token: str) -> Callable[[str, Source], Held]:
    return lambda name, settings: Held(token)
