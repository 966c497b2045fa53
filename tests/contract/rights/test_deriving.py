"""Nobody derives from what they may not read, and is told so in the words of what is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import nearfield
from finished_run import make_run
from nearfield.cli import run_command
from nearfield.errors import DatasetNotFoundError
from rightslab.sources import Source
from rightslab.table import may_derive

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(process: None, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*argv: str) -> tuple[int, str, str]:
        code = run_command([*argv, "--json"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., str]:
    """A run over these datasets that somebody has made, and now wants to publish."""
    made = iter(range(100))

    def make(*pids: str) -> str:
        folder = tmp_path / f"run-{next(made)}"
        make_run(folder, inputs=[{"pid": pid} for pid in pids])
        return str(folder)

    return make


def hidden_from(driver: str, who: str, held: Source) -> list[str]:
    """What the source calls them."""
    return [pid for name, pid in held.names.items() if name not in may_derive(driver, who)]


def shown_to(driver: str, who: str, held: Source) -> list[str]:
    return [pid for name, pid in held.names.items() if name in may_derive(driver, who)]


@pytest.mark.parametrize("who", ["bob", "stranger"], indirect=True)
def test_publishing(
    driver: str, who: str, held: Source, command: Command, run_of: Callable[..., str]
) -> None:
    nothing = command("publish", run_of(held.absent))
    assert nothing[:2] == (1, "")
    with pytest.raises(DatasetNotFoundError) as refused:
        nearfield.publish(run_of(held.absent))
    assert str(refused.value) in nothing[2]
    mine, *_ = shown_to(driver, who, held)
    for pid in hidden_from(driver, who, held):
        # One input that may not be read is one too many.
        for inputs in ((pid,), (mine, pid)):
            code, out, err = command("publish", run_of(*inputs))
            assert (code, out, err.replace(pid, held.absent)) == nothing
    before = nearfield.search(type="derived").total
    made = nearfield.dataset(nearfield.publish(run_of(mine)))
    assert made.input_datasets == (mine,)
    assert nearfield.search(type="derived").total == before + 1


@pytest.mark.parametrize("who", ["bob", "stranger"], indirect=True)
def test_running(driver: str, who: str, held: Source, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def start(pid: str) -> tuple[int, str, str]:
        return command("run", "frames-projection", "--dataset", pid, "--out", str(out))

    nothing = start(held.absent)
    assert nothing[:2] == (1, "")
    for pid in hidden_from(driver, who, held):
        code, said, err = start(pid)
        assert (code, said, err.replace(pid, held.absent)) == nothing
    with pytest.raises(DatasetNotFoundError):
        nearfield.run("frames-projection", held.absent, out=out)
    assert not out.exists()


@pytest.mark.parametrize("who", ["anonymous"], indirect=True)
def test_nobody_publishes_without_an_account(
    driver: str, held: Source, command: Command, run_of: Callable[..., str]
) -> None:
    for pid in (*held.names.values(), held.absent):
        code, out, _ = command("publish", run_of(pid))
        # 3: there is no token for the home; 1: the other catalogue takes results of nobody.
        assert code in {1, 3}
        assert out == ""
