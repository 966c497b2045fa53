"""Wrong usage is answered with what to type instead."""

from __future__ import annotations

import pytest

from nearfield.cli import run_command


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        ("search x", "did you mean: nearfield catalogue search\n"),
        ("--config f.yaml search x", "did you mean: nearfield catalogue search\n"),
        ("show x", "nearfield catalogue show or nearfield "),
        ("nope", "see: nearfield --help\n"),
        # Of the group that was named, not of others that have such a command.
        ("catalogue list", "see: nearfield catalogue --help\n"),
        ("profiles show --config f.yaml", "before the command: nearfield --config FILE …\n"),
        ("profiles show --debug", "before the command: nearfield --debug …\n"),
    ],
)
def test_what_was_meant(argv: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(argv.split()) == 2
    assert hint in capsys.readouterr().err
